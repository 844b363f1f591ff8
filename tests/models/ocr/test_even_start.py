"""The even start: what it asks for, how it fades, and that reading begins sooner with it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from models.ocr.alphabet import Alphabet
from models.ocr.dataset import Pictures, collate
from models.ocr.even_start import even_loss
from models.ocr.labels import read_lines
from models.ocr.train import preprocessing_of
from models.training.options import CacheOptions
from models.training.picture_cache import PictureCache
from tests.models.ocr.conftest import quick_options, run_training
from tests.models.ocr.test_reading_training import Watcher

TEXT = torch.tensor([0, 1, 2])


def answers(columns: list[int], sure: float = 0.9) -> torch.Tensor:
    """What a network says that is as sure of one of three characters in each column."""
    chances = torch.full((len(columns), 4), (1 - sure) / 3)
    for place, character in enumerate(columns):
        chances[place, character] = sure
    return chances.log()[None]


def loss(columns: list[int], span: tuple[float, float] = (0.0, 1.0)) -> float:
    """The loss of the text 0, 1, 2."""
    found = even_loss(answers(columns), TEXT, torch.tensor([3]), torch.tensor([span]))
    return float(found)


def test_the_text_spread_evenly_is_best() -> None:
    assert loss([0, 0, 0, 1, 1, 1, 2, 2, 2]) < loss([0, 0, 0, 0, 0, 1, 1, 1, 2])
    assert loss([0, 0, 0, 1, 1, 1, 2, 2, 2]) < loss([2, 2, 2, 1, 1, 1, 0, 0, 0])


def test_a_column_on_a_character_wants_it_and_its_neighbours_a_little() -> None:
    # Three columns for three characters: each lies on one, a whole character from the next.
    near = math.exp(-0.5 / 0.6**2)
    far = math.exp(-0.5 * 4 / 0.6**2)
    right, wrong = math.log(0.9 / (0.9 + 0.2 / 3)), math.log((0.1 / 3) / (0.9 + 0.2 / 3))
    ends = (right + (near + far) * wrong) / (1 + near + far)
    middle = (right + 2 * near * wrong) / (1 + 2 * near)
    assert loss([0, 1, 2]) == pytest.approx(-(2 * ends + middle) / 3, rel=1e-5)


def test_only_columns_inside_the_picture_count() -> None:
    assert loss([2, 2, 0, 1, 2, 0, 0], (2 / 7, 5 / 7)) == pytest.approx(loss([0, 1, 2]), rel=1e-5)


def test_blanks_are_left_aside() -> None:
    certain = answers([0, 1, 2])
    unsure = certain.clone()
    unsure[..., 3] += 5.0
    unsure = unsure.log_softmax(-1)
    lengths, whole = torch.tensor([3]), torch.tensor([[0.0, 1.0]])
    same = even_loss(unsure, TEXT, lengths, whole)
    assert float(same) == pytest.approx(float(even_loss(certain, TEXT, lengths, whole)), rel=1e-5)


def test_lines_of_several_lengths_and_without_text() -> None:
    batch = torch.cat([answers([0, 1, 2]), answers([2, 2, 2]), answers([1, 1, 1])])
    whole = torch.tensor([[0.0, 1.0]] * 3)
    found = even_loss(batch, torch.tensor([0, 1, 2, 2]), torch.tensor([3, 0, 1]), whole)
    one = even_loss(answers([1, 1, 1]), torch.tensor([2]), torch.tensor([1]), whole[:1])
    assert float(found) == pytest.approx((loss([0, 1, 2]) + float(one)) / 2, rel=1e-5)
    none = even_loss(
        answers([1]), torch.tensor([], dtype=torch.int64), torch.tensor([0]), whole[:1]
    )
    assert float(none) == 0.0


def test_batches_say_where_the_pictures_lie(lines: Path, tmp_path: Path) -> None:
    split, preprocessing = read_lines(lines, "train"), preprocessing_of(quick_options())
    cache = PictureCache(CacheOptions(where="none"), tmp_path)
    pictures = Pictures(split, Alphabet("0147"), preprocessing, cache)
    batch = collate([pictures[index] for index in range(4)])
    for image, (begin, end) in zip(batch["images"], batch["spans"].tolist(), strict=True):
        padding = (image == torch.tensor(preprocessing.fill)).all(2).all(0)
        left, right = round(begin * image.shape[1]), round(end * image.shape[1])
        assert padding[:left].all() and padding[right:].all()
        assert 0 <= left < right <= image.shape[1]
        assert not padding[left:right].all()


class Curves(Watcher):
    """Keeps the curves too."""

    def __init__(self) -> None:
        super().__init__()
        self.scalars: list[tuple[str, str, float]] = []

    def scalar(self, title: str, series: str, value: float, step: int) -> None:
        """Keep a point."""
        self.scalars.append((title, series, value))


def test_it_fades_and_reading_begins_sooner(lines: Path, tmp_path: Path) -> None:
    with_it, without = Curves(), Curves()
    for share, curves in ((0.5, with_it), (0.0, without)):
        run_training(lines, tmp_path / f"{share}", quick_options(even_start=share), curves)

    def curve(curves: Curves, name: str) -> list[float]:
        return [value for _, series, value in curves.scalars if series == name]

    guided = curve(with_it, "even")
    assert guided and guided[0] > guided[-1] >= 0.0
    assert not curve(without, "even")
    ours, theirs = curve(with_it, "ctc"), curve(without, "ctc")
    assert sum(ours) < sum(theirs)
