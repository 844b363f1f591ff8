"""Debug pictures show exactly what the network was given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detection.learner import DetectionLearner
from models.detection.options import TrainOptions
from models.detection.train import learn
from models.outcomes import Checkpoints
from tests.models.detection.conftest import Notes


class Shown(Notes):
    """Keeps the augmented pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: dict[int, list[Any]] = {}

    def image(self, title: str, series: str, image: Any, step: int) -> None:
        if title == "augmented batch":
            self.pictures.setdefault(step, []).append(image)


def test_augmented_batches_are_shown_as_the_network_sees_them(
    shapes: Path,
    tiny: Callable[..., TrainOptions],
    saving: Callable[..., Checkpoints],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    original = DetectionLearner.losses

    def losses(self: DetectionLearner, batch: Any) -> Any:
        seen.append(batch["images"].numpy().copy())
        return original(self, batch)

    monkeypatch.setattr(DetectionLearner, "losses", losses)
    shown = Shown()
    options = tiny(
        epochs=4,
        network={"image_size": 96},
        augmentation={"mosaic": 0.8, "multiscale": 0.4, "photometric": 0.5, "mixup": 0.3},
        samples={"count": 3, "every": 1},
    )
    learn(shapes, options, saving(), shown)
    steps = len(seen) // 4
    assert sorted(shown.pictures) == [1, 2, 3, 4]
    for epoch, pictures in shown.pictures.items():
        batch = seen[(epoch - 1) * steps]
        assert len(pictures) == 3
        for picture, pixels in zip(pictures, batch, strict=False):
            assert picture.shape == pixels.shape
            same = (picture == pixels).all(axis=2)
            # Outlines and captions cover a part; nothing else differs.
            assert same.mean() > 0.4
    assert len({pictures[0].shape for pictures in shown.pictures.values()}) > 1
    assert not np.array_equal(seen[0], seen[steps])
