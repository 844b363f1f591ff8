"""Turn detection data from any format that is read into COCO, Pascal VOC or YOLO."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from models.data.raw import UNSPLIT, Findings
from models.data.splits import SPLITS
from models.data.writing import (
    link_or_copy,
    place_picture,
    write_findings,
    write_json,
    write_splits,
)
from models.detection.data.annotations import AnnotatedPicture, Checked, RawDataset
from models.detection.data.checks import check
from models.detection.data.formats import read
from models.detection.data.formats.coco import labels_json
from models.detection.data.formats.coco_layouts import LABELS
from models.detection.data.options import PrepareOptions
from models.outcomes import Rejected
from models.reporting import Reporter

Format = Literal["coco", "voc", "yolo"]
SMALLEST = 1e-3
"""Pixels: converting leaves out only boxes that are none."""


@dataclass
class Converted:
    """What was written."""

    pictures: dict[str, int]
    """By split; `all` for data without splits."""
    boxes: int
    rejected: list[Rejected]
    """What can't be trusted and was left out, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What the new format can't say, one line each."""

    @property
    def held(self) -> str:
        """What the pictures hold, in a few words."""
        return f"{self.boxes} boxes"


def convert(
    source: Path, target: Path, to: Format, reporter: Reporter, *, copy: bool = False
) -> Converted:
    """Write a dataset anew in another format; pictures are never coded again without need.

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
    raw = read(source)
    findings = Findings(rejected=list(raw.rejected))
    checked = check(raw, PrepareOptions(smallest_box=SMALLEST), findings, reporter)
    order = [split for split in (*SPLITS, UNSPLIT) if split in checked]
    splits = {split: checked[split] for split in order}
    room = target.with_name(f".{target.name}.making")
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        write = _Writer(splits, raw, room, reporter, copy)
        {"coco": write.coco, "voc": write.voc, "yolo": write.yolo}[to]()
        write_splits(write.places, room)
        write_findings(findings, [*raw.notes, *write.notes], room)
        if target.exists():
            target.rmdir()
        room.rename(target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return Converted(
        pictures={split: len(found) for split, found in splits.items()},
        boxes=sum(len(one.picture.boxes) for found in splits.values() for one in found),
        rejected=findings.rejected,
        notes=[*raw.notes, *write.notes],
    )


class _Writer:
    """Writes one dataset into an empty folder."""

    def __init__(
        self,
        splits: Mapping[str, Sequence[Checked]],
        raw: RawDataset,
        room: Path,
        reporter: Reporter,
        copy: bool,
    ) -> None:
        self._splits = splits
        self._raw = raw
        self._room = room
        self._reporter = reporter
        self._put = shutil.copyfile if copy else link_or_copy
        self.notes: list[str] = []
        self.places: dict[str, list[str]] = {}
        """Pictures' paths in the new dataset, by split."""

    def coco(self) -> None:
        """`<split>/data/` and `<split>/labels.json`; without splits, both in the folder itself."""
        rows: dict[str, list[tuple[int, str, AnnotatedPicture]]] = {s: [] for s in self._splits}

        def note(split: str, file: Path, one: Checked) -> None:
            number = sum(map(len, rows.values())) + 1
            rows[split].append((number, file.name, one.picture))

        self._pictures(lambda split: self._of(split) / "data", note)
        first = 1
        for split, found in rows.items():
            content = labels_json(found, self._raw.classes, self._raw.category_ids, first)
            first += len(content["annotations"])
            write_json(self._room / self._of(split) / LABELS, content)

    def yolo(self) -> None:
        """`images/<split>/`, `labels/<split>/`, `data.yaml`; without splits, `classes.txt`."""
        self._losses(crowds=True, ids=self._raw.category_ids != list(range(len(self._raw.classes))))

        def note(split: str, file: Path, one: Checked) -> None:
            assert one.picture.size is not None
            width, height = one.picture.size
            lines = []
            for label, (x0, y0, x1, y1) in zip(
                one.picture.labels.tolist(), one.picture.boxes.tolist(), strict=True
            ):
                shares = (
                    (x0 + x1) / 2 / width,
                    (y0 + y1) / 2 / height,
                    (x1 - x0) / width,
                    (y1 - y0) / height,
                )
                lines.append(" ".join([str(label), *(f"{share:.9g}" for share in shares)]) + "\n")
            text = self._room / "labels" / self._of(split) / f"{file.stem}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("".join(lines), encoding="utf-8", newline="\n")

        # Texts are called like the pictures without their suffix.
        self._pictures(lambda split: Path("images") / self._of(split), note, stems=True)
        names = self._raw.classes
        if list(self._splits) == [UNSPLIT]:
            text = "".join(f"{name}\n" for name in names)
            (self._room / "classes.txt").write_text(text, encoding="utf-8", newline="\n")
            return
        lines = ["path: .\n"]
        lines += [f"{split}: images/{split}\n" for split in self._splits]
        lines += ["names:\n"]
        # JSON's strings are YAML's too, whatever is in them.
        lines += [
            f"  {n}: {json.dumps(name, ensure_ascii=False)}\n" for n, name in enumerate(names)
        ]
        (self._room / "data.yaml").write_text("".join(lines), encoding="utf-8", newline="\n")

    def voc(self) -> None:
        """`JPEGImages/`, `Annotations/` and `ImageSets/Main/<split>.txt`."""
        self._losses(crowds=True, ids=True)
        names: dict[str, list[str]] = {split: [] for split in self._splits}
        rounded = 0
        (self._room / "Annotations").mkdir()

        def note(split: str, file: Path, one: Checked) -> None:
            nonlocal rounded
            rounded += int((one.picture.boxes != one.picture.boxes.round()).any(axis=1).sum())
            names[split].append(file.stem)
            tree = ElementTree.ElementTree(_voc_tree(file, one.picture, self._raw.classes))
            ElementTree.indent(tree)
            tree.write(self._room / "Annotations" / f"{file.stem}.xml", encoding="utf-8")

        self._pictures(lambda _: Path("JPEGImages"), note, stems=True)
        if rounded:
            self.notes.append(f"{rounded} boxes were rounded: Pascal VOC knows whole pixels alone")
        if list(self._splits) != [UNSPLIT]:
            lists = self._room / "ImageSets" / "Main"
            lists.mkdir(parents=True)
            for split, found in names.items():
                text = "".join(f"{name}\n" for name in found)
                (lists / f"{split}.txt").write_text(text, encoding="utf-8", newline="\n")

    def _of(self, split: str) -> Path:
        return Path() if split == UNSPLIT else Path(split)

    def _pictures(
        self,
        folder_of: Callable[[str], Path],
        note: Callable[[str, Path, Checked], None],
        stems: bool = False,
    ) -> None:
        """Put all pictures in place; their names are made different where folders join."""
        total, done = sum(map(len, self._splits.values())), 0
        taken: dict[Path, set[str]] = {}
        renamed: Counter[str] = Counter()
        for split, pictures in self._splits.items():
            folder = folder_of(split)
            (self._room / folder).mkdir(parents=True, exist_ok=True)
            self.places[split] = []
            for one in pictures:
                names = taken.setdefault(folder, set())
                name = place_picture(one, self._room / folder, names, self._put, stems=stems)
                renamed[split] += Path(name).stem != one.picture.file.stem
                self.places[split].append((folder / name).as_posix())
                note(split, Path(name), one)
                done += 1
                self._reporter.progress("writing pictures", done, total)
        if count := renamed.total():
            self.notes.append(f"{count} pictures got another name: theirs was taken")

    def _losses(self, *, crowds: bool, ids: bool) -> None:
        """Say what the format has no words for."""
        count = sum(
            int(one.picture.crowd.sum()) for found in self._splits.values() for one in found
        )
        if crowds and count:
            self.notes.append(f"{count} boxes around crowds are now like any other")
        if ids:
            told = ", ".join(
                f"{name} {number}"
                for name, number in zip(self._raw.classes, self._raw.category_ids, strict=True)
            )
            self.notes.append(f"the classes' ids are lost; they were: {told}")


def _voc_tree(file: Path, picture: AnnotatedPicture, classes: Sequence[str]) -> ElementTree.Element:
    """Describe a picture; pixels count from 1 and a box holds its last one."""
    assert picture.size is not None
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "folder").text = "JPEGImages"
    ElementTree.SubElement(root, "filename").text = file.name
    size = ElementTree.SubElement(root, "size")
    for name, value in zip(("width", "height", "depth"), (*picture.size, 3), strict=True):
        ElementTree.SubElement(size, name).text = str(value)
    for label, box in zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True):
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = classes[label]
        for name in ("truncated", "difficult"):
            ElementTree.SubElement(thing, name).text = "0"
        x0, y0, x1, y1 = (round(value) for value in box)
        limits = (x0 + 1, y0 + 1, max(x1, x0 + 1), max(y1, y0 + 1))
        around = ElementTree.SubElement(thing, "bndbox")
        for name, value in zip(("xmin", "ymin", "xmax", "ymax"), limits, strict=True):
            ElementTree.SubElement(around, name).text = str(value)
    return root
