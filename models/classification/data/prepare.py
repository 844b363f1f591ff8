"""Make a dataset folder, which training never has to doubt, from raw classification data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ImageDraw
from pydantic import BaseModel

from models.classification.data import statistics
from models.classification.data.annotations import (
    Checked,
    CheckedSplits,
    LabelledPicture,
    RawDataset,
)
from models.classification.data.classes import choose_classes
from models.classification.data.formats import read
from models.classification.data.options import PrepareOptions
from models.classification.data.writing import write_labelled
from models.data.division import divide
from models.data.duplicates import Duplicates, find_duplicates, report_duplicates, take_out
from models.data.preparing import (
    SHOWN_TWINS,
    about,
    check_target,
    new_dataset,
    note_rewritten,
    nothing_left,
    previews,
    read_to_the_end,
    small,
    tell,
    twins,
)
from models.data.raw import Findings
from models.data.writing import DATASET, write_findings, write_json
from models.outcomes import Preparation, Rejected
from models.reporting import Image, Reporter


def prepare(source: Path, target: Path, options: BaseModel, reporter: Reporter) -> Preparation:
    """Check, divide and convert a raw folder.

    The dataset folder holds `dataset.json`, `rejected.json`, `splits.csv`, and for each split
    `data/` and `labels.json`. The same source and options give the same bytes.

    Args:
        source: folder with class folders or a table.
        target: folder to make. One that an earlier call made is replaced; it appears only when
            it is complete.
        options: `PrepareOptions`.
        reporter: told progress, tables, plots and previews.

    Raises:
        ValueError: the source has no known layout, an option doesn't fit it, nothing good is
            left, or `target` holds something else.
    """
    if not isinstance(options, PrepareOptions):
        raise TypeError(f"expected PrepareOptions, got {type(options).__name__}")
    check_target(target)
    raw = read(source, options.separator)
    findings = Findings(rejected=list(raw.rejected))
    _settle_labels(raw, options, findings)
    choose_classes(raw, options)
    if len(raw.classes) < (1 if raw.several else 2):
        told = f"only {raw.classes[0]}" if raw.classes else "no class"
        raise ValueError(f"{source} has {told}: there's nothing to tell apart")
    came = {split: len(pictures) for split, pictures in raw.splits.items()}
    pictures: CheckedSplits = {split: [] for split in raw.splits}
    for split, picture, facts in read_to_the_end(raw, options.workers, findings, reporter):
        note_rewritten(picture.name, facts, findings)
        pictures[split].append(Checked(picture, facts))
    pictures = _capped(pictures, options)
    if not any(one.picture.labels for found in pictures.values() for one in found):
        raise ValueError(nothing_left(source, "picture with a class", findings))
    look = options.duplicates != "ignore"
    duplicates = find_duplicates(pictures, reporter) if look else Duplicates[LabelledPicture]()
    stratum = (lambda one: _kind(one, raw.classes)) if options.stratify else None
    splits, origin = divide(pictures, options.split, duplicates, stratum)
    suspicious = _contradictions(duplicates, raw.classes)
    if options.duplicates == "remove":
        splits = take_out(splits, duplicates, findings)
    raw.notes += report_duplicates(duplicates, splits, _agree, "classes", reporter)
    figures = statistics.describe(splits, raw.classes)
    content = about(
        "classification",
        raw.classes,
        splits,
        figures,
        origin,
        options.split,
        duplicates,
        findings,
        multi_label=raw.several,
        suspicious_labels=len(suspicious),
        source={"format": raw.format, "pictures": came},
    )
    with new_dataset(target) as room:
        write_labelled(splits, room, reporter)
        write_findings(findings, raw.notes, room)
        write_json(room / DATASET, content, indent=1)

    shown = previews(splits, options.previews, lambda one: _preview(one, raw.classes))
    shown += twins(duplicates, min(SHOWN_TWINS, options.previews))
    tell(splits, raw.notes, findings, origin, shown, reporter)
    if suspicious:
        columns = ["picture", "its class", "nearly the same", "its class"]
        reporter.table("Dataset", "suspicious labels", columns, suspicious[:1000])
        reporter.log(
            f"{len(suspicious)} pairs of pictures show nearly the same but have other classes, "
            f"such as {suspicious[0][0]} ({suspicious[0][1]}) and {suspicious[0][2]} "
            f"({suspicious[0][3]}): one of the two labels is likely wrong"
        )
    statistics.report(raw.classes, figures, reporter)
    return Preparation(
        classes=tuple(raw.classes),
        pictures=content["pictures"],
        rejected=tuple(findings.rejected),
        statistics=figures,
        previews=tuple(shown),
    )


def _settle_labels(raw: RawDataset, options: PrepareOptions, findings: Findings) -> None:
    """Set pictures aside that have none or several labels where one is wanted."""
    if options.multi_label is not None:
        raw.several = options.multi_label
    if raw.several:
        _note_several(raw)
        return
    for split, pictures in raw.splits.items():
        for one in pictures:
            if len(one.labels) != 1:
                names = ", ".join(raw.classes[label] for label in one.labels) or "none"
                reason = f"one class is wanted, it has {names}; set multi_label=true for several"
                findings.rejected.append(Rejected(one.name, reason))
        raw.splits[split] = [one for one in pictures if len(one.labels) == 1]


def _note_several(raw: RawDataset) -> None:
    """Say why each class is to be learned for itself: one row too many in a table is enough."""
    pictures = [one for found in raw.splits.values() for one in found]
    if more := [one for one in pictures if len(one.labels) > 1]:
        names = ", ".join(raw.classes[label] for label in more[0].labels)
        raw.notes.append(
            f"{len(more)} of {len(pictures)} pictures have several classes, such as {more[0].name} "
            f"({names}), so each class is learned for itself; multi_label=false sets them aside"
        )


def _capped(pictures: CheckedSplits, options: PrepareOptions) -> CheckedSplits:
    """Leave out what is too much of a class; which, is a function of seed and content."""
    if not options.most_per_class:
        return pictures
    seed = options.split.seed
    everything = [
        (hashlib.blake2b(f"{seed}\0{one.facts.digest}".encode()).hexdigest(), split, one)
        for split, found in pictures.items()
        for one in found
    ]
    counts: dict[tuple[int, ...], int] = {}
    kept: CheckedSplits = {split: [] for split in pictures}
    for _, split, one in sorted(everything, key=lambda row: (row[0], row[2].picture.name)):
        counts[one.picture.labels] = counts.get(one.picture.labels, 0) + 1
        if counts[one.picture.labels] <= options.most_per_class:
            kept[split].append(one)
    return {s: sorted(found, key=lambda one: one.picture.name) for s, found in kept.items()}


def _kind(one: LabelledPicture, classes: Sequence[str]) -> str:
    """Name what a picture counts for when splits are drawn: its first class."""
    return classes[one.labels[0]] if one.labels else ""


def _contradictions(
    duplicates: Duplicates[LabelledPicture], classes: Sequence[str]
) -> list[list[str]]:
    """Pairs that show nearly the same but have other classes."""

    def told(one: Checked) -> str:
        return ", ".join(classes[label] for label in one.picture.labels) or "none"

    return [
        [one.picture.name, told(one), other.picture.name, told(other)]
        for one, other, _ in duplicates.pairs
        if one.picture.labels != other.picture.labels
    ]


def _agree(one: LabelledPicture, other: LabelledPicture) -> bool:
    return one.labels == other.labels


def _preview(one: Checked, classes: Sequence[str]) -> Image:
    picture = small(one.picture.file)
    text = ", ".join(classes[label] for label in one.picture.labels) or "none"
    side = max(picture.width, 160)
    page = picture.resize((side, round(picture.height * side / picture.width)))
    draw = ImageDraw.Draw(page)
    size = 14
    draw.rectangle((0, 0, 8 + draw.textlength(text, font_size=size), size + 8), fill=(0, 0, 0))
    draw.text((4, 3), text, fill=(255, 255, 255), font_size=size)
    return np.asarray(page, np.uint8)
