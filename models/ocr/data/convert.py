"""Turn lines with texts from any format that is read into tables."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.data.raw import UNSPLIT, Findings
from models.data.splits import SPLITS
from models.data.writing import link_or_copy, place_picture, write_findings
from models.ocr.data.checks import check
from models.ocr.data.formats import read
from models.ocr.data.options import PrepareOptions
from models.ocr.data.texts import Checked, TextPicture
from models.outcomes import Rejected
from models.reporting import Reporter

Format = Literal["csv", "tsv", "jsonl", "paddle"]


@dataclass
class Converted:
    """What was written."""

    pictures: dict[str, int]
    """By split; `all` for data without splits."""
    texts: int
    """Different ones."""
    rejected: list[Rejected]
    """What can't be trusted and was left out, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What the new format can't say, one line each."""

    @property
    def held(self) -> str:
        """What the pictures hold, in a few words."""
        return f"{self.texts} different texts"


def convert(
    source: Path, target: Path, to: Format, reporter: Reporter, *, copy: bool = False
) -> Converted:
    """Write lines anew as tables; pictures are never coded again without need.

    `csv`, `tsv` and `jsonl` lie as `<split>/labels.*` beside `<split>/data/`, `paddle` as
    `rec_gt_<split>.txt` over all (path, tab, text).

    Args:
        source: folder in any format that is read, prepared datasets among them.
        target: folder to make. It appears only when it is whole.
        to: the format.
        reporter: told progress.
        copy: copy pictures instead of hard-linking them.

    Raises:
        ValueError: the source has no known format, or the target isn't empty.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} isn't an empty folder: give another")
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{target} lies in {source}: give a folder elsewhere")
    room = target.with_name(f".{target.name}.making")
    scratch = target.with_name(f".{target.name}.crops")
    for folder in (room, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    try:
        options = PrepareOptions()
        raw = read(source, options, scratch, reporter)
        findings = Findings(rejected=list(raw.rejected))
        checked = check(raw, options, findings, reporter)
        put = shutil.copyfile if copy else link_or_copy
        counts, texts, kinds = {}, set(), set()
        for split in (one for one in (*SPLITS, UNSPLIT) if checked.get(one)):
            home = Path() if split == UNSPLIT else Path(split)
            (room / home / "data").mkdir(parents=True, exist_ok=True)
            taken: set[str] = set()
            rows = []
            for one in checked[split]:
                name = place_picture(one, room / home / "data", taken, put)
                rows.append((name, one))
                texts.add(one.picture.text)
                kinds.add(one.picture.symbology)
            counts[split] = len(rows)
            _write(room, home, split, to, rows)
        notes = list(raw.notes)
        if to == "paddle" and kinds - {None}:
            notes.append("which symbologies the lines belong to is lost")
        write_findings(findings, notes, room)
        if target.exists():
            target.rmdir()
        room.rename(target)
    finally:
        for folder in (room, scratch):
            shutil.rmtree(folder, ignore_errors=True)
    return Converted(counts, len(texts), findings.rejected, notes)


def _write(
    room: Path, home: Path, split: str, to: Format, rows: Sequence[tuple[str, Checked]]
) -> None:
    """Write the table of a split, its lines in the pictures' order."""
    found: list[tuple[str, TextPicture]] = [(f"data/{name}", one.picture) for name, one in rows]
    if to == "jsonl":
        lines = [
            {"file": file, "text": picture.text, "symbology": picture.symbology}
            for file, picture in found
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (room / home / "labels.jsonl").write_text(text, encoding="utf-8", newline="\n")
    elif to == "paddle":
        places = ((home / file).as_posix() for file, _ in found)
        lists = zip(places, (picture.text for _, picture in found), strict=True)
        text = "".join(f"{place}\t{line}\n" for place, line in lists)
        name = "rec_gt.txt" if split == UNSPLIT else f"rec_gt_{split}.txt"
        (room / name).write_text(text, encoding="utf-8", newline="\n")
    else:
        with (room / home / f"labels.{to}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="," if to == "csv" else "\t", lineterminator="\n")
            writer.writerow(["file", "text", "symbology"])
            writer.writerows([name, one.text, one.symbology or ""] for name, one in found)
