"""Make a dataset folder, which training never has to doubt, from raw OCR data."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

from pydantic import BaseModel

from models.data.division import divide
from models.data.duplicates import Duplicates, find_duplicates, report_duplicates, take_out
from models.data.preparing import (
    SHOWN_TWINS,
    about,
    check_target,
    new_dataset,
    nothing_left,
    previews,
    tell,
    twins,
)
from models.data.raw import Findings
from models.data.writing import DATASET, write_findings, write_json
from models.ocr.data import statistics
from models.ocr.data.checks import check
from models.ocr.data.formats import read
from models.ocr.data.options import PrepareOptions
from models.ocr.data.previews import preview
from models.ocr.data.texts import Checked, CheckedSplits, TextPicture
from models.ocr.data.writing import write_lines
from models.outcomes import Preparation
from models.reporting import Reporter, Silence


def prepare(source: Path, target: Path, options: BaseModel, reporter: Reporter) -> Preparation:
    """Check, divide and convert a raw folder.

    The dataset folder holds `dataset.json` (with `vocabulary`, the characters by code point, and
    `longest`, the longest text's number of characters), `rejected.json`, `splits.csv`, and for each
    split `data/` and `labels.jsonl`: one row for each line with `file`, `text` (NFC, a text also
    where it is made of digits), `symbology` or null, `width`, `height`. The same source and options
    give the same bytes.

    Args:
        source: Folder with crops and texts, or pictures whose boxes have texts.
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
    scratch = target.with_name(f".{target.name}.crops")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        return _prepare(source, target, options, scratch, reporter)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _prepare(
    source: Path, target: Path, options: PrepareOptions, scratch: Path, reporter: Reporter
) -> Preparation:
    raw = read(source, options, scratch, reporter)
    findings = Findings(rejected=list(raw.rejected))
    came = {split: len(pictures) for split, pictures in raw.splits.items()}
    pictures = check(raw, options, findings, reporter)
    if not any(pictures.values()):
        raise ValueError(nothing_left(source, "line with a text", findings))
    look = options.duplicates != "ignore"
    duplicates = _same_lines(pictures, reporter) if look else Duplicates[TextPicture]()
    groups = _by_text(pictures) if options.split.group == "text" else duplicates
    _check_groups(pictures, options)
    splits, origin = divide(pictures, options.split, groups)
    if options.duplicates != "report":
        splits = take_out(splits, duplicates, findings)
    raw.notes += report_duplicates(
        duplicates, splits, lambda a, b: a.text == b.text, "texts", reporter
    )
    raw.notes += _shared_texts(splits)
    vocabulary = statistics.vocabulary_of(splits)
    raw.notes += _unseen(splits)
    figures = statistics.describe(splits)
    content = about(
        "ocr",
        (),
        splits,
        figures,
        origin,
        options.split,
        duplicates,
        findings,
        vocabulary=vocabulary,
        longest=max(len(one.picture.text) for found in splits.values() for one in found),
        source={"format": raw.format, "pictures": came},
    )
    content["splits"]["group"] = options.split.group
    with new_dataset(target) as room:
        write_lines(splits, room, reporter)
        write_findings(findings, raw.notes, room)
        write_json(room / DATASET, content, indent=1)
    shown = previews(splits, options.previews, preview)
    shown += twins(duplicates, min(SHOWN_TWINS, options.previews))
    reporter.log(f"{len(vocabulary)} characters: {''.join(vocabulary)[:200]}")
    tell(splits, raw.notes, findings, origin, shown, reporter)
    statistics.report(splits, figures, reporter)
    return Preparation(
        classes=(),
        pictures=content["pictures"],
        rejected=tuple(findings.rejected),
        statistics=figures,
        previews=tuple(shown),
    )


def _same_lines(pictures: CheckedSplits, reporter: Reporter) -> Duplicates[TextPicture]:
    """Find pictures that show nearly the same, among those of one text.

    Lines of different digits look so much alike when they are small that only the same text makes
    two of them the same line.
    """
    by_text: dict[str, list[Checked]] = defaultdict(list)
    for found in pictures.values():
        for one in found:
            by_text[one.picture.text].append(one)
    several = [text for text in sorted(by_text) if len(by_text[text]) > 1]
    every = Duplicates[TextPicture]()
    for done, text in enumerate(several, 1):
        found_here = find_duplicates({text: by_text[text]}, Silence())
        every.pairs += found_here.pairs
        every.keys.update(found_here.keys)
        reporter.progress("looking for near-duplicates", done, len(several))
    return every


def _by_text(pictures: CheckedSplits) -> Duplicates[TextPicture]:
    """Keep all lines of one text together."""
    return Duplicates(
        keys={
            one.facts.digest: f"text {one.picture.text}"
            for found in pictures.values()
            for one in found
        }
    )


def _check_groups(pictures: CheckedSplits, options: PrepareOptions) -> None:
    """Make sure that there are enough texts where each is to have one split.

    Raises:
        ValueError: there aren't.
    """
    wanted = sum(ratio > 0 for ratio in options.split.ratios)
    texts = {one.picture.text for found in pictures.values() for one in found}
    drawn = not options.split.keep or len(pictures) < wanted
    if drawn and options.split.group == "text" and len(texts) < wanted:
        raise ValueError(
            f"{len(texts)} different texts are too few for {wanted} splits that share none: set "
            "split.group=picture"
        )


def _shared_texts(splits: CheckedSplits) -> list[str]:
    """Say how many texts of val and test are in train too: those could be known by heart."""
    known = {one.picture.text for one in splits.get("train", [])}
    notes = []
    for split in ("val", "test"):
        lines = splits.get(split, [])
        shared = sum(one.picture.text in known for one in lines)
        if shared:
            notes.append(
                f"{shared} of {len(lines)} lines of {split} have a text that train has too "
                "(split.keep=false with split.group=text parts them)"
            )
    return notes


def _unseen(splits: CheckedSplits) -> list[str]:
    """Name characters that training never sees."""
    known = {letter for one in splits.get("train", []) for letter in one.picture.text}
    notes = []
    for split in ("val", "test"):
        odd = {letter for one in splits.get(split, []) for letter in one.picture.text} - known
        if odd:
            notes.append(f"{split} has characters that train lacks: {' '.join(sorted(odd))}")
    return notes
