"""Hold annotations against the pictures they belong to, and set aside what doesn't fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.data.pictures import PictureFacts
from models.data.preparing import note_rewritten, read_to_the_end
from models.data.raw import Findings
from models.detection.data.annotations import (
    AnnotatedPicture,
    Boxes,
    Checked,
    CheckedSplits,
    RawDataset,
)
from models.detection.data.options import PrepareOptions
from models.outcomes import Rejected
from models.reporting import Reporter

# A box may stick out this far without a word: counting from 0 or 1 makes that much.
_TOLERANCE = 1.0


def check(
    raw: RawDataset, options: PrepareOptions, findings: Findings, reporter: Reporter
) -> CheckedSplits:
    """Check every picture and box of a raw dataset.

    A picture is set aside if it is missing, unreadable, cut off, or not of the size that was
    written down; a box if it is empty, not a number, wholly outside, too small, or there twice.
    Boxes that stick out are clipped.

    Args:
        raw: What the reader found; its boxes are replaced.
        options: Among others the smallest box.
        findings: Takes what was set aside or mended.
        reporter: Told about progress.

    Returns:
        The good pictures by split, ordered by name.
    """
    checked: CheckedSplits = {split: [] for split in raw.splits}
    for split, picture, facts in read_to_the_end(raw, options.workers, findings, reporter):
        if _put_upright(picture, facts, findings):
            _fit(picture, options.smallest_box, findings)
            checked[split].append(Checked(picture, facts))
    return checked


def _put_upright(picture: AnnotatedPicture, facts: PictureFacts, findings: Findings) -> bool:
    """Fill in the real size and turn boxes into the upright picture; False if the size is wrong.

    Labelling tools show a picture as its EXIF data say, so boxes are taken to belong to the
    upright picture, unless the size written down is that of the picture as it is stored.
    """
    real = (facts.width, facts.height)
    stored = real[::-1] if facts.orientation >= 5 else real
    if picture.size not in (None, real, stored):
        assert picture.size is not None
        width, height = picture.size
        findings.rejected.append(
            Rejected(
                picture.name,
                f"its annotation says {width}x{height} pixels, the file has {real[0]}x{real[1]}",
            )
        )
        return False
    if picture.size is None:
        findings.mended.append(Rejected(picture.name, "no size was written down: took the file's"))
    elif picture.size == stored != real:
        picture.boxes = turn_boxes(picture.boxes, facts.orientation, *stored)
    note_rewritten(picture.name, facts, findings)
    picture.size = real
    return True


def turn_boxes(boxes: Boxes, orientation: int, width: int, height: int) -> Boxes:
    """Boxes of a stored picture in the picture turned upright by its EXIF orientation.

    Args:
        boxes: `xyxy`, pixels of the stored picture, shape (N, 4).
        orientation: 1 to 8 (EXIF 2.3, tag 0x0112).
        width: Of the stored picture, pixels.
        height: Of the stored picture, pixels.
    """
    x0, y0, x1, y1 = boxes.T
    if orientation in (2, 3, 7, 8):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = height - y1, height - y0
    if orientation >= 5:
        x0, y0, x1, y1 = y0, x0, y1, x1
    return np.stack([x0, y0, x1, y1], axis=1)


def _fit(picture: AnnotatedPicture, smallest: float, findings: Findings) -> None:
    """Clip the boxes to the picture and drop those that are none."""
    boxes = picture.boxes
    if not len(boxes):
        return
    assert picture.size is not None
    limit = np.array([*picture.size, *picture.size], np.float64)
    finite = np.isfinite(boxes).all(axis=1)
    with np.errstate(invalid="ignore"):
        sides = boxes[:, 2:] - boxes[:, :2]
        clipped = np.clip(np.nan_to_num(boxes, posinf=0, neginf=0), 0, limit)
        inner = clipped[:, 2:] - clipped[:, :2]
        ordered = (sides >= 0).all(axis=1)
        filled = (sides > 0).all(axis=1)
        inside = (inner > 0).all(axis=1)
        large = (inner >= smallest).all(axis=1)
        out = np.abs(clipped - boxes).max(axis=1) > _TOLERANCE
    single = _first_of_each(boxes, picture.labels)
    reasons = (
        (finite, "isn't made of finite numbers"),
        (ordered, "has its corners swapped or a negative size"),
        (filled, "is empty"),
        (inside, "lies outside the picture"),
        (large, f"is smaller than {smallest:g} pixels"),
        (single, "is there twice"),
    )
    keep = np.ones(len(boxes), np.bool_)
    for fine, reason in reasons:
        for index in np.flatnonzero(keep & ~fine):
            where = f"{picture.name}: box {index + 1} {_shown(boxes[index])}"
            findings.rejected.append(Rejected(where, reason))
        keep &= fine
    for index in np.flatnonzero(keep & out):
        where = f"{picture.name}: box {index + 1} {_shown(boxes[index])}"
        findings.mended.append(Rejected(where, "stuck out of the picture: clipped"))
    picture.boxes = clipped[keep]
    picture.labels = picture.labels[keep]
    picture.crowd = picture.crowd[keep]


def _first_of_each(boxes: Boxes, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    keys = np.column_stack([boxes, labels.astype(np.float64)])
    _, first = np.unique(keys, axis=0, return_index=True)
    single = np.zeros(len(boxes), np.bool_)
    single[first] = True
    return single


def _shown(box: NDArray[np.float64]) -> str:
    x0, y0, x1, y1 = (f"{value:g}" for value in box)
    return f"({x0}, {y0}, {x1}, {y1})"
