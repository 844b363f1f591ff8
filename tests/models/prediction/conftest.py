"""Sources of every kind, real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.prediction import PredictionOptions
from models.prediction.predict import Predicted, predict
from models.reporting import Silence


def write_video(
    path: Path, frames: int, size: tuple[int, int] = (64, 48), rate: float = 10
) -> Path:
    """Write a video with a square that moves; the codec goes by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), rate, size)
    for number in range(frames):
        frame = np.full((size[1], size[0], 3), 128, np.uint8)
        frame[10:26, number % 40 : number % 40 + 16] = (30, 30, 220)
        writer.write(frame)
    writer.release()
    return path


@dataclass
class Case:
    """Runs `predict` into a folder of the test."""

    package: Path
    out: Path
    lines: list[str]

    def __call__(
        self,
        *words: Path | str,
        stop: Callable[[], bool] = lambda: False,
        save: Sequence[str] = ("jsonl",),
        listed: Sequence[str] | None = None,
        **options: object,
    ) -> Predicted:
        self.lines.clear()
        given = {"runtime": "torch", "device": "cpu", "threads": 1, "save": save, **options}
        return predict(
            self.package,
            [str(word) for word in words],
            self.out,
            PredictionOptions.model_validate(given),
            Silence(),
            listed=listed,
            on_problem=self.lines.append,
            stop=stop,
        )

    def files(self) -> list[str]:
        """List the results, without the list of them."""
        found = (p.relative_to(self.out).as_posix() for p in self.out.rglob("*") if p.is_file())
        return sorted(name for name in found if not name.startswith("."))


@pytest.fixture
def run(untrained_package: Path, tmp_path: Path) -> Case:
    """Predicts with an untrained model: always something found, and at once."""
    return Case(untrained_package, tmp_path / "out", [])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures in two folders."""
    random = np.random.default_rng(1)
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, shape in (("a.jpg", (48, 64)), ("a.png", (64, 48)), ("sub/a.jpg", (40, 40))):
        pixels = random.integers(0, 255, (*shape, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), pixels)
    return folder
