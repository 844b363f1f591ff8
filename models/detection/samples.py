"""Debug pictures: what the network sees, predictions beside the truth, the worst mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import lightning
import numpy as np
from numpy.typing import NDArray

from models.detection.data.drawing import class_colour, draw_boxes
from models.detection.dataset import Labels, read_picture
from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.learner import DetectionLearner
from models.detection.metrics.matching import match
from models.detection.metrics.truth import Truth
from models.detection.options import TrainOptions
from models.preprocessing import Preprocessing
from models.reporting import Image, Reporter

_SHOWN = 0.3
"""Confidence from which a prediction is drawn during training, when no threshold is known yet."""
_FALSE, _MISSED, _RIGHT = (230, 60, 60), (255, 170, 0), (0, 200, 80)
_WIDEST = 800
"""Pixels of a debug picture's longer side at most."""


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
        self._window = options.validate_every
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
        if not self._due(trainer, self._window):
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


def beside(image: Image, truth: Truth, found: Detections, classes: Sequence[str]) -> Image:
    """Draw the truth on the left and detections on the right, both in the colour of the class."""
    left = draw_boxes(
        image,
        truth.boxes,
        [classes[label] for label in truth.classes],
        [class_colour(int(label)) for label in truth.classes],
    )
    right = draw_boxes(
        image,
        found.boxes,
        [
            f"{classes[label]} {score:.2f}"
            for label, score in zip(found.classes, found.scores, strict=True)
        ],
        [class_colour(int(label)) for label in found.classes],
    )
    return _small(np.concatenate([left, right], axis=1), 2 * _WIDEST)


def picture_pairs(
    labels: Labels,
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    threshold: float | NDArray[np.float32],
    count: int,
) -> Iterator[tuple[int, Image]]:
    """Draw pictures, spread evenly over a split, with the truth left and predictions right.

    Returns:
        Index in the split and picture.
    """
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(count, len(labels))).round())
    for index in chosen.astype(int).tolist():
        image = read_picture(labels.folder / labels.files[index])
        kept = detections[index].above(threshold)
        yield index, beside(image, truths[index], kept, labels.classes)


def worst_pictures(
    labels: Labels,
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    threshold: float | NDArray[np.float32],
    options: EvaluateOptions,
) -> list[tuple[str, Image]]:
    """Draw the pictures with the most false and missed boxes.

    False boxes are red with the class said and the confidence, missed objects orange with their
    class, found ones green. Pictures without a mistake are left out.

    Returns:
        File name and picture, the worst first.
    """
    mistakes = []
    for index, (truth, seen) in enumerate(zip(truths, detections, strict=True)):
        kept = seen.above(threshold).best(options.max_detections)
        result = match([truth], [kept], options.ious[:1], options.matching == "class")
        right = result.correct()
        missed = np.setdiff1d(np.arange(len(truth)), result.found[0][right])
        count = int((~right).sum()) + len(missed)
        if count:
            mistakes.append((-count, index, kept, right, missed))
    pictures = []
    for _, index, kept, right, missed in sorted(mistakes, key=lambda one: one[:2])[: options.worst]:
        truth = truths[index]
        order = np.argsort(-kept.scores, kind="stable")
        boxes = np.concatenate([truth.boxes[missed], kept.boxes[order]])
        captions = [f"missed {labels.classes[label]}" for label in truth.classes[missed]]
        captions += [
            "" if good else f"{labels.classes[label]} {score:.2f}"
            for good, label, score in zip(
                right, kept.classes[order], kept.scores[order], strict=True
            )
        ]
        colours = [_MISSED] * len(missed) + [_RIGHT if good else _FALSE for good in right]
        image = read_picture(labels.folder / labels.files[index])
        pictures.append(
            (labels.files[index], _small(draw_boxes(image, boxes, captions, colours), _WIDEST))
        )
    return pictures


def _small(image: Image, longest: int) -> Image:
    import cv2

    scale = longest / max(image.shape[:2])
    if scale >= 1.0:
        return image
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
