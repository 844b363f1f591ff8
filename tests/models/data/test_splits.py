import random
from collections import Counter

import pytest

from models.data.splits import draw_splits, nearest, split_name

RATIOS = {"train": 0.7, "val": 0.15, "test": 0.15}


def test_ratios_come_out() -> None:
    keys = [f"key {i}" for i in range(200)]
    assert Counter(draw_splits(keys, RATIOS, 42)) == {"train": 140, "val": 30, "test": 30}


def test_order_and_neighbours_dont_matter_but_the_seed_does() -> None:
    keys = [f"key {i}" for i in range(100)]
    first = dict(zip(keys, draw_splits(keys, RATIOS, 42), strict=True))
    shuffled = keys[:]
    random.Random(1).shuffle(shuffled)
    assert dict(zip(shuffled, draw_splits(shuffled, RATIOS, 42), strict=True)) == first
    other = dict(zip(keys, draw_splits(keys, RATIOS, 43), strict=True))
    assert other != first


def test_equal_keys_stay_together() -> None:
    keys = [f"key {i % 30}" for i in range(300)]
    splits: dict[str, set[str]] = {}
    for key, split in zip(keys, draw_splits(keys, RATIOS, 7), strict=True):
        splits.setdefault(key, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(draw_splits(keys, RATIOS, 7))["train"] == pytest.approx(210, abs=10)


@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_small_sets_leave_no_split_empty(count: int) -> None:
    drawn = draw_splits([str(i) for i in range(count)], RATIOS, 1)
    assert set(drawn) == {"train", "val", "test"}


def test_one_huge_group_leaves_no_split_empty() -> None:
    keys = ["same"] * 97 + ["a", "b"]
    for seed in range(20):
        assert set(draw_splits(keys, RATIOS, seed)) == {"train", "val", "test"}


def test_a_zero_ratio_makes_no_split() -> None:
    drawn = draw_splits([str(i) for i in range(20)], {"train": 0.8, "val": 0.2, "test": 0.0}, 1)
    assert Counter(drawn) == {"train": 16, "val": 4}


def test_too_few() -> None:
    with pytest.raises(ValueError, match="too few"):
        draw_splits(["a", "a", "b"], RATIOS, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("train", "train"), ("Valid", "val"), ("validation", "val"), ("TEST", "test"), ("x", None)],
)
def test_split_names(name: str, expected: str | None) -> None:
    assert split_name(name) == expected


def test_nearest() -> None:
    assert nearest("cta", ["cat", "dog"]) == " (did you mean 'cat'?)"
    assert nearest("zebra", ["cat", "dog"]) == ""


def test_each_kind_is_divided_in_the_same_ratios() -> None:
    keys = [f"key {i}" for i in range(400)]
    strata = ["rare" if i % 10 == 0 else "common" for i in range(400)]
    drawn = Counter(zip(strata, draw_splits(keys, RATIOS, 83, strata), strict=True))
    assert drawn == {
        ("rare", "train"): 28,
        ("rare", "val"): 6,
        ("rare", "test"): 6,
        ("common", "train"): 252,
        ("common", "val"): 54,
        ("common", "test"): 54,
    }


def test_equal_keys_of_two_kinds_stay_together() -> None:
    keys = ["same", "same", *map(str, range(40))]
    strata = ["a", "b", *("a" if i % 2 else "b" for i in range(40))]
    drawn = draw_splits(keys, RATIOS, 3, strata)
    assert drawn[0] == drawn[1]


def test_a_kind_with_too_few_is_named() -> None:
    with pytest.raises(ValueError, match="1 different pictures of rare are too few"):
        draw_splits(["a", "b", "c", "d"], RATIOS, 1, ["rare", "b", "b", "b"])
