"""Write what a prepared dataset says about its lines: `labels.jsonl` and `splits.csv`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.data.writing import SPLITS_CSV, write_pictures
from models.ocr.data.reading import LABELS
from models.ocr.data.texts import Checked, TextPicture
from models.reporting import Reporter


def write_lines(splits: Mapping[str, Sequence[Checked]], target: Path, reporter: Reporter) -> None:
    """Write each split's pictures and `labels.jsonl`, and one table `splits.csv` of all.

    `splits.csv` has the columns split, file and text, and is itself a format that is read.
    """
    texts: list[tuple[str, str, str]] = []
    sizes = {
        id(one.picture): (one.facts.width, one.facts.height)
        for found in splits.values()
        for one in found
    }

    def labels(split: str, rows: Sequence[tuple[str, TextPicture]]) -> None:
        lines = []
        for name, picture in rows:
            width, height = sizes[id(picture)]
            row = {
                "file": f"data/{name}",
                "text": picture.text,
                "symbology": picture.symbology,
                "width": width,
                "height": height,
            }
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
            texts.append((split, f"{split}/data/{name}", picture.text))
        path = target / split / LABELS
        path.write_text("".join(lines), encoding="utf-8", newline="\n")

    write_pictures(splits, target, labels, reporter)
    with (target / SPLITS_CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["split", "file", "text"])
        writer.writerows(texts)
