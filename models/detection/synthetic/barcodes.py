"""The built-in source: barcode scenes with real symbols, written as COCO folders."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel

from models.detection.synthetic.options import BarcodeOptions
from models.detection.synthetic.scenes import Placed, Scene, make_scene
from models.reporting import Reporter
from models.synthetic.symbols import KINDS, read
from models.synthetic.textures import Picture

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class _Written:
    """A picture on disk and what a decoder made of it."""

    file_name: str
    scene: Scene
    size: tuple[int, int]
    read: tuple[bool, ...]
    """For each symbol whether it was read."""


def class_names(options: BarcodeOptions) -> list[str]:
    """Class names in the order of their category ids, which start at 1."""
    if options.classes == "family":
        linear = {KINDS[name].linear for name in options.symbologies}
        return [name for name, flag in (("linear", True), ("matrix", False)) if flag in linear]
    return [KINDS[name].name for name in options.symbologies]


def synthesize(options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Write barcode scenes as `train|val|test/data/*.jpg` and `train|val|test/labels.json`.

    A box is the tight axis-aligned frame of the symbol as it lies in the picture, without its
    quiet zone and without the digits printed under it; `segmentation` holds the outline itself.
    Each annotation names its `symbology` and `payload` and whether zxing-cpp still reads it,
    from the whole picture or from an upright cut-out (`read`). With `options.lines` it also holds
    the `text` printed under a linear symbol, with its frame and outline.

    Args:
        options: `BarcodeOptions`; the same ones give the same bytes.
        folder: Where to write; made if need be.
        reporter: Told about the progress.

    Returns:
        Numbers of pictures, symbols and empty pictures by split, and the share of symbols that
        are read, in all and by class.
    """
    if not isinstance(options, BarcodeOptions):
        raise TypeError(f"expected BarcodeOptions, got {type(options).__name__}")
    facts: dict[str, Any] = {"pictures": {}, "empty": {}, "symbols": {}, "read": {}}
    total = options.train + options.val + options.test
    done = 0
    for split in SPLITS:
        written = []
        for picture in _write_split(options, split, folder / split / "data"):
            written.append(picture)
            done += 1
            reporter.progress("drawing barcode scenes", done, total)
        labels = _labels(options, split, written)
        text = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
        (folder / split / "labels.json").write_text(text + "\n", encoding="utf-8")
        _count(options, split, written, facts)
    share = facts["read"]["all"]["all"]
    reporter.log(
        f"{total} barcode scenes with {sum(facts['symbols']['all'].values())} symbols, "
        f"of which zxing-cpp reads {share:.0%}"
    )
    return facts


def _write_split(options: BarcodeOptions, split: str, folder: Path) -> Iterator[_Written]:
    folder.mkdir(parents=True, exist_ok=True)
    count = getattr(options, split)
    workers = options.workers or os.cpu_count() or 1

    def write(index: int) -> _Written:
        scene = make_scene(options, split, index)
        file = folder / f"{split}_{index:06d}.jpg"
        _, coded = cv2.imencode(".jpg", scene.picture, [cv2.IMWRITE_JPEG_QUALITY, options.quality])
        file.write_bytes(coded.tobytes())
        height, width = scene.picture.shape[:2]
        readable = _read(options, scene)
        # The picture isn't needed any more; a big set wouldn't fit into memory.
        scene.picture = scene.picture[:0]
        return _Written(file.name, scene, (width, height), readable)

    threads = cv2.getNumThreads()
    # Pictures are drawn side by side; OpenCV's own threads would only get in their way.
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(write, range(count))
    finally:
        cv2.setNumThreads(threads)


def _read(options: BarcodeOptions, scene: Scene) -> tuple[bool, ...]:
    """Which symbols a decoder reads from the whole picture or from an upright cut-out."""
    if not scene.placed:
        return ()
    grey = cv2.cvtColor(scene.picture, cv2.COLOR_BGR2GRAY)
    whole = read(grey, options.symbologies)
    return tuple(
        placed.symbol.text in whole
        or placed.symbol.text in read(_upright(grey, placed), [placed.symbol.symbology])
        for placed in scene.placed
    )


def _upright(grey: Picture, placed: Placed) -> Picture:
    """Cut a symbol out, straightened, with room for its quiet zone."""
    corners = placed.corners
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2
    room = 0.15 * max(width, height)
    x0, y0, x1, y1 = room, room, room + width, room + height
    straight = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, straight)
    size = (round(x1 + room), round(y1 + room))
    cut: Picture = cv2.warpPerspective(grey, matrix, size, flags=cv2.INTER_CUBIC)
    return cut


def _class_of(options: BarcodeOptions, symbology: str) -> str:
    kind = next(kind for name, kind in KINDS.items() if name == symbology)
    if options.classes == "family":
        return "linear" if kind.linear else "matrix"
    return kind.name


def _labels(options: BarcodeOptions, split: str, written: list[_Written]) -> dict[str, Any]:
    names = class_names(options)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, picture in enumerate(written, 1):
        width, height = picture.size
        images.append(
            {
                "id": index,
                "file_name": picture.file_name,
                "width": width,
                "height": height,
                "background": picture.scene.background,
            }
        )
        for placed, was_read in zip(picture.scene.placed, picture.read, strict=True):
            x0, y0, x1, y1 = placed.box
            outline = placed.corners.astype(float)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": names.index(_class_of(options, placed.symbol.symbology)) + 1,
                    "bbox": [round(float(v), 2) for v in (x0, y0, x1 - x0, y1 - y0)],
                    "area": round(float(cv2.contourArea(placed.corners)), 2),
                    "iscrowd": 0,
                    "segmentation": [np.round(outline, 2).reshape(-1).tolist()],
                    "symbology": placed.symbol.symbology,
                    "payload": placed.symbol.text,
                    "read": was_read,
                    **_line(placed),
                }
            )
    return {
        "info": {"description": f"Synthetic barcode scenes, {split}", "seed": options.seed},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, 1)],
    }


def _line(placed: Placed) -> dict[str, Any]:
    """What the line under a symbol says, and where it is."""
    if placed.line is None:
        return {}
    corners = placed.line.astype(float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return {
        "text": placed.text,
        "text_bbox": [round(float(v), 2) for v in (*low, *(high - low))],
        "text_segmentation": [np.round(corners, 2).reshape(-1).tolist()],
    }


def _count(
    options: BarcodeOptions, split: str, written: list[_Written], facts: dict[str, Any]
) -> None:
    symbols: Counter[str] = Counter()
    reads: Counter[str] = Counter()
    for picture in written:
        for placed, was_read in zip(picture.scene.placed, picture.read, strict=True):
            name = _class_of(options, placed.symbol.symbology)
            symbols[name] += 1
            reads[name] += was_read
    facts["pictures"][split] = len(written)
    facts["empty"][split] = sum(not picture.scene.placed for picture in written)
    facts["symbols"][split] = {name: symbols[name] for name in class_names(options)}
    facts.setdefault("_reads", {})[split] = {name: reads[name] for name in class_names(options)}
    if split != SPLITS[-1]:
        return
    counted = facts.pop("_reads")
    for table in (facts["symbols"], counted):
        table["all"] = {
            name: sum(table[part][name] for part in SPLITS) for name in class_names(options)
        }
    for part, row in facts["symbols"].items():
        shares = {name: counted[part][name] / max(1, number) for name, number in row.items()}
        shares["all"] = sum(counted[part].values()) / max(1, sum(row.values()))
        facts["read"][part] = {name: round(share, 4) for name, share in shares.items()}
