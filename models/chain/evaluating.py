"""Found and read right: a detector and a reader measured together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.chain.predictor import Chained
from models.chain.presenting import ChainPresenter
from models.data.reading import read_picture
from models.reporting import Image, Reporter

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Written:
    """A text on a picture, and where its object is."""

    text: str
    box: Box
    """xyxy, pixels."""
    kind: str = ""
    """Such as the symbology of a barcode."""


@dataclass(frozen=True)
class Page:
    """A picture and all texts that are known to be on it."""

    file: Path
    written: Sequence[Written]


@dataclass(frozen=True)
class Outcome:
    """What became of one text."""

    page: int
    written: Written
    found: bool
    """Whether a region lies on its object."""
    text: str
    """What was read there."""
    accepted: bool
    """Whether the reader stands by it."""
    confidence: float

    @property
    def right(self) -> bool:
        """Found and read right."""
        return self.found and self.accepted and self.text == self.written.text


def evaluate_chain(
    chain: Callable[[Sequence[Image]], Sequence[Chained]],
    presenter: ChainPresenter,
    pages: Sequence[Page],
    iou: float,
    reporter: Reporter,
    most: int,
) -> tuple[dict[str, float], list[dict[str, Any]], list[Outcome]]:
    """Run both models over pictures whose texts are known.

    Args:
        chain: both models.
        presenter: of both; its rows have `text`, `accepted` and the reader's confidence.
        pages: the pictures.
        iou: from which a region lies on an object.
        reporter: shown pictures with texts that were not found or not read right.
        most: how many of them.

    Returns:
        Figures of all texts: `found`, share of them on which a region lies; `read`, share found and
        read right; `read_of_found`; `precision`, share of right texts among the accepted ones that
        lie on an object; `elsewhere`, accepted texts a picture that lie on none, which may still be
        there without anybody having written them down. Then a row of figures for each kind, and
        each text's outcome.
    """
    outcomes: list[Outcome] = []
    elsewhere = 0
    shown = 0
    for number, page in enumerate(pages):
        image = read_picture(page.file)
        (result,) = chain([image])
        regions, rows = presenter.regions(result), presenter.rows(result)
        pairs = paired([one.box for one in page.written], [one.box for one in regions], iou)
        taken = set(pairs.values())
        elsewhere += sum(
            bool(row["accepted"]) for place, row in enumerate(rows) if place not in taken
        )
        mine = [_outcome(number, one, rows, pairs.get(i)) for i, one in enumerate(page.written)]
        outcomes += mine
        if shown < most and not all(one.right for one in mine):
            shown += 1
            drawn = presenter.draw(image, result)
            reporter.image("not found or not read", f"{number:06}: {page.file.name}", drawn, 0)
        reporter.progress("finding and reading", number + 1, len(pages))
    values = _figures(outcomes)
    values["elsewhere"] = elsewhere / len(pages) if pages else 0.0
    kinds = sorted({one.written.kind for one in outcomes} - {""})
    table = [
        {
            "kind": kind,
            "texts": sum(one.written.kind == kind for one in outcomes),
            **{
                name: round(value, 6)
                for name, value in _figures(
                    [one for one in outcomes if one.written.kind == kind]
                ).items()
            },
        }
        for kind in kinds
    ]
    return values, table, outcomes


def paired(truths: Sequence[Box], boxes: Sequence[Box], least: float) -> dict[int, int]:
    """Pair objects with regions greedily, those that overlap most first.

    Returns:
        The region of each object that has one, by their places.
    """
    overlaps = _ious(truths, boxes)
    found: dict[int, int] = {}
    for place in np.argsort(-overlaps, axis=None, kind="stable").tolist():
        truth, box = divmod(place, max(1, len(boxes)))
        if overlaps[truth, box] < least:
            break
        if truth not in found and box not in found.values():
            found[truth] = box
    return found


def _outcome(
    page: int, written: Written, rows: Sequence[dict[str, Any]], region: int | None
) -> Outcome:
    if region is None:
        return Outcome(page, written, False, "", False, 0.0)
    row = rows[region]
    sure = row.get("read_score", row.get("score"))
    return Outcome(
        page, written, True, row["text"] or "", bool(row["accepted"]), float(sure or 0.0)
    )


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    texts = len(outcomes)
    found = sum(one.found for one in outcomes)
    right = sum(one.right for one in outcomes)
    accepted = sum(one.found and one.accepted for one in outcomes)
    return {
        "found": found / texts if texts else 0.0,
        "read": right / texts if texts else 0.0,
        "read_of_found": right / found if found else 0.0,
        "precision": right / accepted if accepted else 0.0,
    }


def _ious(truths: Sequence[Box], boxes: Sequence[Box]) -> NDArray[np.float64]:
    if not truths or not boxes:
        return np.zeros((len(truths), len(boxes)))
    one = np.asarray(truths, np.float64)[:, None]
    other = np.asarray(boxes, np.float64)[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., 2:], other[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    found: NDArray[np.float64] = shared / np.maximum(areas - shared, 1e-9)
    return found
