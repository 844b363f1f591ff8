"""Figures of readings: the same as rapidfuzz's and torchmetrics', to the last digit."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torchmetrics.functional.text as reference

from models.ocr.metrics.coverage import coverage_curve, most_precise, threshold_for
from models.ocr.metrics.edits import confusions, edit_distances
from models.ocr.metrics.figures import (
    by_character,
    by_length,
    confusion_table,
    figures_of,
    line_figures,
)


def _pairs(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    letters = list("0123456789ab\u05d0\u4e2d")
    truths, texts = [], []
    for _ in range(count):
        truth = list(rng.choice(letters, rng.integers(1, 14)))
        text = [letter for letter in truth if rng.random() > 0.1]
        text = [str(rng.choice(letters)) if rng.random() < 0.1 else letter for letter in text]
        if rng.random() < 0.2:
            text.insert(int(rng.integers(0, len(text) + 1)), str(rng.choice(letters)))
        truths.append("".join(truth))
        texts.append("".join(text))
    return truths, texts


def _levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, sign in enumerate(other, start=1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != sign)),
            )
    return row[-1]


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_references(seed: int) -> None:
    truths, texts = _pairs(200, seed)
    distances = edit_distances(truths, texts)
    assert distances.tolist() == [_levenshtein(*pair) for pair in zip(truths, texts, strict=True)]
    found = line_figures(truths, texts)
    assert np.float32(found["cer"]) == reference.char_error_rate(texts, truths).numpy()
    mean = reference.edit_distance(texts, truths, reduction="mean")
    assert np.float32(found["edit_distance"]) == mean.numpy()
    assert found["exact_match"] == np.mean([a == b for a, b in zip(truths, texts, strict=True)])


@pytest.mark.parametrize(
    ("truths", "texts", "expected"),
    [
        (["01"], ["01"], {"exact_match": 1.0, "cer": 0.0, "edit_distance": 0.0}),
        (["01"], ["1"], {"exact_match": 0.0, "cer": 0.5, "edit_distance": 1.0}),
        (["01"], [""], {"exact_match": 0.0, "cer": 1.0, "edit_distance": 2.0}),
        (["1"], ["1234"], {"exact_match": 0.0, "cer": 3.0, "character_accuracy": -2.0}),
        (["", "1"], ["", "1"], {"exact_match": 1.0, "cer": 0.0}),
    ],
)
def test_small_cases(truths: list[str], texts: list[str], expected: dict[str, float]) -> None:
    found = line_figures(truths, texts)
    assert {name: found[name] for name in expected} == expected


def test_nothing_to_measure() -> None:
    assert np.isnan(line_figures([], [])["exact_match"])
    assert np.isnan(figures_of(np.array([1]), np.array([0]))["cer"])


def test_what_was_read_as_what() -> None:
    found = confusions(["8123", "55"], ["3123", "5"])
    assert found["8", "3"] == 1
    assert found["5", ""] == 1
    assert sum(count for (one, _), count in found.items() if one) == 6
    inserted = confusions(["1"], ["19"])
    assert inserted == Counter({("1", "1"): 1, ("", "9"): 1})


@pytest.mark.parametrize("seed", range(2))
def test_confusions_add_up(seed: int) -> None:
    truths, texts = _pairs(100, seed)
    letters, table = confusion_table(truths, texts)
    assert table.sum() - np.trace(table) == edit_distances(truths, texts).sum()
    for place, letter in enumerate(letters[:-1]):
        assert table[place].sum() == sum(text.count(letter) for text in truths)
        assert table[:, place].sum() == sum(text.count(letter) for text in texts)
    rows = by_character(truths, texts)
    assert [row["class"] for row in rows] == letters[:-1]
    assert sum(row["right"] for row in rows) == np.trace(table)


def test_rows_by_length() -> None:
    rows = by_length(["1", "2", "12"], ["1", "3", "12"])
    assert [(row["characters"], row["lines"], row["exact_match"]) for row in rows] == [
        (1, 2, 0.5),
        (2, 1, 1.0),
    ]


def test_the_threshold_accepts_the_most_at_the_wanted_precision() -> None:
    right = [True, True, False, True, True, False]
    sure = [0.99, 0.9, 0.8, 0.7, 0.6, 0.5]
    curve = coverage_curve(right, sure)
    assert curve.precision.tolist() == pytest.approx([1, 1, 2 / 3, 3 / 4, 4 / 5, 4 / 6])
    chosen = threshold_for(curve, 0.8)
    assert chosen is not None
    assert (chosen.coverage, chosen.precision) == (pytest.approx(5 / 6), pytest.approx(0.8))
    assert 0.5 < chosen.threshold < 0.6
    exact = threshold_for(curve, 1.0)
    assert exact is not None
    assert exact.coverage == pytest.approx(2 / 6)
    best = most_precise(curve)
    assert best == exact
    assert threshold_for(coverage_curve([False], [0.4]), 0.5) is None
    assert most_precise(coverage_curve([], [])) is None


def test_equal_confidences_go_together() -> None:
    curve = coverage_curve([True, False, True], [0.5, 0.5, 0.5])
    assert curve.thresholds.tolist() == [0.5]
    assert curve.precision.tolist() == pytest.approx([2 / 3])


def test_readings_that_no_threshold_may_accept_lower_the_coverage() -> None:
    curve = coverage_curve([True, True], [0.9, 0.8], lines=4)
    assert curve.coverage.tolist() == [0.25, 0.5]
    assert curve.area == pytest.approx(1.0)
