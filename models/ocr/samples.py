"""Debug pictures during training: what the network sees, and the worst validation readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning

from models.ocr.data.reading import Lines
from models.ocr.dataset import read_line
from models.ocr.decoding.decoder import Decoder, Line
from models.ocr.drawing import Panel, bare_sheet, sheet
from models.ocr.learner import ReadingLearner
from models.ocr.options import TrainOptions
from models.ocr.ranking import worst_first
from models.ocr.selection import decoded
from models.reporting import Image, Reporter


class Samples(lightning.Callback):  # type: ignore[misc]
    """Reports augmented training lines and the worst validation readings every few epochs."""

    def __init__(
        self, options: TrainOptions, lines: Lines, decoder: Decoder, reporter: Reporter
    ) -> None:
        self._options = options.samples
        self._epochs = options.epochs
        self._lines = lines
        self._decoder = decoder
        self._reporter = reporter

    def on_train_batch_start(
        self, trainer: lightning.Trainer, learner: ReadingLearner, batch: Any, batch_idx: int
    ) -> None:
        """Show the first batch of an epoch as the network gets it."""
        if batch_idx == 0 and self._due(trainer):
            images = list(batch["images"][: self._options.count].cpu().numpy())
            self._report("augmented batch", "lines", bare_sheet(images), trainer)

    def on_validation_end(self, trainer: lightning.Trainer, learner: ReadingLearner) -> None:
        """Show the worst readings of the validation split, and if there are none, the first."""
        if self._due(trainer, learner.validate_every):
            indices = [one.index for one in learner.predictions]
            found = decoded(learner.predictions, self._decoder)
            truths = [self._lines.texts[index] for index in indices]
            order = worst_first(truths, found) or range(len(found))
            chosen = [(indices[place], found[place]) for place in order[: self._options.count]]
            if chosen:
                self._report("truth and reading", "the worst", self._drawn(chosen), trainer)

    def _drawn(self, chosen: Sequence[tuple[int, Line]]) -> Image:
        return sheet(
            [
                Panel(
                    image=read_line(self._lines, index),
                    text=line.text,
                    confidence=line.confidence,
                    characters=line.characters,
                    truth=self._lines.texts[index],
                    note=line.check,
                )
                for index, line in chosen
            ]
        )

    def _due(self, trainer: lightning.Trainer, window: int = 1) -> bool:
        """Say whether pictures are due in this epoch, or were in the last `window` epochs."""
        now = trainer.current_epoch + 1
        due = any(
            epoch in (1, self._epochs) or epoch % self._options.every == 0
            for epoch in range(max(1, now - window + 1), now + 1)
        )
        return bool(due and self._options.count and trainer.is_global_zero)

    def _report(self, title: str, series: str, image: Image, trainer: lightning.Trainer) -> None:
        self._reporter.image(title, series, image, trainer.current_epoch + 1)
