"""Training a reader: it learns, resumes to the bit, and refuses what doesn't do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.ocr.options import TrainOptions
from models.outcomes import TrainingOutcome
from models.package import ModelPackage
from models.package.weights import read_weights
from models.reporting import Image
from models.runtimes import load_predictor
from tests.models.ocr.conftest import (
    SMALL_CRNN,
    SMALL_SVTR,
    MakeLines,
    draw_texts,
    quick_options,
    run_training,
)


class Watcher:
    """Keeps what a training says and shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.images: list[tuple[str, str, int, Image]] = []

    def log(self, message: str) -> None:
        """Keep a line."""
        self.lines.append(message)

    def image(self, title: str, series: str, image: Image, step: int) -> None:
        """Keep a picture."""
        self.images.append((title, series, step, image))

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: None


def test_it_learns_and_ships(taught: TrainingOutcome) -> None:
    assert taught.metrics["exact_match"] >= 0.8
    card = ModelPackage.load(taught.package).card
    assert card.family == "ocr"
    assert card.class_names == ("0", "1", "4", "7")
    assert card.postprocessing["blank"] == 4
    assert card.outputs[0].shape == ("batch", 16, 5)
    assert card.input.shape == ("batch", 16, 64, 3)


@pytest.mark.parametrize("network", [SMALL_SVTR, SMALL_CRNN], ids=["svtr", "crnn"])
def test_a_cut_training_ends_the_same(network: dict[str, Any], lines: Path, tmp_path: Path) -> None:
    options = quick_options(network=network, epochs=3, max_steps=24)
    whole = run_training(lines, tmp_path / "whole", options)
    asked = iter([False] * 10 + [True] * 1000)
    cut = run_training(lines, tmp_path / "cut", options, stop_requested=lambda: next(asked))
    assert cut.interrupted
    on = run_training(lines, tmp_path / "cut", options, resume=tmp_path / "cut" / "last.ckpt")
    assert on.metrics == whole.metrics
    one, other = (read_weights(ModelPackage.load(done.package)) for done in (whole, on))
    assert all((one[name] == other[name]).all() for name in one)


def test_debug_samples(lines: Path, tmp_path: Path) -> None:
    watcher = Watcher()
    options = quick_options(epochs=2, max_steps=4, samples={"count": 4, "every": 1})
    run_training(lines, tmp_path / "run", options, watcher)
    titles = {(title, step) for title, _, step, _ in watcher.images}
    assert ("augmented batch", 1) in titles
    assert ("truth and reading", 1) in titles
    assert all(image.std() > 1 for *_, image in watcher.images)
    assert any("4 characters, left-to-right" in line for line in watcher.lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network": {**SMALL_SVTR, "stride": 8}}, "the output sequence is too short: 8 steps"),
        ({"vocabulary": "014"}, r"texts also have '7' \(U\+0037\)"),
        ({"decoding": {"symbology": "itf14"}, "network": {**SMALL_SVTR, "width": 48}}, "14 digits"),
    ],
)
def test_refused_before_the_start(
    given: dict[str, Any], message: str, lines: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        run_training(lines, tmp_path / "run", quick_options(**given))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": [], "val": ["1"]}, "the train split has no lines"),
        ({"train": ["1"], "val": []}, "the val split has no lines"),
        ({"train": ["", ""], "val": ["1"]}, "all texts of the train split are empty"),
    ],
)
def test_datasets_that_do_not_do(
    splits: dict[str, list[str]], message: str, make_lines: MakeLines, tmp_path: Path
) -> None:
    dataset = make_lines(tmp_path / "set", splits, vocabulary="1")
    with pytest.raises(ValueError, match=message):
        run_training(dataset, tmp_path / "run", quick_options())


def test_another_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"family": "detection"}))
    with pytest.raises(ValueError, match="is a dataset for detection, not for ocr"):
        run_training(tmp_path, tmp_path / "run", quick_options())


@pytest.mark.parametrize(
    ("given", "effect"),
    [
        ({"label_smoothing": 0.2}, "weights"),
        ({"resize": "stretch"}, "weights"),
        ({"network": {**SMALL_SVTR, "dropout": 0.5}}, "weights"),
        ({"augmentation": {"invert": 1.0}}, "weights"),
        ({"optimizer": {"lr": 3e-3, "backbone_lr_factor": 0.1}}, "weights"),
        ({"vocabulary": "0147x"}, "classes"),
        ({"direction": "right-to-left"}, "postprocessing"),
        ({"decoding": {"method": "beam"}}, "postprocessing"),
    ],
    ids=str,
)
def test_every_option_has_an_effect(
    given: dict[str, Any], effect: str, lines: Path, tmp_path: Path
) -> None:
    plain = run_training(lines, tmp_path / "plain", quick_options(epochs=1, max_steps=2))
    other = run_training(lines, tmp_path / "other", quick_options(epochs=1, max_steps=2, **given))
    packages = [ModelPackage.load(done.package) for done in (plain, other)]
    if effect == "weights":
        one, two = (read_weights(package) for package in packages)
        assert any((one[name] != two[name]).any() for name in one)
    else:
        assert getattr(packages[0].card, effect) != getattr(packages[1].card, effect)


def test_right_to_left_and_unicode_lines(make_lines: MakeLines, tmp_path: Path) -> None:
    """Hebrew letters with numbers inside: the reading comes in logical order."""
    rng = np.random.default_rng(0)
    texts = [
        "".join(rng.choice(["\u05d0", "\u05e9"], 3)) + "".join(rng.choice(["1", "7"], 2))
        for _ in range(96)
    ]
    dataset = make_lines(tmp_path / "set", {"train": texts, "val": texts[:16]})
    options = quick_options(epochs=1, max_steps=2)
    done = run_training(dataset, tmp_path / "run", options)
    card = ModelPackage.load(done.package).card
    assert card.postprocessing["direction"] == "right-to-left"
    assert card.class_names == ("1", "7", "\u05d0", "\u05e9")
    with load_predictor(done.package) as predictor:
        assert len(predictor([np.zeros((20, 60, 3), np.uint8)])) == 1


def test_a_line_of_one_character_and_one_of_sixty_four(
    make_lines: MakeLines, tmp_path: Path
) -> None:
    texts = ["7", "01" * 32, *draw_texts(30, 4)]
    dataset = make_lines(tmp_path / "set", {"train": texts, "val": texts})
    options = quick_options(epochs=1, max_steps=2, network={**SMALL_SVTR, "width": 256})
    assert run_training(dataset, tmp_path / "run", options).epochs == 1


def test_refused_vocabulary() -> None:
    with pytest.raises(ValueError, match="has '1' twice"):
        TrainOptions(vocabulary="121")
