"""From a training's weights to its package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.outcomes import Checkpoints
from models.training import shipping
from models.training.files import BEST
from models.training.loop import Fitted

FITTED = Fitted({"w": torch.ones(2)}, {"figure": 0.5}, 2, 3, 1.5, True)


def test_the_package_takes_an_earlier_ones_place(tmp_path: Path) -> None:
    old = tmp_path / "package" / "old"
    old.parent.mkdir()
    old.touch()

    def save(package: Path, weights: Path) -> None:
        package.mkdir()
        (package / "told").write_text(str(load_file(weights)["w"].tolist()))

    done = shipping.ship(FITTED, Checkpoints(tmp_path, None, lambda _: None), save)
    assert [path.name for path in done.package.iterdir()] == ["told"]
    assert (done.package / "told").read_text() == "[1.0, 1.0]"
    assert (done.metrics, done.best_epoch, done.epochs) == ({"figure": 0.5}, 2, 3)
    assert (done.seconds, done.interrupted) == (1.5, True)


def test_of_several_processes_the_first_one_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "first_process", lambda: False)
    asked: list[Path] = []
    checkpoints = Checkpoints(tmp_path, None, lambda _: None)
    shipping.ship(FITTED, checkpoints, lambda package, _: asked.append(package))
    assert not asked and not (tmp_path / BEST).exists()
