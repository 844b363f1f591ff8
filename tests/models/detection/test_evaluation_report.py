from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.metrics.figures import figures
from models.detection.metrics.report import Report, report
from models.detection.metrics.scores import scores_at, scores_by_class
from models.detection.metrics.truth import Truth

CLASSES = ("one", "two", "never")
BOX = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
NOTHING = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


def found(scores: list[float], classes: list[int], shift: float = 0.0) -> Detections:
    return Detections(
        BOX[: len(scores)] + np.float32(shift),
        np.array(scores, np.float32),
        np.array(classes, np.int64),
    )


TRUTHS = [Truth(BOX, np.array([0, 1])), NOTHING]
FOUND = [found([0.9, 0.6], [0, 1]), found([0.3], [1])]


def judge(
    truths: list[Truth] = TRUTHS, seen: list[Detections] = FOUND, at: float = 0.5, **options: Any
) -> Report:
    return report(truths, seen, CLASSES, at, EvaluateOptions.model_validate(options))


def test_figures_of_a_known_world() -> None:
    values = judge().values()
    for name in ("mAP", "mAP50", "precision", "recall", "f1", "iou", "f1_mean"):
        assert values[name] == pytest.approx(1.0)
    assert values["threshold"] == 0.5
    assert not any(math.isnan(value) for value in values.values())


def test_one_row_a_class_with_none_where_nothing_is() -> None:
    rows = judge().per_class()
    assert [row["class"] for row in rows] == list(CLASSES)
    assert rows[0] | {"AP": 1.0} == {
        "class": "one",
        "objects": 1,
        "detections": 1,
        "threshold": 0.5,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "iou": 1.0,
        "f1_mean": 1.0,
        "AP50": pytest.approx(1.0),
        "AP": 1.0,
        "AP_small": pytest.approx(1.0),
        "AP_medium": None,
        "AP_large": None,
    }
    assert {rows[2][name] for name in ("precision", "recall", "f1", "AP50", "AP")} == {None}
    json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize(
    ("option", "changed", "name", "before", "after"),
    [
        ({}, {"floor": 0.7}, "recall", 1.0, 0.5),
        ({}, {"max_detections": 1}, "recall", 1.0, 0.5),
        ({"ious": (0.5,)}, {"ious": (0.95,)}, "recall", 1.0, 0.0),
        ({"matching": "class"}, {"matching": "any"}, "recall", 0.5, 1.0),
        ({"calibration_bins": 2}, {"calibration_bins": 10}, "ECE", 0.05 / 3, 1.05 / 3),
    ],
)
def test_each_option_has_an_effect(
    option: dict[str, Any], changed: dict[str, Any], name: str, before: float, after: float
) -> None:
    seen = FOUND
    if "ious" in changed:
        seen = [found([0.9, 0.6], [0, 1], shift=1.0), found([0.3], [1])]
    if "calibration_bins" in changed:
        seen = [found([0.9, 0.6], [0, 1]), found([0.55], [1])]
    if "matching" in changed:
        seen = [found([0.9, 0.6], [0, 0]), found([0.3], [1])]
    assert judge(seen=seen, **option).values()[name] == pytest.approx(before)
    assert judge(seen=seen, **changed).values()[name] == pytest.approx(after)


def test_classes_are_judged_by_class_even_where_the_whole_is_not() -> None:
    mixed = [found([0.9, 0.6], [0, 0]), Detections.none()]
    rows = judge(seen=mixed, matching="any").per_class()
    assert (rows[0]["precision"], rows[1]["recall"]) == (0.5, 0.0)


def test_regardless_of_class_maps_are_given_with_all_classes_taken_for_one() -> None:
    mixed = [found([0.9, 0.6], [1, 0]), Detections.none()]
    assert "mAP_any" not in judge(seen=mixed).values()
    values = judge(seen=mixed, matching="any").values()
    assert (values["mAP"], values["mAP_any"]) == (0.0, pytest.approx(1.0))
    assert values["mAP50_any"] == pytest.approx(1.0)


def test_each_class_may_have_a_threshold_of_its_own() -> None:
    made = report(TRUTHS, FOUND, CLASSES, [0.95, 0.5, 0.5], EvaluateOptions(), fallback=0.5)
    assert made.threshold == 0.5
    assert made.limits == "at thresholds by class, 0.500 to 0.950"
    assert judge().limits == "at threshold 0.500"
    (curves,) = [drawn for title, _, drawn in figures(made) if title == "F1 over threshold"]
    marks = [one for one in curves.data if one.mode == "markers"]
    assert [one.x[0] for one in marks] == pytest.approx([0.95, 0.5, 0.5])
    assert [row["recall"] for row in made.per_class()] == [0.0, 1.0, None]
    assert [row["threshold"] for row in made.per_class()] == pytest.approx([0.95, 0.5, 0.5])
    assert made.values()["recall"] == 0.5
    assert made.confusion.tolist() == [
        [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]
    ]  # fmt: skip


