"""A tiny labelled world: squares and discs on noise, and the smallest training on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from models.detection.options import TrainOptions
from models.outcomes import Checkpoints

TINY: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 4,
    "device": "cpu",
    "precision": "float32",
    "workers": 0,
    "network": {
        "backbone": "test_resnet",
        "image_size": 64,
        "levels": 2,
        "hidden_width": 32,
        "decoder_layers": 2,
        "queries": 10,
        "denoising_queries": 8,
    },
    "samples": {"count": 0},
    "ema": {"decay": 0.9, "warmup": 2},
}


def write_shapes(folder: Path, sizes: dict[str, int], empty: bool = False) -> Path:
    """Write a prepared dataset folder; its category ids have a gap."""
    for split, count in sizes.items():
        (folder / split / "data").mkdir(parents=True)
        images, annotations = [], []
        for index in range(count):
            rng = np.random.default_rng([index, len(split)])
            picture = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
            for _ in range(0 if empty else int(rng.integers(0, 4))):
                label, size = int(rng.integers(0, 2)), int(rng.integers(15, 36))
                x, y = int(rng.integers(0, 90)), int(rng.integers(0, 60))
                if label:
                    centre = (x + size // 2, y + size // 2)
                    cv2.circle(picture, centre, size // 2, (255, 80, 80), -1)
                else:
                    cv2.rectangle(picture, (x, y), (x + size, y + size), (80, 255, 80), -1)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": index,
                        "category_id": (3, 7)[label],
                        "bbox": [x, y, size, size],
                        "area": size * size,
                        "iscrowd": 0,
                    }
                )
            name = f"{index:03}.png"
            cv2.imwrite(str(folder / split / "data" / name), picture)
            images.append({"id": index, "file_name": name, "width": 128, "height": 96})
        categories = [{"id": 3, "name": "square"}, {"id": 7, "name": "disc"}]
        labels = {"images": images, "annotations": annotations, "categories": categories}
        (folder / split / "labels.json").write_text(json.dumps(labels))
    description = {"family": "detection", "classes": ["square", "disc"], "category_ids": [3, 7]}
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


@dataclass
class Notes:
    """A reporter that remembers."""

    scalars: list[tuple[str, str, float, int]] = field(default_factory=list)
    images: list[tuple[str, str, int]] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)
    tables: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    progressed: list[tuple[str, int, int]] = field(default_factory=list)

    def scalar(self, title: str, series: str, value: float, step: int) -> None:
        self.scalars.append((title, series, value, step))

    def value(self, name: str, value: float) -> None: ...

    def image(self, title: str, series: str, image: Any, step: int) -> None:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        self.images.append((title, series, step))

    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
        json.dumps(json.loads(figure.to_json()), allow_nan=False)
        self.figures.append((title, series))

    def table(self, title: str, series: str, columns: Any, rows: Any, step: int = 0) -> None:
        assert all(len(row) == len(columns) for row in rows)
        self.tables.append((title, series))

    def log(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, description: str, done: int, total: int) -> None:
        self.progressed.append((description, done, total))

    def curve(self, title: str, series: str) -> list[tuple[int, float]]:
        return [(p[3], p[2]) for p in self.scalars if p[:2] == (title, series)]


class Killed(BaseException):
    """Stands for kill -9: nothing may be done about it."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"train": 22, "val": 8, "test": 6}
    return write_shapes(tmp_path_factory.mktemp("shapes") / "dataset", sizes)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def tiny() -> Callable[..., TrainOptions]:
    """Make options of the smallest training; nested tables are merged."""

    def options(**changes: Any) -> TrainOptions:
        merged = dict(TINY)
        for name, value in changes.items():
            old = merged.get(name)
            both = isinstance(value, dict) and isinstance(old, dict)
            merged[name] = {**old, **value} if both else value  # type: ignore[dict-item]
        return TrainOptions.model_validate(merged)

    return options


@pytest.fixture
def saving(tmp_path: Path) -> Callable[..., Checkpoints]:
    """Make a place for checkpoints; `kill_at` ends the process at that save."""

    def checkpoints(
        name: str = "run", resume: Path | None = None, kill_at: int = 0, **more: Any
    ) -> Checkpoints:
        count = 0

        def saved(file: Path) -> None:
            nonlocal count
            count += 1
            if count == kill_at:
                raise Killed

        return Checkpoints(tmp_path / name, resume, saved, **more)

    return checkpoints
