"""The command line of a shipped detector."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.detection.detections import Detections
from models.detection.standalone.model import Model
from models.detection.standalone.pictures import find_pictures, read_picture, write_picture
from models.images import Image

_COLUMNS = ("file", "class", "category_id", "score", "left", "top", "right", "bottom")
_Seen = tuple[Path, Path, Image, Detections]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 done, 1 some pictures couldn't be read, 2 nothing could be done.
    """
    options = _parser().parse_args(arguments)
    try:
        return _predict(options)
    except (ValueError, OSError) as error:
        _say(f"error: {error}")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Find objects in pictures.")
    parser.add_argument("source", nargs="+", help="picture, or folder of pictures")
    parser.add_argument(
        "--threshold",
        type=float,
        help="least confidence, 0 to 1 (default: the model's own, by class where it has one)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write results as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row for each object")
    parser.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="write pictures with boxes drawn (needs pillow)"
    )
    parser.add_argument("--batch-size", type=int, default=1, help="pictures at once (default: 1)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: the runtime's choice)")
    return parser


def _predict(options: argparse.Namespace) -> int:
    draw = _drawing() if options.draw else None
    files = list(find_pictures(options.source))
    model = Model(threads=options.threads, batch_size=options.batch_size)
    if options.threshold is not None:
        model([], options.threshold)  # refuses a threshold that is none before the first picture
    pictures: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    taken = {file.resolve() for file, _ in files}
    for file, name, image, found in _results(model, files, options):
        entries = _entries(model, found)
        height, width = image.shape[:2]
        pictures.append({"file": str(file), "width": width, "height": height, "objects": entries})
        rows += [[str(file), e["class"], e["category_id"], e["score"], *e["box"]] for e in entries]
        counts = Counter(entry["class"] for entry in entries)
        sys.stdout.write(f"{file}: {', '.join(f'{n} {c}' for c, n in counts.items()) or '-'}\n")
        if draw is not None:
            captions = [f"{e['class']} {e['score']:.2f}" for e in entries]
            colours = [draw.class_colour(int(label)) for label in found.classes]
            target = _free(options.draw / name.with_suffix(".jpg"), taken)
            write_picture(draw.draw_boxes(image, found.boxes, captions, colours), target)
    if options.json:
        text = json.dumps({"threshold": options.threshold, "pictures": pictures}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.csv:
        with options.csv.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([_COLUMNS, *rows])
    return 1 if len(pictures) < len(files) else 0


def _results(
    model: Model, files: Sequence[tuple[Path, Path]], options: argparse.Namespace
) -> Iterator[_Seen]:
    """Predict in batches; a picture that can't be read is reported and left out."""
    for start in range(0, len(files), options.batch_size):
        batch: list[tuple[Path, Path, Image]] = []
        for file, name in files[start : start + options.batch_size]:
            try:
                batch.append((file, name, read_picture(file)))
            except ValueError as error:
                _say(f"left out: {error}")
        found = model([image for _, _, image in batch], options.threshold)
        for (file, name, image), detections in zip(batch, found, strict=True):
            yield file, name, image, detections


def _entries(model: Model, found: Detections) -> list[dict[str, Any]]:
    return [
        {
            "class": model.classes[label],
            "category_id": model.category_ids[label],
            "score": round(float(score), 6),
            "box": [round(float(side), 3) for side in box],
        }
        for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True)
    ]


def _drawing() -> Any:
    try:
        from models.detection.data import drawing
    except ModuleNotFoundError as error:
        raise ValueError("--draw needs Pillow: pip install pillow") from error
    return drawing


def _free(wanted: Path, taken: set[Path]) -> Path:
    """A name that is no source's and no other drawing's of this run."""
    target, number = wanted, 2
    while target.resolve() in taken:
        target = wanted.with_name(f"{wanted.stem}-{number}.jpg")
        number += 1
    taken.add(target.resolve())
    return target


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
