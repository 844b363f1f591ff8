"""Synthetic rice: the same again, and no task for a linear model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.classification.data.formats import read
from models.classification.synthetic.grains import VARIETIES, draw_grain
from models.classification.synthetic.options import RiceOptions
from models.classification.synthetic.rice import synthesize
from models.reporting import Silence


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    for name, workers in (("a", 1), ("b", 3)):
        options = RiceOptions(pictures=4, side=32, workers=workers)
        facts = synthesize(options, tmp_path / name, Silence())
    assert facts["pictures"] == 20
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.jpg"))
    assert len(files) == 20 and str(files[0]) == "Arborio/Arborio (1).jpg"
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert read(tmp_path / "a").classes == [one.name for one in VARIETIES]


def grains(count: int, seed: int, **options: Any) -> tuple[Any, Any]:
    settings = {"overlap": 0.5, "light": 1.0, **options}
    images = [
        draw_grain(variety, 48, rng=np.random.default_rng([seed, kind, i]), **settings)
        for kind, variety in enumerate(VARIETIES)
        for i in range(count)
    ]
    return np.array(images), np.repeat(np.arange(5), count)


def test_logistic_regression_on_raw_pixels_fails() -> None:
    from sklearn.linear_model import LogisticRegression

    def pixels(images: Any) -> Any:
        small = [cv2.resize(one, (16, 16), interpolation=cv2.INTER_AREA) for one in images]
        return np.array(small).reshape(len(images), -1) / 255

    train, truth = grains(120, 0)
    test, wanted = grains(40, 1)
    model = LogisticRegression(max_iter=200).fit(pixels(train), truth)
    assert 0.2 < model.score(pixels(test), wanted) < 0.72


@pytest.mark.parametrize(("option", "value"), [("overlap", 2.5), ("light", 0.0)])
def test_options_have_an_effect(option: str, value: float) -> None:
    usual, _ = grains(6, 0)
    other, _ = grains(6, 0, **{option: value})
    assert not np.array_equal(usual, other)
    if option == "light":
        grounds = [images[:, 0, 0].astype(int).std() for images in (usual, other)]
        assert grounds[1] < grounds[0] / 3


def test_varieties_differ_as_the_real_ones_do() -> None:
    by_name = {one.name: one for one in VARIETIES}
    slender = sorted(by_name, key=lambda name: by_name[name].slenderness[0])
    assert slender[0] == "Karacadag" and slender[-1] == "Basmati"
    assert max(by_name, key=lambda name: by_name[name].chalk[0]) == "Arborio"
    assert max(by_name, key=lambda name: by_name[name].glassiness[0]) == "Jasmine"
