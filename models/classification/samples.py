"""Debug pictures during training: what the network sees, and predictions beside the truth."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np

from models.classification.labels import Labels
from models.classification.learner import ClassificationLearner
from models.classification.naming import confidences
from models.classification.options import TrainOptions
from models.classification.sheets import RIGHT, WRONG, sheet
from models.data.reading import read_picture
from models.reporting import Image, Reporter


class Samples(lightning.Callback):  # type: ignore[misc]
    """Reports sheets of augmented pictures and of validation predictions every few epochs."""

    def __init__(self, options: TrainOptions, labels: Labels, reporter: Reporter) -> None:
        self._options = options.samples
        self._epochs = options.epochs
        self._labels = labels
        self._reporter = reporter

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        learner: ClassificationLearner,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Show the first batch of an epoch as the loader gives it."""
        if batch_idx == 0 and self._due(trainer):
            images = [one.cpu().numpy() for one in batch["images"][: self._options.count]]
            names = [
                ", ".join(self._labels.classes[i] for i in np.flatnonzero(row.cpu().numpy()))
                for row in batch["targets"][: self._options.count]
            ]
            self._report("augmented batch", sheet(images, names), trainer)

    def on_validation_end(self, trainer: lightning.Trainer, learner: ClassificationLearner) -> None:
        """Show validation pictures, spread over the split, with what the network says."""
        if not self._due(trainer, learner.validate_every):
            return
        step = max(1, len(self._labels) // self._options.count)
        chosen = [one for one in learner.predictions if one.index % step == 0]
        images: list[Image] = []
        texts: list[str] = []
        colours = []
        for one in chosen[: self._options.count]:
            images.append(read_picture(self._labels.folder / self._labels.files[one.index]))
            kind = "sigmoid" if self._labels.several else "softmax"
            scores = confidences(one.logits[None], kind)[0]
            best = int(scores.argmax())
            right = bool(self._labels.truth[one.index, best])
            truth = "" if right else f" (is {self._labels.names(one.index)})"
            texts.append(f"{self._labels.classes[best]} {scores[best]:.2f}{truth}")
            colours.append(RIGHT if right else WRONG)
        self._report("predictions", sheet(images, texts, colours), trainer)

    def _due(self, trainer: lightning.Trainer, window: int = 1) -> bool:
        """Say whether pictures are due in this epoch, or were in the last `window` epochs."""
        now = trainer.current_epoch + 1
        due = any(
            epoch in (1, self._epochs) or epoch % self._options.every == 0
            for epoch in range(max(1, now - window + 1), now + 1)
        )
        return bool(due and self._options.count and trainer.is_global_zero)

    def _report(self, title: str, image: Image, trainer: lightning.Trainer) -> None:
        self._reporter.image(title, "sheet", image, trainer.current_epoch + 1)
