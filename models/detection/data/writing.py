"""Write a prepared detection dataset: pictures, and `labels.json` by split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.data.writing import write_json, write_pictures
from models.detection.data.annotations import AnnotatedPicture, CheckedSplits
from models.detection.data.formats.coco import labels_json
from models.detection.data.formats.coco_layouts import LABELS
from models.reporting import Reporter


def write_annotated(
    splits: CheckedSplits,
    classes: Sequence[str],
    category_ids: Sequence[int],
    target: Path,
    reporter: Reporter,
) -> None:
    """Write pictures and annotations of each split; ids go on from split to split."""
    next_picture = next_annotation = 1

    def labels(split: str, rows: Sequence[tuple[str, AnnotatedPicture]]) -> None:
        nonlocal next_picture, next_annotation
        numbered = [(next_picture + i, name, picture) for i, (name, picture) in enumerate(rows)]
        content = labels_json(numbered, classes, category_ids, next_annotation)
        next_picture += len(rows)
        next_annotation += len(content["annotations"])
        write_json(target / split / LABELS, content)

    write_pictures(splits, target, labels, reporter)
