"""Run a reader's package over a split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.ocr.data.reading import Lines
from models.ocr.dataset import read_line
from models.ocr.labels import read_lines
from models.package import ModelCard
from models.package.card import Precision
from models.reporting import Reporter


def lines_for(card: ModelCard, dataset: Path, split: str) -> Lines:
    """Read a split for a model.

    Raises:
        ValueError: it has no lines, or characters that the model doesn't know.
    """
    lines = read_lines(dataset, split)
    if not len(lines):
        raise ValueError(f"the split '{split}' of {dataset} has no lines")
    known = set(card.class_names)
    unknown = sorted({letter for text in lines.texts for letter in text} - known)
    if unknown:
        raise ValueError(
            f"the texts of {dataset} have the characters {', '.join(unknown[:12])}, which the "
            f"model doesn't know; prepare the dataset with the model's vocabulary"
        )
    return lines


def log_probs_of(
    package: Path,
    lines: Lines,
    reporter: Reporter,
    runtime: str,
    batch_size: int,
    precision: Precision | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Run the network over a split, a batch after the other.

    Returns:
        Logarithms of probabilities, (lines, steps, classes), of each batch.
    """
    from models.runtimes import load_predictor

    with load_predictor(
        package, runtime=runtime, batch_size=batch_size, precision=precision
    ) as predictor:
        for start in range(0, len(lines), batch_size):
            end = min(start + batch_size, len(lines))
            outputs, _ = predictor.raw([read_line(lines, index) for index in range(start, end)])
            yield outputs[0]
            reporter.progress("reading", end, len(lines))
