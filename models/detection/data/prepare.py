"""Make a dataset folder, which training never has to doubt, from raw detection data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps
from pydantic import BaseModel

from models.data.splits import SPLITS
from models.detection.data import statistics
from models.detection.data.annotations import RawDataset
from models.detection.data.checks import CheckedPicture, Findings, check
from models.detection.data.classes import choose_classes
from models.detection.data.division import divide
from models.detection.data.drawing import class_colour, draw_boxes
from models.detection.data.duplicates import (
    Duplicates,
    find_duplicates,
    report_duplicates,
    take_out,
)
from models.detection.data.formats import read
from models.detection.data.options import PrepareOptions
from models.detection.data.writing import (
    DATASET,
    write_findings,
    write_json,
    write_pictures,
)
from models.families import Preparation
from models.reporting import Image, Reporter

_PREVIEW_SIDE = 640
_SHOWN_REASONS = 20
_SHOWN_TWINS = 6


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
    if target.exists() and not (target / DATASET).is_file() and any(target.iterdir()):
        raise ValueError(f"{target} isn't empty and holds no dataset: give another folder")
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
        raise ValueError(_nothing_left(source, findings))
    look = options.duplicates != "ignore"
    duplicates = find_duplicates(pictures, reporter) if look else Duplicates()
    splits, origin = divide(pictures, options.split, duplicates)
    if options.duplicates != "report":
        splits = take_out(splits, duplicates, findings)
    raw.notes += report_duplicates(duplicates, splits, reporter)
    figures = statistics.describe(splits, raw.classes)
    counts = {split: len(found) for split, found in splits.items()}

    room = target.with_name(f".{target.name}.making")
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        write_pictures(splits, raw.classes, raw.category_ids, room, reporter)
        write_findings(findings, raw.notes, room)
        about = {
            "family": "detection",
            "classes": raw.classes,
            "category_ids": raw.category_ids,
            "pictures": counts,
            "statistics": figures,
            "source": {"format": raw.format, "pictures": came},
            "splits": {
                "origin": origin,
                "keep": options.split.keep,
                "ratios": list(options.split.ratios),
                "seed": options.split.seed,
            },
            "near_duplicates": len(duplicates.pairs),
            "rejected": len(findings.rejected),
            "mended": len(findings.mended),
        }
        write_json(room / DATASET, about, indent=1)
        if target.exists():
            shutil.rmtree(target)
        room.rename(target)
    finally:
        shutil.rmtree(room, ignore_errors=True)

    previews = list(_previews(splits, raw.classes, options.previews, target))
    previews += list(_twins(duplicates, min(_SHOWN_TWINS, options.previews)))
    _tell(splits, raw, figures, findings, origin, previews, reporter)
    return Preparation(
        classes=tuple(raw.classes),
        pictures=counts,
        rejected=tuple(findings.rejected),
        statistics=figures,
        previews=tuple(previews),
    )


def _nothing_left(source: Path, findings: Findings) -> str:
    text = f"{source}: no picture with a box is left"
    if findings.rejected:
        first = findings.rejected[0]
        text += (
            f"; {len(findings.rejected)} were set aside, the first: {first.item}: {first.reason}"
        )
    return text


def _previews(
    splits: Mapping[str, Sequence[CheckedPicture]], classes: Sequence[str], count: int, target: Path
) -> list[tuple[str, Image]]:
    """Pictures from all splits, picked by their content's hash, with their boxes drawn in."""
    found: list[tuple[str, Image]] = []
    present = [split for split in SPLITS if splits[split]]
    for place, split in enumerate(present):
        share = count // len(present) + (place < count % len(present))
        picked = sorted(splits[split], key=lambda one: (one.facts.digest, one.picture.name))
        found += [
            (f"{split}/{one.picture.file.stem}", _preview(one, classes)) for one in picked[:share]
        ]
    return found


def _twins(duplicates: Duplicates, count: int) -> Iterator[tuple[str, Image]]:
    """Pairs that show nearly the same, side by side; files of the same bytes say nothing more."""
    pairs = [pair for pair in duplicates.pairs if pair[2] > 0]
    for one, other, _ in sorted(pairs, key=lambda pair: -pair[2])[:count]:
        left, right = (_small(pair.picture.file) for pair in (one, other))
        both = Pillow.new("RGB", (left.width + right.width + 8, max(left.height, right.height)))
        both.paste(left, (0, 0))
        both.paste(right, (left.width + 8, 0))
        name = f"nearly the same/{one.picture.file.stem} {other.picture.file.stem}"
        yield name, np.asarray(both, np.uint8)


def _small(file: Path) -> Pillow.Image:
    with Pillow.open(file) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    return picture


def _preview(one: CheckedPicture, classes: Sequence[str]) -> Image:
    picture = _small(one.picture.file)
    full = one.facts.width
    labels = one.picture.labels
    return draw_boxes(
        np.asarray(picture, np.uint8),
        one.picture.boxes * (picture.width / full),
        [classes[label] for label in labels],
        [class_colour(int(label)) for label in labels],
    )


def _tell(
    splits: Mapping[str, Sequence[CheckedPicture]],
    raw: RawDataset,
    figures: Mapping[str, Any],
    findings: Findings,
    origin: Mapping[str, str],
    previews: Sequence[tuple[str, Image]],
    reporter: Reporter,
) -> None:
    for split, pictures in splits.items():
        reporter.log(f"{split}: {len(pictures)} pictures ({origin[split]})")
    for note in raw.notes:
        reporter.log(f"note: {note}")
    for name, found in (("set aside", findings.rejected), ("mended", findings.mended)):
        if found:
            reporter.log(f"{len(found)} {name}; see rejected.json. The first:")
            for one in found[:_SHOWN_REASONS]:
                reporter.log(f"  {one.item}: {one.reason}")
    rows = [[one.item, one.reason] for one in findings.rejected[:1000]]
    if rows:
        reporter.table("Dataset", "set aside", ["item", "reason"], rows)
    statistics.report(splits, raw.classes, figures, reporter)
    for step, (name, image) in enumerate(previews):
        reporter.image("Preview", name, image, step)
