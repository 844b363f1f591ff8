"""Classes kept, dropped, merged, made one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.prepare import STAGE
from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes
from models.detection.data.classes import choose_classes
from models.detection.data.options import PrepareOptions


def raw() -> RawDataset:
    """One box of each class, as wide as its number."""
    picture = AnnotatedPicture(
        file=Path("a.jpg"),
        name="a.jpg",
        size=(64, 64),
        boxes=as_boxes([[0, 0, width, 9] for width in (1, 2, 3, 4)]),
        labels=np.arange(4),
        crowd=np.array([False, True, False, False]),
    )
    classes = ["RBC", "white cell", "плитка", "dirt"]
    return RawDataset(
        "coco", classes=classes, category_ids=[3, 7, 8, 40], splits={"train": [picture]}
    )


@pytest.mark.parametrize(
    ("options", "classes", "ids", "labels"),
    [
        ({}, ["RBC", "white cell", "плитка", "dirt"], [3, 7, 8, 40], [0, 1, 2, 3]),
        ({"classes": ["dirt", "RBC"]}, ["RBC", "dirt"], [3, 40], [0, None, None, 1]),
        ({"drop": ["dirt"]}, ["RBC", "white cell", "плитка"], [3, 7, 8], [0, 1, 2, None]),
        (
            {"merge": {"cell": ["плитка", "white cell"]}},
            ["RBC", "cell", "dirt"],
            [3, 7, 40],
            [0, 1, 1, 2],
        ),
        (
            {"merge": {"RBC": ["RBC", "dirt"]}, "drop": ["плитка"]},
            ["RBC", "white cell"],
            [3, 7],
            [0, 1, None, 0],
        ),
        (
            {"merge": {"cell": ["RBC", "white cell"]}, "classes": ["cell"]},
            ["cell"],
            [3],
            [0, 0, None, None],
        ),
        ({"one_class": "thing"}, ["thing"], [3], [0, 0, 0, 0]),
        ({"one_class": "thing", "drop": ["dirt", "RBC"]}, ["thing"], [7], [None, 0, 0, None]),
    ],
)
def test_each_option_does_what_it_says(
    options: dict[str, Any], classes: list[str], ids: list[int], labels: list[int | None]
) -> None:
    data = raw()
    choose_classes(data, PrepareOptions(**options))
    (picture,) = data.splits["train"]
    assert (data.classes, data.category_ids) == (classes, ids)
    widths = [width for width, label in zip((1, 2, 3, 4), labels, strict=True) if label is not None]
    assert picture.boxes[:, 2].tolist() == widths
    assert picture.labels.tolist() == [label for label in labels if label is not None]
    assert picture.crowd.tolist() == [width == 2 for width in widths]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"classes": ["rbc"]}, "classes: the data have no class 'rbc'"),
        ({"drop": ["dirty"]}, r"drop: .* no class 'dirty' \(did you mean 'dirt'\?\)"),
        ({"merge": {"cell": ["RBC", "WBC"]}}, "merge: the data have no class 'WBC'"),
        ({"merge": {"cell": []}}, "no class is named that 'cell' is to be made of"),
        ({"merge": {"a": ["RBC"], "b": ["RBC"]}}, "'RBC' is to be both 'a' and 'b'"),
        ({"merge": {"dirt": ["RBC"]}}, "the data have a class 'dirt' already"),
        ({"merge": {"cell": ["RBC"]}, "drop": ["RBC"]}, "drop: the data have no class 'RBC'"),
    ],
)
def test_names_that_do_not_fit_are_one_clear_line(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        choose_classes(raw(), PrepareOptions(**options))


@pytest.mark.parametrize(
    "given",
    [{"merge": {"cell": ["RBC", "white cell"]}}, {"merge": '{"cell": ["RBC", "white cell"]}'}],
)
def test_a_merge_can_be_said_in_yaml_and_on_the_command_line(given: dict[str, Any]) -> None:
    config: Any = STAGE.configure({"dataset": "x", **given})
    assert config.merge == {"cell": ("RBC", "white cell")}
