from __future__ import annotations

import numpy as np
import pytest

from models.training.compact import Pairs, Rows, Texts


def test_rows_are_views_of_one_array() -> None:
    values = np.arange(12).reshape(6, 2)
    rows = Rows(values, np.array([2, 0, 3, 1]))
    assert [row.tolist() for row in rows] == [
        [[0, 1], [2, 3]],
        [],
        [[4, 5], [6, 7], [8, 9]],
        [[10, 11]],
    ]
    assert rows[-1].tolist() == [[10, 11]] and len(rows) == 4
    assert rows[0].base is not None
    with pytest.raises(IndexError):
        rows[4]


@pytest.mark.parametrize("texts", [[], ["a"], ["", "штрих код.jpg", "b\udc80", "", "日本"]])
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    held = Texts(texts)
    assert list(held) == texts and held[:] == texts and len(held) == len(texts)
    assert [held[i - len(texts)] for i in range(len(texts))] == texts
    with pytest.raises(IndexError):
        held[len(texts)]


def test_pairs_are_plain_numbers() -> None:
    pairs = Pairs(np.array([[3, 4], [5, 6]], np.int32))
    assert list(pairs) == [(3, 4), (5, 6)] == pairs[:]
    assert type(pairs[0][0]) is int
