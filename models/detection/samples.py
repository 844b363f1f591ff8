"""Debug pictures during training: what the network sees, and predictions beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np

from models.detection.dataset import Labels, read_picture
from models.detection.learner import DetectionLearner
from models.detection.metrics.truth import Truth
from models.detection.options import TrainOptions
from models.detection.pictures import beside
from models.drawing import class_colour, draw_boxes
from models.preprocessing import Preprocessing
from models.reporting import Image, Reporter

_SHOWN = 0.3
"""Confidence from which a prediction is drawn during training, when no threshold is known yet."""


class Samples(lightning.Callback):  # type: ignore[misc]
    """Reports augmented training pictures and validation predictions every few epochs."""

    def __init__(
        self,
        options: TrainOptions,
        labels: Labels,
        preprocessing: Preprocessing,
        reporter: Reporter,
    ) -> None:
        self._options = options.samples
        self._epochs = options.epochs
        self._labels = labels
        self._preprocessing = preprocessing
        self._reporter = reporter

    def on_train_batch_start(
        self, trainer: lightning.Trainer, learner: DetectionLearner, batch: Any, batch_idx: int
    ) -> None:
        """Show the first batch of an epoch as the network gets it."""
        if batch_idx == 0 and self._due(trainer):
            for place, (pixels, target) in enumerate(
                zip(batch["images"], batch["targets"], strict=True)
            ):
                if place == self._options.count:
                    break
                self._report(
                    "augmented batch",
                    place,
                    _with_targets(pixels.cpu().numpy(), target, self._labels.classes),
                    trainer,
                )

    def on_validation_end(self, trainer: lightning.Trainer, learner: DetectionLearner) -> None:
        """Show the first validation pictures with the truth on the left, predictions right."""
        if not self._due(trainer, learner.validate_every):
            return
        first = [one for one in learner.predictions if one.index < self._options.count]
        for one in first:
            image = read_picture(self._labels.folder / self._labels.files[one.index])
            found = one.detections(self._labels, self._preprocessing).above(_SHOWN)
            truth = Truth(self._labels.boxes[one.index], self._labels.labels[one.index])
            picture = beside(image, truth, found, self._labels.classes)
            self._report("truth | predictions", one.index, picture, trainer)

    def _due(self, trainer: lightning.Trainer, window: int = 1) -> bool:
        """Say whether pictures are due in this epoch, or were in the last `window` epochs."""
        now = trainer.current_epoch + 1
        due = any(
            epoch in (1, self._epochs) or epoch % self._options.every == 0
            for epoch in range(max(1, now - window + 1), now + 1)
        )
        return bool(due and self._options.count and trainer.is_global_zero)

    def _report(self, title: str, place: int, image: Image, trainer: lightning.Trainer) -> None:
        self._reporter.image(title, f"{place:02}", image, trainer.current_epoch + 1)


def _with_targets(pixels: Image, target: dict[str, Any], classes: Sequence[str]) -> Image:
    height, width = pixels.shape[:2]
    boxes = target["boxes"].cpu().numpy() * np.array([width, height] * 2, np.float32)
    corners = np.concatenate(
        [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1
    )
    labels = target["class_labels"].tolist()
    return draw_boxes(
        np.ascontiguousarray(pixels),
        corners,
        [classes[label] for label in labels],
        [class_colour(label) for label in labels],
    )
