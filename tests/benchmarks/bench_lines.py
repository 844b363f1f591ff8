"""Lines a second: drawing them, and preparing them against decoding alone; and from tables.

All figures come from one run on the same lines; `prepare` is measured beside the floor that
decoding every file sets. The table is a CSV of the same lines, the crops are cut out of scenes.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from models.data.pictures import check_pictures
from models.detection.synthetic.barcodes import synthesize as draw_scenes
from models.detection.synthetic.options import BarcodeOptions
from models.ocr.data.formats import recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.prepare import prepare
from models.ocr.synthetic.lines import synthesize
from models.ocr.synthetic.options import LineOptions
from models.reporting import Silence

LINES = 600
SCENES = 60


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def as_csv(source: Path) -> None:
    """Write the same lines as a table for each split, and take the JSON away."""
    for labels in source.glob("*/labels.jsonl"):
        rows = [json.loads(line) for line in labels.open(encoding="utf-8")]
        with labels.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("file", "text"), *((row["file"], row["text"]) for row in rows)])
        labels.unlink()


def main() -> None:
    workers = os.cpu_count() or 1
    rows: list[tuple[str, int, float]] = []
    options = PrepareOptions(previews=0)
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "source"), Path(name, "target")
        sizes = {"train": LINES * 2 // 3, "val": LINES // 6, "test": LINES // 6}
        for bars in ("above", "none"):
            for threads in sorted({1, workers}):
                chosen = LineOptions(bars=bars, workers=threads, **sizes)
                seconds = best(lambda chosen=chosen: synthesize(chosen, source, Silence()), 2)
                rows.append((f"draw, bars {bars}, {threads} threads", LINES, seconds))
        paths = sorted(source.rglob("*.jpg"))
        cv2.setNumThreads(1)

        def decode() -> None:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda path: cv2.imread(str(path)), paths))

        rows.append((f"decode alone, OpenCV, {workers} threads", LINES, best(decode)))
        seconds = best(lambda: list(check_pictures(paths, workers)))
        rows.append((f"check pictures, {workers} threads", LINES, seconds))
        seconds = best(lambda: prepare(source, target, options, Silence()))
        rows.append((f"prepare JSONL, {workers} threads", LINES, seconds))
        as_csv(source)
        rows.append(("recognise CSV", LINES, best(lambda: recognise(source))))
        seconds = best(lambda: prepare(source, target, options, Silence()))
        rows.append((f"prepare CSV, {workers} threads", LINES, seconds))
        scenes = Path(name, "scenes")
        given = BarcodeOptions(
            train=SCENES, val=1, test=1, lines=True, turn=12, difficulty=0.25, smallest=0.3
        )
        draw_scenes(given, scenes, Silence())
        labels = json.loads((scenes / "train" / "labels.json").read_text())
        count = sum("text" in row for row in labels["annotations"])
        seconds = best(lambda: prepare(scenes, target, options, Silence()))
        rows.append((f"crops out of {SCENES} scenes", count, seconds))
    print(f"{LINES} lines, digits 13 to 34 pixels high")
    for title, number, seconds in rows:
        print(f"{title:34} {number / seconds:8.0f} lines/s")


if __name__ == "__main__":
    main()
