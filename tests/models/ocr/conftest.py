"""Small sets of lines, and a reader that was taught on one for a few seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from models.ocr.options import TrainOptions
from models.outcomes import Checkpoints, TrainingOutcome
from models.reporting import Silence

MakeLines = Callable[..., Path]

LETTERS = "0147"
"""Few enough characters to learn them in seconds."""


@pytest.fixture(scope="session")
def make_lines() -> MakeLines:
    """Write a prepared dataset folder of printed lines."""
    return _make_lines


def draw_texts(count: int, seed: int, length: tuple[int, int] = (3, 6)) -> list[str]:
    """Draw texts of a few digits."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(length[0], length[1] + 1, count)
    return ["".join(rng.choice(list(LETTERS), size)) for size in lengths]


def _make_lines(
    folder: Path, splits: dict[str, Sequence[str]], vocabulary: str | None = None
) -> Path:
    rng = np.random.default_rng(0)
    letters: set[str] = set()
    for split, texts in splits.items():
        (folder / split / "data").mkdir(parents=True)
        rows = []
        for number, text in enumerate(texts):
            image = _line(text, int(rng.integers(14, 26)), rng)
            file = f"data/{number:05}.png"
            image.save(folder / split / file)
            letters |= set(text)
            rows.append(
                {
                    "file": file,
                    "text": text,
                    "symbology": "ean13" if len(text) == 13 else None,
                    "width": image.width,
                    "height": image.height,
                }
            )
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / split / "labels.jsonl").write_text(content, encoding="utf-8")
    description = {
        "family": "ocr",
        "classes": [],
        "vocabulary": sorted(vocabulary if vocabulary is not None else letters),
        "longest": max((len(text) for texts in splits.values() for text in texts), default=0),
        "pictures": {split: len(texts) for split, texts in splits.items()},
    }
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


def _line(text: str, size: int, rng: np.random.Generator) -> Pillow.Image:
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text or " ")
    room = int(rng.integers(2, 6))
    size_of = (max(8, round(right - left)) + 2 * room, max(8, round(bottom - top)) + 2 * room)
    paper = int(rng.integers(200, 256))
    image = Pillow.new("RGB", size_of, (paper, paper, paper))
    ink = int(rng.integers(0, 60))
    ImageDraw.Draw(image).text((room - left, room - top), text, (ink, ink, ink), font)
    return image


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of short lines."""
    texts = {"train": draw_texts(192, 1), "val": draw_texts(48, 2), "test": draw_texts(48, 3)}
    return _make_lines(tmp_path_factory.mktemp("lines") / "set", texts)


SMALL_SVTR = {
    "name": "svtr",
    "width": 64,
    "height": 16,
    "rates": [1, 1],
    "widths": [32, 32, 48],
    "depths": [1, 1, 1],
    "attention": 1,
    "dropout": 0,
}
SMALL_CRNN = {
    "name": "crnn",
    "width": 64,
    "height": 16,
    "backbone": "resnet10t",
    "stage": 1,
    "recurrent": "gru",
    "features": 32,
    "hidden": 32,
    "dropout": 0,
}


def quick_options(**given: Any) -> TrainOptions:
    """Options of a training that takes seconds."""
    calm = {"coarse": 0, "blur": 0, "shadow": 0, "perspective": 0, "noise": 0}
    return TrainOptions.model_validate(
        {
            "epochs": 9,
            "batch_size": 16,
            "precision": "float32",
            "device": "cpu",
            "threads": 1,
            "network": SMALL_SVTR,
            "optimizer": {"lr": 3e-3},
            "ema": {"decay": 0.9},
            "augmentation": {**calm, "stretch": 0.05, "shift": 0.05},
            "samples": {"count": 0},
            **given,
        }
    )


def run_training(
    dataset: Path, folder: Path, options: TrainOptions, reporter: Any = None, **place: Any
) -> TrainingOutcome:
    """Train without a server."""
    from models.families import family

    where = Checkpoints(folder, place.pop("resume", None), lambda _: None, **place)
    return family("ocr").train(dataset, options, where, reporter or Silence())


@pytest.fixture(scope="session")
def taught(lines: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    """A reader of short lines that reads nearly all of them."""
    return run_training(lines, tmp_path_factory.mktemp("taught"), quick_options())
