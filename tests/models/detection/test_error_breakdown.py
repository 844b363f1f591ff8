"""Mistakes made by hand, whose kind and cost are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.coco_engines import columns
from models.detection.metrics.errors import KINDS, ErrorBreakdown, error_breakdown
from models.detection.metrics.truth import Truth
from tests.models.detection.test_coco_figures import world

Box = list[float]
A: Box = [0, 0, 10, 10]
HALF_OF_A: Box = [0, 0, 10, 4]  # IoU 0.4
PART_OF_A: Box = [0, 0, 10, 0.5]  # IoU 0.05
B: Box = [20, 0, 30, 10]
FAR: Box = [80, 80, 90, 90]
AB = [(A, 0), (B, 1)]


def judge(
    objects: list[tuple[Box, int]], found: list[tuple[Box, float, int]], pictures: int = 1
) -> ErrorBreakdown:
    truth = Truth(
        np.array([box for box, _ in objects], np.float32).reshape(-1, 4),
        np.array([label for _, label in objects], np.int64),
    )
    seen = Detections(
        np.array([box for box, _, _ in found], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in found], np.float32),
        np.array([label for _, _, label in found], np.int64),
    )
    return error_breakdown([truth] * pictures, [seen] * pictures, 2)


# At 101 points of recall, one of two objects found without a false one before it is 51 / 101.
HALF = 51 / 101


@pytest.mark.parametrize("pictures", [1, 3])
@pytest.mark.parametrize(
    ("objects", "found", "counts", "ap", "costs"),
    [
        # All right.
        (AB, [(A, 0.9, 0), (B, 0.8, 1)], {}, 1.0, {}),
        # Nothing found.
        (AB, [], {"missed": 2}, 0.0, {"missed": 1.0, "misses": 1.0}),
        # One object of two classes missed: without it class 1 isn't asked for.
        (AB, [(A, 0.9, 0)], {"missed": 1}, 0.5, {"missed": 0.5, "misses": 0.5}),
        # The right place under a wrong name; both classes are spoilt, 0's by a surer false one.
        (
            AB,
            [(A, 0.8, 0), (B, 0.9, 0)],
            {"class": 1},
            0.25,
            {"class": 0.75, "false": 0.25, "misses": 0.5},
        ),
        # The right name, badly placed.
        ([(A, 0)], [(HALF_OF_A, 0.9, 0)], {"localisation": 1}, 0.0, {"localisation": 1.0}),
        # Badly placed and misnamed: only taking it away helps, and here nothing is left.
        (
            [(A, 0)],
            [(HALF_OF_A, 0.9, 1)],
            {"both": 1, "missed": 1},
            0.0,
            {"missed": 1.0, "misses": 1.0},
        ),
        # The same before a right one of its class.
        (
            AB,
            [(HALF_OF_A, 0.9, 1), (A, 0.8, 0), (B, 0.7, 1)],
            {"both": 1},
            0.75,
            {"both": 0.25, "false": 0.25},
        ),
        # Found twice; the second one hurts only if a right one comes later.
        ([(A, 0)], [(A, 0.9, 0), (A, 0.8, 0)], {"duplicate": 1}, 1.0, {}),
        (
            [(A, 0), (B, 0)],
            [(A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0)],
            {"duplicate": 1},
            HALF + (1 - HALF) * 2 / 3,
            {"duplicate": (1 - HALF) / 3, "false": (1 - HALF) / 3},
        ),
        # Nothing is there, or next to nothing.
        ([(A, 0)], [(FAR, 0.9, 0), (A, 0.8, 0)], {"background": 1}, 0.5, {"background": 0.5,
                                                                          "false": 0.5}),
        ([(A, 0)], [(PART_OF_A, 0.9, 0), (A, 0.8, 0)], {"background": 1}, 0.5, {"background": 0.5,
                                                                                "false": 0.5}),
        # A badly placed one whose object is found by a less sure one: mended, the surer stays.
        ([(A, 0)], [(HALF_OF_A, 0.9, 0), (A, 0.8, 0)], {"localisation": 1}, 0.5,
         {"localisation": 0.5, "false": 0.5}),
        # Two badly placed ones of one object: mended, one of them is too many.
        ([(A, 0)], [(HALF_OF_A, 0.9, 0), (HALF_OF_A, 0.8, 0)], {"localisation": 2}, 0.0,
         {"localisation": 1.0}),
    ],
)  # fmt: skip
def test_kind_and_cost_of_each_mistake(
    objects: list[tuple[Box, int]],
    found: list[tuple[Box, float, int]],
    counts: dict[str, int],
    ap: float,
    costs: dict[str, float],
    pictures: int,
) -> None:
    made = judge(objects, found, pictures)
    assert made.counts == {kind: counts.get(kind, 0) * pictures for kind in KINDS}
    if pictures == 1:
        assert made.ap == pytest.approx(ap)
        without_misses = {name: value for name, value in made.costs.items() if name != "misses"}
        for name, value in without_misses.items():
            assert value == pytest.approx(costs.get(name, 0.0)), name
        if "misses" in costs:
            assert made.costs["misses"] == pytest.approx(costs["misses"])


def test_nothing_to_find_costs_nothing_that_is_known() -> None:
    made = judge([], [(A, 0.9, 0)])
    assert made.counts["background"] == 1
    assert all(math.isnan(value) for value in [made.ap, *made.costs.values()])


def test_each_mistake_says_what_it_was_meant_for() -> None:
    made = judge([*AB, (FAR, 1)], [(A, 0.9, 1), ([20, 0, 30, 4], 0.8, 1)])
    assert [KINDS[kind] for kind in made.kinds] == ["class", "localisation"]
    assert made.targets.tolist() == [0, 1]
    assert made.missed.tolist() == [False, False, True]


def test_the_ap_is_cocos() -> None:
    truths, drawn = world(3, 50, 3, False)
    # Boxes that noise has turned inside out have an IoU of their own in pycocotools.
    found = [
        Detections(*(part[(one.boxes[:, 2:] > one.boxes[:, :2]).all(axis=1)] for part in parts))
        for one in drawn
        for parts in [(one.boxes, one.scores, one.classes)]
    ]
    made = error_breakdown(truths, found, 3, max_detections=100)
    assert made.ap == pytest.approx(coco_figures(truths, found, 3).values["mAP50"], abs=1e-12)
    assert all(made.counts[kind] for kind in ("class", "localisation", "duplicate", "missed"))
    assert all(cost >= 0 for cost in made.costs.values())


@pytest.mark.parametrize("seed", [3, 8])
def test_counts_and_costs_are_those_of_another_implementation(seed: int) -> None:
    """As hotcoco's, which was written from the authors' own tool."""
    from hotcoco import COCO, COCOeval

    truths, drawn = world(seed, 60, 3, False)
    found = [
        Detections(*(part[(one.boxes[:, 2:] > one.boxes[:, :2]).all(axis=1)] for part in parts))
        for one in drawn
        for parts in [(one.boxes, one.scores, one.classes)]
    ]
    boxes = columns(truths, found, [1, 2, 3])
    ground = COCO.from_arrays(
        [{"id": index + 1} for index in range(len(truths))],
        [{"id": index, "name": str(index)} for index in (1, 2, 3)],
        boxes.truth_pictures,
        boxes.truth_ids,
        boxes.truth_boxes,
    )
    other = COCOeval(ground, ground.load_res(boxes.results), "bbox")
    other.evaluate()
    theirs = other.tide_errors()
    names = dict(zip(("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"), KINDS, strict=True))
    made = error_breakdown(truths, found, 3)
    assert made.counts == {names[name]: count for name, count in theirs["counts"].items()}
    names |= {"FP": "false", "FN": "misses"}
    expected = {names[name]: value for name, value in theirs["delta_ap"].items()}
    assert made.costs == pytest.approx(expected, abs=1e-9)
