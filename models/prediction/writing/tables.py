"""Results as text: YOLO label files, COCO JSON, CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Any

from models.families import Presenter
from models.prediction.reading import Place
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.sinks import Seen

_ABOUT = ("source", "number", "time", "width", "height")


def _about(seen: Seen) -> dict[str, Any]:
    """Say of which picture something is; what `_ABOUT` lists."""
    height, width = seen.size
    place = seen.place
    time = None if place.time is None else round(place.time, 3)
    values = (place.source, place.number, time, width, height)
    return dict(zip(_ABOUT, values, strict=True))


class JsonLines:
    """`predictions.jsonl`: a line for each picture, in order, also if nothing is on it."""

    def __init__(self, folder: ResultsFolder) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._file = self._open.enter_context(folder.lines(PurePosixPath("predictions.jsonl")))

    def render(self, seen: Seen) -> str:
        """Make the line."""
        line = {**_about(seen), "results": seen.presenter.rows(seen.result)}
        return json.dumps(line, ensure_ascii=False) + "\n"

    def write(self, place: Place, rendered: str) -> None:
        """Append it."""
        with self._folder.writing():
            self._file.write(rendered)

    def close(self) -> None:
        """Close the file."""
        with self._folder.writing():
            self._open.close()


class CsvFile:
    """`predictions.csv`: a row for each result."""

    def __init__(self, folder: ResultsFolder, presenter: Presenter) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._file = self._open.enter_context(folder.lines(PurePosixPath("predictions.csv")))
        self._columns = presenter.columns
        with folder.writing():
            self._file.write(_csv([[*_ABOUT, *self._columns]]))

    def render(self, seen: Seen) -> str:
        """Make the rows."""
        about = _about(seen).values()
        rows = seen.presenter.rows(seen.result)
        return _csv([[*about, *(row[name] for name in self._columns)] for row in rows])

    def write(self, place: Place, rendered: str) -> None:
        """Append them."""
        with self._folder.writing():
            self._file.write(rendered)

    def close(self) -> None:
        """Close the file."""
        with self._folder.writing():
            self._open.close()


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class YoloLabels:
    """`yolo/`: `classes.txt`, and a label file for each picture, empty if nothing is on it."""

    def __init__(self, folder: ResultsFolder, presenter: Presenter, scores: bool) -> None:
        """Add the confidence to each line if `scores`."""
        self._folder = folder
        self._scores = scores
        names = "".join(" ".join(name.split()) + "\n" for name in presenter.classes)
        folder.write(PurePosixPath("yolo/classes.txt"), names.encode())

    def render(self, seen: Seen) -> None:
        """Write the file."""
        lines = seen.presenter.yolo(seen.result, *seen.size, self._scores)
        name = PurePosixPath("yolo/labels") / f"{seen.place.name}.txt"
        self._folder.write(name, "".join(line + "\n" for line in lines).encode())

    def write(self, place: Place, rendered: None) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is open."""


class CocoFile:
    """`coco.json`: images, annotations with scores, categories. Written at the end, in pieces."""

    def __init__(self, folder: ResultsFolder, presenter: Presenter) -> None:
        self._folder = folder
        self._presenter = presenter
        self._images = 0
        self._annotations = 0
        with folder.writing():
            # The annotations come behind all images in the file, so they wait in one of their own.
            self._name = PurePosixPath("coco.json")
            self._part = folder.part(self._name)
            self._later = folder.part(PurePosixPath("coco-annotations.json"))
            self._file = self._part.open("w", encoding="utf-8")
            self._file.write('{"images": [')
            self._behind = self._later.open("w+", encoding="utf-8")

    def render(self, seen: Seen) -> tuple[tuple[int, int], Sequence[dict[str, Any]]]:
        """Make the entries, as yet without ids."""
        return seen.size, seen.presenter.coco(seen.result)

    def write(
        self, place: Place, rendered: tuple[tuple[int, int], Sequence[dict[str, Any]]]
    ) -> None:
        """Append them."""
        (height, width), entries = rendered
        self._images += 1
        image = {"id": self._images, "file_name": place.file, "width": width, "height": height}
        with self._folder.writing():
            comma = ",\n" if self._images > 1 else "\n"
            self._file.write(comma + json.dumps(image, ensure_ascii=False))
            for entry in entries:
                self._annotations += 1
                comma = ",\n" if self._annotations > 1 else "\n"
                numbers = {"id": self._annotations, "image_id": self._images}
                self._behind.write(comma + json.dumps({**numbers, **entry}))

    def close(self) -> None:
        """Join the pieces."""
        with self._folder.writing():
            self._file.write('\n],\n"annotations": [')
            self._behind.seek(0)
            while piece := self._behind.read(1 << 20):
                self._file.write(piece)
            categories = json.dumps(self._presenter.categories, ensure_ascii=False)
            self._file.write(f'\n],\n"categories": {categories}}}\n')
            self._file.close()
            self._behind.close()
            self._later.unlink()
            self._folder.keep(self._part, self._name)
