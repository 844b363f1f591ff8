"""The command line of a shipped model."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, TextIO

from models.deployment.standalone.model import StandaloneModel
from models.deployment.standalone.pictures import find_pictures, read_picture, write_picture
from models.images import Image

Kind = type[StandaloneModel[Any]]
_INTERRUPTED = 130
_Seen = tuple[Path, Path, Image, Any]


def main(kind: Kind, arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        kind: the family's model.
        arguments: of the command line; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 some pictures couldn't be read, 2 nothing could be done, 130 ended
        by Ctrl-C, with the tables of what was found until then.
    """
    options = _parser(kind).parse_args(arguments)
    try:
        return _predict(kind, options)
    except (ValueError, OSError) as error:
        _say(f"error: {error}")
        return 2


def _parser(kind: Kind) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=kind.about)
    parser.add_argument("source", nargs="+", help="picture, or folder of pictures")
    parser.add_argument(
        "--threshold",
        type=float,
        help="least confidence, 0 to 1 (default: the model's own, by class where it has one)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write results as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row for each result")
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="FOLDER",
        help="write pictures with results drawn in (needs pillow)",
    )
    parser.add_argument("--batch-size", type=int, default=1, help="pictures at once (default: 1)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: the runtime's choice)")
    return parser


def _predict(kind: Kind, options: argparse.Namespace) -> int:
    if options.draw and not _there("PIL"):
        raise ValueError("--draw needs Pillow: pip install pillow")
    files = list(find_pictures(options.source))
    taken = {file.resolve() for file, _ in files}
    _make_room(options, taken)
    model = kind(threads=options.threads, batch_size=options.batch_size)
    if options.threshold is not None:
        model([], options.threshold)  # refuses a threshold that is none before the first picture
    pictures: list[dict[str, Any]] = []
    table: list[list[Any]] = []
    stopped = False
    try:
        for file, name, image, found in _results(model, files, options):
            rows = model.rows(found)
            height, width = image.shape[:2]
            shown = _shown(file)
            pictures.append({"file": shown, "width": width, "height": height, "results": rows})
            table += [[shown, *(row[column] for column in kind.columns)] for row in rows]
            counts = ", ".join(f"{count} {name}" for name, count in model.tally(found).items())
            _say(f"{shown}: {counts or '-'}", sys.stdout)
            if options.draw:
                target = _free(options.draw / name.with_suffix(".jpg"), taken)
                write_picture(model.draw(image, found), target)
    except KeyboardInterrupt:
        stopped = True  # what was found until now is worth its table
    if options.json:
        text = json.dumps({"threshold": options.threshold, "pictures": pictures}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.csv:
        with options.csv.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["file", *kind.columns], *table])
    if stopped:
        return _INTERRUPTED
    return 1 if len(pictures) < len(files) else 0


def _results(
    model: StandaloneModel[Any], files: Sequence[tuple[Path, Path]], options: argparse.Namespace
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
        for (file, name, image), one in zip(batch, found, strict=True):
            yield file, name, image, one


def _make_room(options: argparse.Namespace, sources: Set[Path]) -> None:
    """Refuse places that can't be written before anything is looked at, not after it all.

    Raises:
        ValueError: a folder, a picture, or one file for two things.
        OSError: the disk refuses it.
    """
    taken = set(sources)
    for name in ("json", "csv"):
        file = getattr(options, name)
        if file is None:
            continue
        if file.is_dir():
            raise ValueError(f"--{name} {file}: that is a folder; name a file in it")
        if file.exists() and not file.is_file():
            continue  # a device or a pipe
        if file.resolve() in taken:
            raise ValueError(f"--{name} {file}: that is a picture or the other table already")
        taken.add(file.resolve())
        file.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise ValueError(f"--{name} {file}: it can't be written")
    if options.draw:
        options.draw.mkdir(parents=True, exist_ok=True)


def _shown(file: Path) -> str:
    """Write a name that may hold any bytes."""
    return str(file).encode("utf-8", "backslashreplace").decode()


def _there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:
        return False


def _free(wanted: Path, taken: set[Path]) -> Path:
    """A name that is no source's and no other drawing's of this run."""
    target, number = wanted, 2
    while target.resolve() in taken:
        target = wanted.with_name(f"{wanted.stem}-{number}.jpg")
        number += 1
    taken.add(target.resolve())
    return target


def _say(line: str, stream: TextIO | None = None) -> None:
    """Print a line, with codes for signs that the terminal doesn't know."""
    stream = stream or sys.stderr
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
