"""A model's mistakes on labelled pictures, and the labels that are likely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.audit_options import AuditOptions
from models.detection.dataset import Labels, read_picture
from models.detection.detections import Detections
from models.detection.judging import labels_for, predict
from models.detection.metrics.errors import KINDS
from models.detection.metrics.label_errors import SUSPICIONS, Suspect, suspect_labels
from models.detection.metrics.mistakes import Mistake, corners, mistakes, worst_first
from models.detection.metrics.truth import truths_of
from models.detection.pictures import FALSE, MISSED, RIGHT, shrunk
from models.drawing import Colour, draw_boxes
from models.outcomes import Audit
from models.package import ModelPackage
from models.reporting import Reporter

_FLOOR = 0.01
"""Least confidence of a detection that is looked at: what shows that a model saw something."""


def audit(
    package: Path, dataset: Path, split: str, options: AuditOptions, reporter: Reporter
) -> Audit:
    """Look for mistakes and suspected label errors in one split; tables and pictures show them."""
    labels = labels_for(package, dataset, split)
    card = ModelPackage.load(package).card
    limits = np.array(card.class_thresholds, np.float32)
    if options.threshold is not None:
        limits[:] = options.threshold
    detections = predict(
        package, labels, reporter, options.runtime, options.batch_size, min(_FLOOR, *limits)
    )
    truths = truths_of(labels)
    found = worst_first(mistakes(truths, detections, limits, options.iou))
    suspects = suspect_labels(
        truths,
        detections,
        limits,
        options.placed,
        options.quality,
        (lambda pictures: mirrored(package, labels, pictures, options))
        if options.second_look
        else None,
    )
    rows = [_mistake_row(one, labels) for _, several in found for one in several]
    doubts = [_suspect_row(one, labels) for one in suspects]
    _report(split, rows, doubts, options, reporter)
    for rank, (picture, several) in enumerate(found[: options.mistakes], start=1):
        image = _mistakes_drawn(picture, several, labels)
        series = f"{rank:04}: {labels.files[picture]}"
        reporter.image(f"mistakes on {split}", series, image, 0)
    for kind in SUSPICIONS:
        likeliest = [one for one in suspects if one.kind == kind][: options.suspects]
        for rank, one in enumerate(likeliest, start=1):
            series = f"{kind} {rank:04}: {labels.files[one.picture]}"
            reporter.image(f"suspected labels on {split}", series, _suspect_drawn(one, labels), 0)
    return Audit(split, len(labels), rows, doubts)


def mirrored(
    package: Path, labels: Labels, pictures: Sequence[int], options: AuditOptions
) -> list[Detections]:
    """Detect in pictures turned left to right; boxes come back in the picture as it is."""
    from models.runtimes import load_predictor

    found: list[Detections] = []
    with load_predictor(package, options.runtime, batch_size=options.batch_size) as predictor:
        for start in range(0, len(pictures), options.batch_size):
            images = [
                read_picture(labels.folder / labels.files[index])[:, ::-1].copy()
                for index in pictures[start : start + options.batch_size]
            ]
            for image, one in zip(images, predictor(images, _FLOOR), strict=True):
                boxes = one.boxes.copy()
                boxes[:, [0, 2]] = image.shape[1] - one.boxes[:, [2, 0]]
                found.append(Detections(boxes, one.scores, one.classes))
    return found


def _mistake_row(one: Mistake, labels: Labels) -> dict[str, Any]:
    return {
        "picture": labels.files[one.picture],
        "kind": one.kind,
        "said": None if one.said is None else labels.classes[one.said],
        "true": None if one.true is None else labels.classes[one.true],
        "confidence": round(one.confidence, 4),
        "iou": round(one.iou, 4),
        "box": [round(edge, 1) for edge in one.box],
    }


def _suspect_row(one: Suspect, labels: Labels) -> dict[str, Any]:
    box, given = None, None
    if one.label is not None:
        box = [round(edge, 1) for edge in corners(labels.boxes[one.picture][one.label])]
        given = labels.classes[labels.labels[one.picture][one.label]]
    return {
        "picture": labels.files[one.picture],
        "kind": one.kind,
        "quality": round(one.quality, 4),
        "label": given,
        "suggested": None if one.class_index is None else labels.classes[one.class_index],
        "confidence": round(one.confidence, 4),
        "box": box,
        "suggested box": None if one.box is None else [round(edge, 1) for edge in one.box],
    }


def _report(
    split: str,
    rows: Sequence[dict[str, Any]],
    doubts: Sequence[dict[str, Any]],
    options: AuditOptions,
    reporter: Reporter,
) -> None:
    for title, table in (("mistakes", rows), ("suspected labels", doubts)):
        if table:
            cells = [list(map(_cell, row.values())) for row in table[: options.rows]]
            reporter.table(f"{split}: {title}", "the worst first", list(table[0]), cells)
    counted = ", ".join(
        f"{sum(row['kind'] == kind for row in table)} {kind}"
        for kinds, table in ((KINDS, rows), (SUSPICIONS, doubts))
        for kind in kinds
    )
    reporter.log(f"{split}: {counted}")


def _cell(value: Any) -> Any:
    return ", ".join(f"{edge:g}" for edge in value) if isinstance(value, list) else value


def _mistakes_drawn(picture: int, found: Sequence[Mistake], labels: Labels) -> NDArray[np.uint8]:
    """Draw nothing but what is false, in red, and what was missed, in orange."""
    captions, colours = [], []
    for one in found:
        if one.said is None:
            assert one.true is not None
            captions.append(f"missed {labels.classes[one.true]}")
            colours.append(MISSED)
        else:
            captions.append(f"{one.kind}: {labels.classes[one.said]} {one.confidence:.2f}")
            colours.append(FALSE)
    image = read_picture(labels.folder / labels.files[picture])
    return shrunk(draw_boxes(image, [one.box for one in found], captions, colours))


def _suspect_drawn(one: Suspect, labels: Labels) -> NDArray[np.uint8]:
    """Draw the label as it is in orange, and what the model suggests in green."""
    boxes: list[tuple[float, float, float, float]] = []
    captions: list[str] = []
    colours: list[Colour] = []
    if one.label is not None:
        boxes.append(corners(labels.boxes[one.picture][one.label]))
        captions.append(f"label {labels.classes[labels.labels[one.picture][one.label]]}")
        colours.append(MISSED)
    if one.box is not None and one.class_index is not None:
        boxes.append(one.box)
        captions.append(f"{one.kind}? {labels.classes[one.class_index]} {one.confidence:.2f}")
        colours.append(RIGHT)
    image = read_picture(labels.folder / labels.files[one.picture])
    return shrunk(draw_boxes(image, boxes, captions, colours))
