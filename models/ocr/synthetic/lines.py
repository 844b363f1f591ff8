"""The built-in source: lines of text as they stand under barcodes, with what they say."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel

from models.data.splits import SPLITS
from models.ocr.synthetic.capture import look, photograph
from models.ocr.synthetic.options import LineOptions
from models.ocr.synthetic.payloads import draw_payload, place
from models.ocr.synthetic.press import ink_on_paper, wear
from models.reporting import Reporter
from models.synthetic.fonts import FAMILIES, Face, faces
from models.synthetic.fonts.faces import TALL
from models.synthetic.symbols import read
from models.synthetic.textures import Picture
from models.synthetic.typesetting import set_line

_NUMBERS = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True)
class Line:
    """A picture of a line and what is known about it."""

    picture: Picture
    """BGR."""
    text: str
    symbology: str
    font: str
    bars: bool


def split_fonts(options: LineOptions, split: str) -> Sequence[str]:
    """Fonts that the lines of a split are set in."""
    given: tuple[str, ...] = getattr(options, f"{split}_fonts")
    return given or tuple(family.name for family in FAMILIES.values() if family.split == split)


def make_line(options: LineOptions, split: str, index: int) -> Line:
    """Draw line `index` of a split; it depends on nothing but the arguments and the fonts."""
    seed = (options.seed, _NUMBERS[split])
    symbol = draw_payload(place(options.symbologies, index), split, seed)
    rng = np.random.default_rng([*seed, 0, index])
    fonts = split_fonts(options, split)
    face = _face(rng, faces(fonts[int(rng.integers(len(fonts)))]))
    above = options.bars == "above" or (options.bars == "mixed" and bool(rng.random() < 0.5))
    flat = set_line(rng, symbol, face, float(rng.uniform(0.22, 0.6)) if above else 0.0)
    low, high = np.log(options.text_heights)
    tall = float(np.exp(rng.uniform(low, high)))
    cover = wear(rng, flat.cover, options.difficulty)

    finer = min(1.0, 2 * tall / TALL)
    size = (round(cover.shape[1] * finer), round(cover.shape[0] * finer))
    cover = np.asarray(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), np.uint8)
    printed = ink_on_paper(rng, cover, options.difficulty)
    scale = tall / (finer * TALL)
    view = look(rng, size, scale, tall, options.difficulty)
    x0, y0, x1, y1 = (value * finer for value in (flat.whole if above else flat.line))
    middle = (x0 + x1) / 2
    outline = [[x0, y0], [middle, y0], [x1, y0], [x1, y1], [middle, y1], [x0, y1]]
    found = view.place(np.array(outline))
    room = tall * np.array([rng.uniform(0.1, 0.9, 2), rng.uniform(0.06, 0.4, 2)])
    left, top = np.floor(found.min(axis=0) - room[:, 0]).astype(int).tolist()
    right, bottom = np.ceil(found.max(axis=0) + room[:, 1]).astype(int).tolist()
    frame = (left, top, right, bottom)
    picture = photograph(rng, printed, view, frame, tall, options.difficulty)
    return Line(picture, flat.text, symbol.symbology, face.family, above)


def _face(rng: np.random.Generator, weights: Sequence[Face]) -> Face:
    """Regular and medium are printed more than bold."""
    likely = np.linspace(1, 0.5, len(weights))
    return weights[int(rng.choice(len(weights), p=likely / likely.sum()))]


def synthesize(options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Write lines as `train|val|test/data/*.jpg` and `train|val|test/labels.jsonl`.

    Each row of `labels.jsonl` has `file`, `text` (without the gaps between groups), `symbology`,
    `font` and whether `bars` stand above. The splits share neither font families nor texts.

    Args:
        options: `LineOptions`; the same ones, and the same fonts, give the same bytes.
        folder: Where to write; made if need be.
        reporter: Told about the progress.

    Returns:
        Lines by split and symbology, font families by split, and the share of bars that zxing-cpp
        reads where bars are asked for.

    Raises:
        ValueError: a font isn't there.
    """
    if not isinstance(options, LineOptions):
        raise TypeError(f"expected LineOptions, got {type(options).__name__}")
    for split in SPLITS:
        for font in split_fonts(options, split):
            faces(font)  # says what isn't installed before any work
    facts: dict[str, Any] = {"lines": {}, "symbologies": {}, "fonts": {}}
    total, done, whole, reads = options.train + options.val + options.test, 0, 0, 0
    for split in SPLITS:
        rows = []
        for row, was_read in _write_split(options, split, folder / split / "data"):
            rows.append(row)
            done += 1
            whole += row["bars"]
            reads += was_read
            reporter.progress("drawing lines", done, total)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / split / "labels.jsonl").write_text(text, encoding="utf-8", newline="\n")
        facts["lines"][split] = len(rows)
        facts["symbologies"][split] = dict(Counter(row["symbology"] for row in rows))
        facts["fonts"][split] = dict(sorted(Counter(row["font"] for row in rows).items()))
    told = f"{total} lines in {sum(map(len, facts['fonts'].values()))} font families"
    if whole:
        facts["read"] = round(reads / whole, 4)
        told += f"; zxing-cpp reads {facts['read']:.0%} of the {whole} with bars"
    reporter.log(told)
    return facts


def _write_split(
    options: LineOptions, split: str, folder: Path
) -> Iterator[tuple[dict[str, Any], bool]]:
    folder.mkdir(parents=True, exist_ok=True)

    def write(index: int) -> tuple[dict[str, Any], bool]:
        line = make_line(options, split, index)
        file = folder / f"{split}_{index:06d}.jpg"
        _, coded = cv2.imencode(".jpg", line.picture, [cv2.IMWRITE_JPEG_QUALITY, options.quality])
        file.write_bytes(coded.tobytes())
        row = {
            "file": f"data/{file.name}",
            "text": line.text,
            "symbology": line.symbology,
            "font": Path(line.font).stem if line.font not in FAMILIES else line.font,
            "bars": line.bars,
        }
        grey = cv2.cvtColor(line.picture, cv2.COLOR_BGR2GRAY) if line.bars else None
        was_read = grey is not None and any(
            text.endswith(line.text) for text in read(grey, options.symbologies)
        )
        return row, was_read

    threads = cv2.getNumThreads()
    # Pictures are drawn side by side; OpenCV's own threads would only get in their way.
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(options.workers or os.cpu_count() or 1) as pool:
            yield from pool.map(write, range(getattr(options, split)))
    finally:
        cv2.setNumThreads(threads)
