"""What the lines of a dataset need: lengths, shapes, steps of a sequence."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from models.data.writing import DATASET
from models.images import Image
from models.ocr.data.formats import read
from models.ocr.data.options import PrepareOptions
from models.ocr.data.reading import read_split
from models.ocr.sequence import longest, steps_needed
from models.reporting import Reporter

_SHOWN = 3
_FLAT = 3.5
"""Width by height below which more than a line is in most pictures."""


@dataclass(frozen=True)
class Survey:
    """The lines of a dataset; arrays have one entry for each."""

    source: Path
    prepared: bool
    """Whether it is a prepared dataset, not raw data."""
    texts: Sequence[str]
    widths: NDArray[np.int64]
    """Pixels."""
    heights: NDArray[np.int64]
    samples: Sequence[tuple[str, Image]]
    """A few lines with their texts, of usual and of extreme shape."""

    @property
    def aspects(self) -> NDArray[np.float64]:
        """Width by height."""
        return self.widths / self.heights

    @property
    def flat(self) -> bool:
        """Whether most pictures show a line alone, not a line with bars above it."""
        return float(np.median(self.aspects)) >= _FLAT

    def widths_in(self, height: int, width: int) -> NDArray[np.float64]:
        """Width of each line in an input of this size, pixels.

        Lines keep their shape, and are squeezed if they are too wide; pictures of more than a line
        fill the input (`train.resize=stretch`): they are all of about one shape.
        """
        if self.flat:
            return np.minimum(width, height * self.aspects)
        return np.full(len(self.texts), float(width))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Characters."""
        return np.array([len(text) for text in self.texts], np.int64)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps of a CTC sequence: characters, and a blank between equal neighbours."""
        return np.array([steps_needed(text) for text in self.texts], np.int64)

    @property
    def longest(self) -> str:
        """The text that needs the most steps."""
        return longest(self.texts)

    @property
    def vocabulary(self) -> list[str]:
        """Characters by code point."""
        return sorted(set("".join(self.texts)))

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Columns and rows of what was found."""

        def row(name: str, values: NDArray[np.float64] | NDArray[np.int64]) -> list[object]:
            found = np.quantile(values, [0, 0.05, 0.5, 0.95, 1]).round(2)
            return [name, *(f"{value:g}" for value in found)]

        rows = [
            row("characters", self.lengths),
            row("steps needed", self.steps),
            row("width by height", self.aspects),
            row("width, pixels", self.widths),
            row("height, pixels", self.heights),
        ]
        return ["of a line", "least", "5 %", "median", "95 %", "most"], rows


def survey(folder: Path, reporter: Reporter) -> Survey:
    """Look at the lines of a prepared dataset or of raw OCR data.

    Args:
        folder: of the dataset.
        reporter: told about progress.

    Raises:
        ValueError: no lines in it.
    """
    prepared = (folder / DATASET).is_file()
    if prepared:
        found = _prepared(folder)
        samples = _samples(*found)
    else:
        with tempfile.TemporaryDirectory(prefix="sightline-design-") as scratch:
            raw = read(folder, PrepareOptions(), Path(scratch), reporter)
            pictures = [one for split in sorted(raw.splits) for one in raw.splits[split]]
            found = _measured([(one.file, one.text) for one in pictures if one.text])
            samples = _samples(*found)
    files, texts, sizes = found
    if not files:
        raise ValueError(f"{folder}: no line with a text in it")
    shape = np.array(sizes, np.int64)
    return Survey(folder, prepared, texts, shape[:, 1], shape[:, 0], samples)


_Found = tuple[list[Path], list[str], list[tuple[int, int]]]


def _prepared(folder: Path) -> _Found:
    files: list[Path] = []
    texts: list[str] = []
    sizes: list[tuple[int, int]] = []
    for split in ("train", "val", "test"):
        if not (folder / split).is_dir():
            continue
        lines = read_split(folder, split)
        files += [lines.folder / file for file in lines.files]
        texts += lines.texts
        sizes += lines.sizes
    return files, texts, sizes


def _measured(lines: Sequence[tuple[Path, str]]) -> _Found:
    """Read the sizes from the files' heads; what can't be read doesn't count."""
    files, texts, sizes = [], [], []
    for file, text in lines:
        try:
            with Pillow.open(file) as image:
                width, height = image.size
        except OSError:
            continue
        files.append(file)
        texts.append(text)
        sizes.append((height, width))
    return files, texts, sizes


def _samples(
    files: Sequence[Path], texts: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> list[tuple[str, Image]]:
    """Open the median, the widest and the densest line."""
    if not files:
        return []
    shape = np.array(sizes, np.float64)
    aspects = shape[:, 1] / shape[:, 0]
    dense = np.array([steps_needed(text) for text in texts]) / aspects
    order = np.argsort(aspects, kind="stable")
    picked = dict.fromkeys([int(order[len(order) // 2]), int(order[-1]), int(dense.argmax())])
    found = []
    for index in list(picked)[:_SHOWN]:
        try:
            with Pillow.open(files[index]) as image:
                found.append((texts[index], np.asarray(image.convert("RGB"), np.uint8)))
        except OSError:
            continue
    return found


def counted(values: NDArray[np.int64]) -> dict[int, int]:
    """How often each value occurs, in order."""
    return dict(sorted(Counter(values.tolist()).items()))
