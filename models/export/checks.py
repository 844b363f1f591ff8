"""Is an exported model still the model? On real pictures, against PyTorch in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.export.options import ExportOptions, ToleranceOptions
from models.export.report import ExportError, Latency
from models.families import Family, Validation
from models.package import Parity
from models.reporting import Image
from models.runtimes import Predictor
from models.runtimes.timing import median_ms

BATCHES = (1, 3)
"""Batch sizes that are compared; the second finds what is frozen to the first."""


class Comparison:
    """PyTorch's results on some pictures, for others to be held against."""

    def __init__(
        self,
        family: Family,
        reference: Predictor,
        validation: Validation,
        options: ExportOptions,
    ) -> None:
        """Predict with the reference.

        Args:
            family: knows how results are compared.
            reference: PyTorch in float32.
            validation: has the pictures.
            options: how many pictures, from which confidence on.
        """
        count = min(options.parity_pictures, len(validation))
        chosen = np.linspace(0, len(validation) - 1, count).round().astype(int).tolist()
        self.images = [validation.picture(index) for index in chosen]
        self._family = family
        self._options = options
        self._file = reference.engine.artifact
        self._expected = {size: _predict(reference, self.images, size) for size in BATCHES}

    def parity(self, candidate: Predictor, tolerance: ToleranceOptions) -> Parity | None:
        """Compare one runtime's results with the reference's.

        Returns:
            The figures, or None if the model found nothing that could be compared.

        Raises:
            ExportError: the runtime can't run one of the batch sizes, or too many results differ.
        """
        found: dict[str, list[float]] = {}
        for size in BATCHES:
            try:
                results = _predict(candidate, self.images, size)
            except ValueError:
                raise
            except Exception as error:  # each runtime has errors of its own
                line = str(error).strip().splitlines()[-1][:300]
                raise ExportError(
                    f"{candidate.runtime} can't run {candidate.engine.artifact} with a batch of "
                    f"{size}: {line}"
                ) from error
            differences = self._family.differences(
                self._expected[size], results, self._options.floor
            )
            for name, values in differences.items():
                found.setdefault(name, []).extend(values.tolist())
        return _judge(candidate, found, tolerance, self._file, len(self.images))


def _judge(
    candidate: Predictor,
    found: dict[str, list[float]],
    tolerance: ToleranceOptions,
    reference: str,
    pictures: int,
) -> Parity | None:
    values = {name: np.array(column) for name, column in found.items()}
    limits = {name: float(getattr(tolerance, name)) for name in values}
    compared = len(next(iter(values.values())))
    if not compared:
        return None
    off = np.zeros(compared, bool)
    for name, column in values.items():
        off |= column > limits[name]
    parity = Parity(
        reference=reference,
        pictures=pictures,
        compared=compared,
        outside=int(off.sum()),
        difference={name: float(column[~off].max(initial=0)) for name, column in values.items()},
        tolerance=limits,
    )
    if parity.outside > tolerance.outside * compared:
        worst = ", ".join(
            f"{name} by {_number(column.max())} (tolerance {limits[name]:g})"
            for name, column in values.items()
        )
        raise ExportError(
            f"{candidate.engine.artifact} under {candidate.runtime} is not the model it was made "
            f"from: {parity.outside} of {compared} results on {pictures} pictures differ from "
            f"PyTorch's, at worst in {worst}"
        )
    return parity


def latency(predictor: Predictor, images: Sequence[Image], calls: int) -> Latency | None:
    """Time single pictures; None if `calls` is 0."""
    if not calls:
        return None
    inputs, _ = predictor.package.card.preprocessing(images[:1])
    network = median_ms(lambda: predictor.engine(inputs), calls)
    turn = iter(range(10**9))
    whole = median_ms(lambda: predictor([images[next(turn) % len(images)]]), calls)
    return Latency(network, whole)


def _predict(predictor: Predictor, images: Sequence[Image], size: int) -> list[Any]:
    results: list[Any] = []
    for start in range(0, len(images), size):
        results += predictor(images[start : start + size], 0.0)
    return results


def _number(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "a missing result"
