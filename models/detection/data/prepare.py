"""Make a dataset folder, which training never has to doubt, from raw detection data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from models.data.division import divide
from models.data.duplicates import (
    Duplicates,
    find_duplicates,
    report_duplicates,
    take_out,
)
from models.data.preparing import (
    SHOWN_TWINS,
    about,
    check_target,
    new_dataset,
    nothing_left,
    previews,
    small,
    tell,
    twins,
)
from models.data.raw import Findings
from models.data.writing import DATASET, write_findings, write_json
from models.detection.data import statistics
from models.detection.data.annotations import AnnotatedPicture, Checked
from models.detection.data.checks import check
from models.detection.data.classes import choose_classes
from models.detection.data.formats import read
from models.detection.data.options import PrepareOptions
from models.detection.data.writing import write_annotated
from models.drawing import class_colour, draw_boxes
from models.outcomes import Preparation
from models.reporting import Image, Reporter


def prepare(source: Path, target: Path, options: BaseModel, reporter: Reporter) -> Preparation:
    """Check, divide and convert a raw folder.

    The dataset folder holds `dataset.json`, `rejected.json`, and for each split `data/` and
    `labels.json` (COCO detection; category ids as they came). The same source and options give
    the same bytes. Pictures that EXIF data turn are written anew upright, and boxes always belong
    to the upright picture.

    Args:
        source: Folder with COCO, Roboflow or Pascal VOC data.
        target: Folder to make. One that an earlier call made is replaced; it appears only when
            it is complete.
        options: `PrepareOptions`.
        reporter: Told progress, tables, plots and previews.

    Raises:
        ValueError: the source has no known format, an option doesn't fit it, nothing good is
            left, or `target` holds something else.
    """
    if not isinstance(options, PrepareOptions):
        raise TypeError(f"expected PrepareOptions, got {type(options).__name__}")
    check_target(target)
    raw = read(source, difficult=options.difficult)
    findings = Findings(rejected=list(raw.rejected))
    choose_classes(raw, options)
    if not raw.classes:
        raise ValueError(f"{source} names no class: there's nothing to learn")
    came = {split: len(pictures) for split, pictures in raw.splits.items()}
    pictures = check(raw, options, findings, reporter)
    if not options.negatives:
        pictures = {
            split: [one for one in found if len(one.picture.boxes)]
            for split, found in pictures.items()
        }
    if not any(len(one.picture.boxes) for found in pictures.values() for one in found):
        raise ValueError(nothing_left(source, "picture with a box", findings))
    look = options.duplicates != "ignore"
    duplicates = find_duplicates(pictures, reporter) if look else Duplicates[AnnotatedPicture]()
    splits, origin = divide(pictures, options.split, duplicates)
    if options.duplicates != "report":
        splits = take_out(splits, duplicates, findings)
    raw.notes += report_duplicates(duplicates, splits, _agree, "boxes", reporter)
    figures = statistics.describe(splits, raw.classes)
    content = about(
        "detection",
        raw.classes,
        splits,
        figures,
        origin,
        options.split,
        duplicates,
        findings,
        category_ids=raw.category_ids,
        source={"format": raw.format, "pictures": came},
    )
    with new_dataset(target) as room:
        write_annotated(splits, raw.classes, raw.category_ids, room, reporter)
        write_findings(findings, raw.notes, room)
        write_json(room / DATASET, content, indent=1)

    shown = previews(splits, options.previews, lambda one: _preview(one, raw.classes))
    shown += twins(duplicates, min(SHOWN_TWINS, options.previews))
    tell(splits, raw.notes, findings, origin, shown, reporter)
    statistics.report(splits, raw.classes, figures, reporter)
    return Preparation(
        classes=tuple(raw.classes),
        pictures=content["pictures"],
        rejected=tuple(findings.rejected),
        statistics=figures,
        previews=tuple(shown),
    )


def _preview(one: Checked, classes: Sequence[str]) -> Image:
    picture = small(one.picture.file)
    full = one.facts.width
    labels = one.picture.labels
    return draw_boxes(
        np.asarray(picture, np.uint8),
        one.picture.boxes * (picture.width / full),
        [classes[label] for label in labels],
        [class_colour(int(label)) for label in labels],
    )


def _agree(one: AnnotatedPicture, other: AnnotatedPicture) -> bool:
    """Tell whether two pictures have the same boxes."""
    return _boxes(one) == _boxes(other)


def _boxes(one: AnnotatedPicture) -> set[tuple[float, ...]]:
    rows = np.column_stack([one.labels, one.boxes.round(1)])
    return {tuple(row) for row in rows.tolist()}