def test_figures_by_size_of_the_object() -> None:
    boxes = np.array([[0, 0, 31, 33], [0, 0, 32, 32], [0, 0, 96, 96], [0, 0, 300, 50]], np.float32)
    truth = Truth(boxes, np.zeros(4, np.int64))
    half = Detections(
        np.array([[0, 0, 31, 33], [0, 0, 96, 48]], np.float32),
        np.array([0.9, 0.8], np.float32),
        np.zeros(2, np.int64),
    )
    rows = judge([truth], [half]).by_size()
    assert [row["objects"] for row in rows] == [1, 1, 2]
    assert [row["recall"] for row in rows] == [1.0, 0.0, 0.5]
    # A missed object counts 0.
    assert [row["iou"] for row in rows] == pytest.approx([1.0, 0.0, 0.25])


def test_each_class_is_judged_at_each_iou() -> None:
    near = [found([0.9, 0.6], [0, 1], shift=1.0), Detections.none()]  # IoU 0.68 and 0.82
    made = judge(seen=near)
    rows = made.by_class_over_iou()
    assert [row["class"] for row in rows] == [name for name in CLASSES for _ in range(10)]
    right = {name: [row["recall"] for row in rows if row["class"] == name] for name in CLASSES}
    assert right["one"] == [1.0] * 4 + [0.0] * 6
    assert right["two"] == [1.0] * 7 + [0.0] * 3
    assert right["never"] == [None] * 10
    assert [row["f1_mean"] for row in made.per_class()] == pytest.approx([0.4, 0.7, None])
    for index in range(10):
        for label, scores in enumerate(scores_by_class(made.class_matches, 0.7, 3, index)):
            assert scores == scores_at(made.class_matches, 0.7, iou=index, label=label)


def test_everything_can_be_written_down() -> None:
    made = judge()
    details = made.details()
    json.dumps(details, allow_nan=False)
    assert set(details) == {
        "over_iou",
        "by_class_over_iou",
        "by_size",
        "errors",
        "calibration",
        "confusion",
        "charts",
    }
    assert len(details["over_iou"]) == 10 and len(details["calibration"]) == 10
    assert {row["error"]: row["count"] for row in details["errors"]}["background"] == 1
    assert {"dAP_class", "dAP_missed", "ECE", "ECE_kept", "iou_mean"} <= set(made.values())


@pytest.mark.parametrize(
    ("truths", "seen"),
    [
        (TRUTHS, FOUND),
        (TRUTHS, [Detections.none()] * 2),
        ([NOTHING] * 2, FOUND),
        ([NOTHING] * 2, [Detections.none()] * 2),
    ],
)
def test_every_plot_draws_whatever_there_is(truths: list[Truth], seen: list[Detections]) -> None:
    made = judge(truths, seen)
    drawn = figures(made)
    assert len({(title, series) for title, series, _ in drawn}) == len(drawn) == 7
    for _, _, figure in drawn:
        # What goes to ClearML is JSON, where nan has no place.
        json.dumps(json.loads(figure.to_json()), allow_nan=False)
    assert not any(math.isnan(value) for value in made.values().values())


@pytest.mark.parametrize(
    ("ious", "points"), [([0.9, 0.5], [(1.0, 1.0)] * 2), ([0.5], [(1.0, 1.0)] * 2), ([0.9], [])]
)
def test_points_on_precision_over_recall_are_at_its_iou(
    ious: list[float], points: list[tuple[float, float]]
) -> None:
    near = [found([0.9, 0.6], [0, 1], shift=1.0), found([0.3], [1])]
    drawn = {title: one for title, _, one in figures(judge(seen=near, ious=ious))}
    traces = drawn["precision and recall"].data
    assert sum(trace.mode == "lines" for trace in traces) == 2
    assert [(*t.x, *t.y) for t in traces if t.mode == "markers"] == points


def test_the_confusion_matrix_is_labelled_with_background_last() -> None:
    figure = {title: drawn for title, _, drawn in figures(judge())}["confusion"]
    assert list(figure.data[0].x) == [*CLASSES, "background"]
    # Also where classes are called 0, 1, 2.
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("category", "category")
