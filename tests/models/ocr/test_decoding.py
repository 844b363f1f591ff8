"""Greedy and beam decoding, likelihoods and alignments, held against plain definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.ocr.alphabet import Alphabet
from models.ocr.decoding.alignment import character_scores
from models.ocr.decoding.beam import beam_search
from models.ocr.decoding.decoder import Decoder, Settings
from models.ocr.decoding.greedy import greedy
from models.ocr.decoding.likelihood import log_likelihoods


def _random(lines: int, steps: int, classes: int, seed: int, sharp: float = 3.0) -> NDArray:
    values = np.random.default_rng(seed).normal(0, sharp, (lines, steps, classes))
    values -= np.log(np.exp(values).sum(axis=2, keepdims=True))
    return values.astype(np.float32)


def _sure(path: list[int], classes: int, high: float = 0.9) -> NDArray:
    """A line whose likeliest path is this one."""
    found = np.full((1, len(path), classes), (1 - high) / (classes - 1))
    found[0, np.arange(len(path)), path] = high
    return np.log(found).astype(np.float32)


def _collapsed(path: tuple[int, ...] | list[int], blank: int) -> tuple[int, ...]:
    return tuple(key for key, _ in itertools.groupby(path) if key != blank)


def _all_texts(log_probs: NDArray, blank: int) -> dict[tuple[int, ...], float]:
    """Every text's probability, by summing over all paths."""
    steps, classes = log_probs.shape
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=steps):
        text = _collapsed(path, blank)
        value = float(np.exp(sum(log_probs[step, one] for step, one in enumerate(path))))
        found[text] = found.get(text, 0.0) + value
    return found


@pytest.mark.parametrize("seed", range(5))
def test_greedy_is_the_collapsed_best_path(seed: int) -> None:
    log_probs = _random(17, 12, 5, seed, sharp=1.0)
    indices, scores, counts = greedy(log_probs, 4)
    best = log_probs.argmax(axis=2)
    place = 0
    for line, count in enumerate(counts.tolist()):
        assert tuple(indices[place : place + count]) == _collapsed(best[line].tolist(), 4)
        runs = [list(run) for _, run in itertools.groupby(range(12), key=lambda s: best[line, s])]
        kept = [run for run in runs if best[line, run[0]] != 4]
        expected = [max(float(np.exp(log_probs[line, s].max())) for s in run) for run in kept]
        assert scores[place : place + count] == pytest.approx(expected)
        place += count
    assert place == len(indices)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ([2, 2, 2], ""),
        ([0, 2, 0], "aa"),
        ([0, 0, 0], "a"),
        ([0, 1, 0], "aba"),
        ([1], "b"),
    ],
)
@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_small_lines(path: list[int], text: str, method: str) -> None:
    decoder = Decoder(Alphabet("ab"), Settings(method=method))
    (line,) = decoder(_sure(path, 3, 0.98))
    assert line.text == text
    assert len(line.characters) == len(text)
    assert 0.0 < line.confidence <= 1.0


def test_no_lines_at_all() -> None:
    for method in ("greedy", "beam"):
        decoder = Decoder(Alphabet("ab"), Settings(method=method))
        assert decoder(np.zeros((0, 6, 3), np.float32)) == []


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_beam_finds_the_likeliest_texts_of_all(classes: int, seed: int) -> None:
    log_probs = _random(3, 5, classes, seed, sharp=1.0)
    blank = classes - 1
    found = beam_search(log_probs, blank, width=200)
    for line in range(3):
        truth = sorted(_all_texts(log_probs[line], blank).items(), key=lambda one: -one[1])
        for place, (text, probability) in enumerate(truth[:20]):
            count = found.counts[line, place]
            assert tuple(found.characters[line, place, :count]) == text
            assert found.log_probs[line, place] == pytest.approx(np.log(probability), abs=1e-4)


def test_a_narrow_beam_is_as_good_on_a_line_as_alone() -> None:
    log_probs = _random(40, 20, 12, 0)
    together = beam_search(log_probs, 11, width=4, choices=5)
    for line in range(40):
        alone = beam_search(log_probs[line : line + 1], 11, width=4, choices=5)
        assert (together.characters[line] == alone.characters[0]).all()
        assert together.log_probs[line] == pytest.approx(alone.log_probs[0], abs=1e-5)


def test_beam_finds_what_greedy_misses() -> None:
    # The likeliest path is blank, blank; but "a" has three paths.
    log_probs = np.log(np.array([[[0.4, 0.6], [0.4, 0.6]]], np.float32))
    assert Decoder(Alphabet("a"), Settings())(log_probs)[0].text == ""
    (line,) = Decoder(Alphabet("a"), Settings(method="beam"))(log_probs)
    assert line.text == "a"
    assert line.confidence == pytest.approx(0.64)


def test_likelihoods_are_those_of_torch() -> None:
    log_probs = _random(1, 24, 11, 3)[0]
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 10, size) for size in (0, 1, 2, 8, 13)] + [np.array([4, 4, 4])]
    found = log_likelihoods(log_probs, texts, 10)
    for text, value in zip(texts, found.tolist(), strict=True):
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs)[:, None].double(),
            torch.from_numpy(text)[None],
            torch.tensor([24]),
            torch.tensor([len(text)]),
            blank=10,
            reduction="sum",
        )
        assert -float(loss) == pytest.approx(value, rel=1e-6)


def test_a_text_without_room_is_impossible() -> None:
    log_probs = _random(1, 3, 4, 0)[0]
    found = log_likelihoods(log_probs, [np.array([1, 1]), np.array([1, 1, 1])], 3)
    assert np.isfinite(found[0])
    assert found[0] > -1e20
    assert found[1] < -1e20
    assert (character_scores(log_probs, np.array([1, 1, 1]), 3) == 0).all()


@pytest.mark.parametrize("path", [[0, 2, 0], [0, 0, 1], [2, 1, 2], [2, 2, 2]])
def test_aligned_scores_are_those_of_the_path(path: list[int]) -> None:
    log_probs = _sure(path, 3, 0.9)
    text = np.array(_collapsed(path, 2), np.int64)
    assert character_scores(log_probs[0], text, 2) == pytest.approx([0.9] * len(text))


def test_a_line_is_as_sure_as_all_its_characters() -> None:
    (line,) = Decoder(Alphabet("ab"), Settings())(_sure([0, 2, 1], 3, 0.9))
    assert line.characters.tolist() == pytest.approx([0.9, 0.9])
    assert line.confidence == pytest.approx(0.81)
    (nothing,) = Decoder(Alphabet("ab"), Settings())(_sure([2, 2, 2], 3, 0.9))
    assert nothing.confidence == pytest.approx(0.9**3)


@pytest.mark.parametrize("length", [1, 64])
def test_one_character_and_sixty_four(length: int) -> None:
    text = "".join("0123456789"[place % 10] for place in range(length))
    path = [one for letter in text for one in (int(letter), 10)]
    for method in ("greedy", "beam"):
        (line,) = Decoder(Alphabet("0123456789"), Settings(method=method))(_sure(path, 11, 0.97))
        assert line.text == text
