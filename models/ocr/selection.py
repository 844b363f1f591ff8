"""What training prefers: the best epoch by a figure of the validation readings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.ocr.data.reading import Lines
from models.ocr.decoding.decoder import Decoder, Line
from models.ocr.learner import RawPrediction
from models.ocr.metrics.figures import line_figures
from models.ocr.options import Figure

_BLOCK = 256
"""Lines decoded at once: with many characters the arrays are large."""


class Judge:
    """Figures of raw validation predictions; `metric` names the one that picks the best epoch."""

    def __init__(self, lines: Lines, decoder: Decoder, metric: Figure) -> None:
        self.metric: str = metric
        self._lines = lines
        self._decoder = decoder

    def __call__(self, predictions: Sequence[RawPrediction]) -> dict[str, float]:
        """Judge the predictions of a whole split."""
        truths = [self._lines.texts[one.index] for one in predictions]
        texts = [line.text for line in decoded(predictions, self._decoder)]
        return line_figures(truths, texts)


def decoded(predictions: Sequence[RawPrediction], decoder: Decoder) -> list[Line]:
    """Decode raw predictions."""
    found: list[Line] = []
    for start in range(0, len(predictions), _BLOCK):
        block = [one.log_probs for one in predictions[start : start + _BLOCK]]
        found += decoder(np.stack(block))
    return found
