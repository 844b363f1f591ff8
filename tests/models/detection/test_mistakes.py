from __future__ import annotations

import numpy as np
import pytest

from models.detection.metrics.mistakes import mistakes, worst_first
from tests.models.detection.test_label_errors import LIMITS, MOVED, A, B, seen, truth


def test_only_what_is_false_or_missed_is_listed_the_worst_picture_first() -> None:
    truths = [truth((A, 0)), truth((A, 0), (B, 1)), truth()]
    found = [
        seen((A, 0, 0.9), (B, 1, 0.3)),  # all right; what is below the threshold doesn't count
        seen((MOVED, 0, 0.8), (B, 1, 0.4)),
        seen((A, 1, 0.95)),
    ]
    listed = mistakes(truths, found, LIMITS)
    assert [(one.picture, one.kind) for one in listed] == [
        (1, "missed"), (1, "localisation"), (1, "missed"), (2, "background")
    ]  # fmt: skip
    lost, badly, nearly, false = listed
    assert (lost.true, lost.said, lost.badness) == (0, None, 1.0)
    assert (badly.said, badly.true) == (0, 0)
    assert badly.iou == pytest.approx(1 / 3)
    # Seen at 0.4, which the threshold cut.
    assert (nearly.true, nearly.confidence) == (1, pytest.approx(0.4))
    assert nearly.badness == pytest.approx(0.6)
    assert (false.said, false.true, false.iou) == (1, None, 0.0)
    assert [picture for picture, _ in worst_first(listed)] == [1, 2]


@pytest.mark.parametrize(("iou", "count"), [(0.5, 2), (0.3, 0)])
def test_the_iou_decides(iou: float, count: int) -> None:
    assert len(mistakes([truth((A, 0))], [seen((MOVED, 0, 0.8))], LIMITS, iou)) == count


def test_each_class_has_its_threshold() -> None:
    found = [seen((A, 0, 0.6), (B, 1, 0.6))]
    made = mistakes([truth()], found, np.array([0.7, 0.5], np.float32))
    assert [one.said for one in made] == [1]
