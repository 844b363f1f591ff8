"""Small pictures in class folders that a tiny network learns in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.classification.data.options import PrepareOptions
from models.classification.data.prepare import prepare
from models.reporting import Silence

COLOURS = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (220, 50, 40)}
TINY: dict[str, Any] = {
    "network": {"name": "test_resnet", "image_size": 32},
    "epochs": 2,
    "batch_size": 8,
    "precision": "float32",
    "threads": 1,
    "device": "cpu",
    "optimizer": {"lr": 0.01},
    "ema": {"decay": 0.0},
    "samples": {"count": 0},
}
"""Training options for a network of 0.5 M parameters."""


class Notes(Silence):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: dict[str, list[Any]] = {}
        self.images: list[str] = []
        self.figures: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def table(self, title: str, series: str, columns: Any, rows: Any, step: int = 0) -> None:
        self.tables[f"{title} {series}".strip()] = list(rows)

    def image(self, title: str, series: str, image: Any, step: int) -> None:
        assert image.dtype == np.uint8 and image.ndim == 3
        self.images.append(f"{title}/{series}")

    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
        figure.to_json()
        self.figures.append(f"{title}/{series}")


def patch(colour: tuple[int, int, int], seed: int, side: int = 40) -> np.ndarray[Any, Any]:
    """Draw a disc of a colour on a noisy ground."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 120, (side, side, 3), dtype=np.uint8)
    place = tuple(int(v) for v in rng.integers(side // 4, 3 * side // 4, 2))
    cv2.circle(image, place, int(rng.integers(side // 6, side // 3)), colour, -1)
    return image


def save(file: Path, image: np.ndarray[Any, Any]) -> None:
    """Write RGB pixels."""
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), image[..., ::-1])


def write_classes(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    """Write class folders of discs, so many of each colour."""
    for name, count in counts.items():
        for number in range(count):
            seed = first + 1000 * sorted(COLOURS).index(name) + number
            save(folder / name / f"{number}.png", patch(COLOURS[name], seed))
    return folder


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a prepared dataset of three colours."""
    raw = write_classes(tmp_path_factory.mktemp("raw"), dict.fromkeys(COLOURS, 24))
    target = tmp_path_factory.mktemp("colours") / "dataset"
    options = PrepareOptions.model_validate({"split": {"ratios": [0.5, 0.25, 0.25], "seed": 83}})
    prepare(raw, target, options, Silence())
    return target
