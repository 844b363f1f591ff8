"""How sure a difference between two forms of a model is: the paired bootstrap over pictures.

Both forms predict the same pictures. The pictures are drawn anew with replacement many times, and
each draw gives the difference of the main metric (Efron and Tibshirani, 1993, chapter 13): the
middle share of these differences is the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.families import Measurement


@dataclass(frozen=True)
class Loss:
    """What a form of a model lost of the main metric against the reference."""

    reference: float
    """The reference's metric on all pictures."""
    candidate: float
    low: float
    """Lower end of the interval of the loss; negative is a gain."""
    high: float
    """Upper end."""
    confidence: float
    """Share of resamples inside the interval."""
    pictures: int
    resamples: int

    @property
    def value(self) -> float:
        """The loss on the pictures as they are: reference minus candidate."""
        return self.reference - self.candidate

    def within(self, budget: float) -> bool:
        """Whether the loss is shown to be no more than the budget: the upper end counts."""
        return self.high <= budget

    def __str__(self) -> str:
        return (
            f"{self.candidate:.4f} against {self.reference:.4f}: a loss of {self.value:+.4f}, with "
            f"{self.confidence:.0%} confidence between {self.low:+.4f} and {self.high:+.4f} "
            f"({self.pictures} pictures)"
        )

    def record(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        return {"loss": self.value, **vars(self)}


class PairedBootstrap:
    """The reference's figures on every resample, for any number of candidates."""

    def __init__(
        self, reference: Measurement, pictures: int, resamples: int = 1000, seed: int = 0
    ) -> None:
        """Draw the resamples and measure the reference on them.

        Args:
            reference: measured picture by picture.
            pictures: how many there are.
            resamples: draws.
            seed: of the draws.

        Raises:
            ValueError: there is nothing to measure on these pictures.
        """
        if pictures < 1 or resamples < 1:
            raise ValueError("a bootstrap needs at least one picture and one resample")
        self._value = reference.figure()
        if not np.isfinite(self._value):
            raise ValueError("there is nothing to measure on these pictures: none is labelled")
        self._pictures, self._resamples, self._seed = pictures, resamples, seed
        self._reference = resampled_figures(reference, pictures, resamples, seed)

    def loss(self, candidate: Measurement, confidence: float = 0.95) -> Loss:
        """Say what a candidate lost on the same pictures, as an interval.

        Args:
            candidate: measured on the reference's pictures, in their order.
            confidence: share of resamples inside, between 0 and 1.
        """
        figures = resampled_figures(candidate, self._pictures, self._resamples, self._seed)
        low, high = interval(self._reference - figures, confidence)
        return Loss(
            reference=self._value,
            candidate=candidate.figure(),
            low=low,
            high=high,
            confidence=confidence,
            pictures=self._pictures,
            resamples=self._resamples,
        )


def resampled_figures(
    measurement: Measurement, pictures: int, resamples: int, seed: int = 0
) -> NDArray[np.float64]:
    """Give the main metric on each resample: the same draws for all that have so many pictures.

    A resample with nothing to measure gives nan.
    """
    draw = np.random.default_rng(seed)
    even = np.full(pictures, 1.0 / pictures)
    return np.array(
        [measurement.figure(draw.multinomial(pictures, even)) for _ in range(resamples)]
    )


def interval(drops: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Give the ends of the middle share of the differences, those that are nan left out."""
    known = drops[np.isfinite(drops)]  # no resample of nothing but pictures without objects
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def figure_of_each(measurement: Measurement, pictures: int) -> NDArray[np.float64]:
    """Give the main metric of each picture alone; nan for one with nothing to measure."""
    alone = np.eye(pictures, dtype=np.int64)
    return np.array([measurement.figure(one) for one in alone])
