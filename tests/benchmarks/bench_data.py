"""Pictures a second: drawing barcode scenes, and preparing them against decoding alone.

All figures come from one run on the same pictures; `prepare` is measured beside the floor that
decoding every file sets, because a lone figure says more about the machine than about the code.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
from PIL import Image

from models.data.pictures import check_pictures
from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.detection.synthetic.barcodes import synthesize
from models.detection.synthetic.options import BarcodeOptions
from models.reporting import Silence

PICTURES = 240


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def decode_all(paths: Sequence[Path], workers: int, reader: Callable[[Path], object]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(reader, paths))


def by_pillow(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def main() -> None:
    workers = os.cpu_count() or 1
    options = BarcodeOptions(train=PICTURES * 2 // 3, val=PICTURES // 6, test=PICTURES // 6)
    rows: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "source"), Path(name, "target")
        for threads in sorted({1, workers}):
            chosen = options.model_copy(update={"workers": threads})
            seconds = best(lambda chosen=chosen: synthesize(chosen, source, Silence()), 2)
            rows.append((f"synthesize, {threads} threads", seconds))
        paths = sorted(source.rglob("*.jpg"))
        cv2.setNumThreads(1)
        rows += [
            (
                f"decode alone, OpenCV, {workers} threads",
                best(lambda: decode_all(paths, workers, lambda path: cv2.imread(str(path)))),
            ),
            (
                f"decode alone, Pillow, {workers} threads",
                best(lambda: decode_all(paths, workers, by_pillow)),
            ),
            (
                f"check pictures, {workers} threads",
                best(lambda: list(check_pictures(paths, workers))),
            ),
            (
                f"prepare, {workers} threads",
                best(lambda: prepare(source, target, PrepareOptions(previews=0), Silence())),
            ),
        ]
    print(f"{PICTURES} pictures, 640x480 and the like")
    for title, seconds in rows:
        print(f"{title:34} {PICTURES / seconds:8.0f} pictures/s")


if __name__ == "__main__":
    main()
