"""Training pictures a second on one core, beside OpenCV's bare decoding and a plain mosaic loop.

    python -m tests.benchmarks.bench_loader

Each row is measured in short blocks that take turns with its rival's; what is said is the median
of the blocks' ratios. Then the memory of a loader on 1,000 and on 100,000 pictures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from models.detection.augmentation import Augmentation
from models.detection.augmentation_options import AugmentationOptions
from models.detection.dataset import Changes, Pictures, read_labels
from models.preprocessing import Preprocessing
from models.training.options import CacheOptions
from models.training.order import Key
from models.training.picture_cache import PictureCache

SIDE = 640
PICTURES = 64
BLOCKS = 9
INPUT = Preprocessing(height=SIDE, width=SIDE)
DEFAULT = AugmentationOptions()
FULL = AugmentationOptions(
    affine=1.0, colour=1.0, photometric=0.5, zoom_out=0.3, iou_crop=0.5, gamma=0.2, blur=0.1,
    noise=0.1, coarse_dropout=0.1,
)  # fmt: skip
MOSAIC = AugmentationOptions(mosaic=1.0, flip=0.5, affine=0.0, colour=0.0, blur=0.0, noise=0.0)


def write_dataset(folder: Path, pictures: int, drawn: int) -> Path:
    """Write a prepared dataset with photographs-like noise; files beyond `drawn` are links."""
    data = folder / "train" / "data"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for index in range(pictures):
        name = f"picture-{index:06}.jpg"
        if index < drawn:
            coarse = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            smooth = cv2.resize(coarse, (SIDE, 480), interpolation=cv2.INTER_CUBIC)
            noise = rng.normal(0, 6, smooth.shape)
            image = np.clip(smooth + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(data / name), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        images.append({"id": index, "file_name": name, "width": SIDE, "height": 480})
        for _ in range(7):
            x, y = rng.integers(0, 500), rng.integers(0, 380)
            box = [int(x), int(y), 60, 50]
            annotations.append(
                {"id": len(annotations), "image_id": index, "category_id": 1, "bbox": box}
            )
    content = {"images": images, "annotations": annotations, "categories": []}
    (folder / "train" / "labels.json").write_text(json.dumps(content))
    description = {"family": "detection", "classes": ["thing"], "category_ids": [1]}
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


def compare(ours: Callable[[int], object], rival: Callable[[int], object]) -> tuple[float, float]:
    """Measure in alternating blocks.

    Returns:
        Our pictures a second, and the median of the ratios to the rival's.
    """
    rates, ratios = [], []
    for block in range(-1, BLOCKS):
        seconds = []
        for work in (ours, rival) if block % 2 else (rival, ours):
            start = time.process_time()
            for index in range(PICTURES):
                work(index)
            seconds.append(time.process_time() - start)
        mine, other = seconds if block % 2 else seconds[::-1]
        if block >= 0:  # the first one warms up
            rates.append(PICTURES / mine)
            ratios.append(other / mine)
    return median(rates), median(ratios)


def plain_mosaic(pictures: Pictures) -> Callable[[int], object]:
    """Write a mosaic as one would by hand: decoded pictures in a list, a canvas, one warp."""
    scenes = [pictures.bare(index) for index in range(PICTURES)]
    rng = np.random.default_rng(0)

    def make(index: int) -> object:
        canvas = np.full((2 * SIDE, 2 * SIDE, 3), 114, np.uint8)
        x, y = (int(value) for value in rng.integers(SIDE // 2, 3 * SIDE // 2, 2))
        boxes = []
        for place, which in enumerate([index, *rng.integers(0, PICTURES, 3)]):
            image = scenes[which].image
            height, width = image.shape[:2]
            left, top = (x - width, x)[place % 2], (y - height, y)[place // 2]
            x1, y1 = max(left, 0), max(top, 0)
            x2, y2 = min(left + width, 2 * SIDE), min(top + height, 2 * SIDE)
            canvas[y1:y2, x1:x2] = image[y1 - top : y2 - top, x1 - left : x2 - left]
            boxes.append(scenes[which].boxes + np.array([left, top, left, top], np.float32))
        scale, angle = rng.uniform(0.5, 1.0), rng.uniform(-10, 10)
        matrix = cv2.getRotationMatrix2D((SIDE, SIDE), angle, scale)
        matrix[:, 2] += rng.uniform(-0.1, 0.1, 2) * SIDE - SIDE / 2
        made = cv2.warpAffine(canvas, matrix, (SIDE, SIDE), borderValue=(114, 114, 114))
        every = np.concatenate(boxes)
        corners = every[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        moved = corners @ matrix[:, :2].T + matrix[:, 2]
        found = np.clip(np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1), 0, SIDE)
        if rng.random() < 0.5:
            made = cv2.flip(made, 1)
            found[:, [0, 2]] = SIDE - found[:, [2, 0]]
        return made, found

    return make


MEMORY = """
import os, sys
from pathlib import Path
import numpy, cv2, torch
from models.detection.dataset import Pictures, collate, read_labels
from models.preprocessing import Preprocessing
from models.training.options import CacheOptions
from models.training.order import TrainingLoader, TrainingOrder
from models.training.picture_cache import PictureCache
def most():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
def anonymous(of):
    lines = Path(f"/proc/{of}/smaps_rollup").read_text().splitlines()
    return sum(int(l.split()[1]) for l in lines if l.startswith(("Private_Dirty", "Private_Clean")))
before = most()
labels = read_labels(Path(sys.argv[1]), "train")
after = most()
none = PictureCache(CacheOptions(where="none"), Path("."))
data = Pictures(labels, Preprocessing(height=640, width=640), none)
class Some(torch.utils.data.Dataset):
    def __getitem__(self, key):
        # Labels of many pictures, pixels of few: references are counted all over the arrays.
        for index in range(key.picture, len(labels), 97):
            labels.files[index], labels.boxes[index], labels.labels[index], labels.sizes[index]
        return data[key.picture % 64]
loader = torch.utils.data.DataLoader(
    Some(), batch_sampler=TrainingOrder(len(labels), 8, 0), num_workers=2, collate_fn=collate
)
batches = iter(loader)
for _ in range(40): next(batches)
workers = [anonymous(w.pid) for w in batches._workers]
print(before, after, max(workers), most())
os._exit(0)
"""


def memory(folder: Path) -> list[float]:
    """Run a loader in a process of its own; give MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(folder)], capture_output=True, text=True, check=True
    )
    return [int(number) / 1024 for number in done.stdout.split()]


def main() -> None:
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as name:
        labels = read_labels(write_dataset(Path(name, "small"), PICTURES, PICTURES), "train")
        files = [labels.folder / file for file in labels.files]

        def pictures(where: str, options: AugmentationOptions | None) -> Pictures:
            cache = PictureCache(CacheOptions.model_validate({"where": where}), Path(name))
            changes = Changes(Augmentation(options, INPUT.fill)) if options else None
            return Pictures(labels, INPUT, cache, changes)

        def decode(index: int) -> object:
            return cv2.imdecode(np.fromfile(files[index], np.uint8), cv2.IMREAD_COLOR_RGB)

        epoch = 0

        def training(source: Pictures) -> Callable[[int], object]:
            def make(index: int) -> object:
                nonlocal epoch
                epoch += 1
                return source[Key(epoch, index, 0)]

            return make

        letterbox = pictures("none", None)
        mosaic = pictures("memory", MOSAIC)
        rows = [
            ("letterbox", letterbox.__getitem__, decode, "decode", 0.7),
            ("default augmentation", training(pictures("none", DEFAULT)), decode, "decode", 0.35),
            ("full augmentation", training(pictures("none", FULL)), decode, "decode", 0.35),
            ("mosaic, pictures cached", training(mosaic), plain_mosaic(mosaic), "by hand", 0.9),
        ]
        print(f"{PICTURES} JPEGs of 640x480 to {SIDE} px, one core, processor time")
        for title, ours, rival, what, wanted in rows:
            rate, ratio = compare(ours, rival)
            print(f"{title:26} {rate:7.0f} /s  {ratio:5.2f} of {what} (wanted {wanted})")
        print("memory, MiB           start  labels read  worker's own  in all")
        for count in (1000, 100_000):
            found = memory(write_dataset(Path(name, str(count)), count, 64))
            print(f"{count:8} pictures   {found[0]:8.0f} {found[1]:12.0f} {found[2]:13.0f}"
                  f" {found[3]:8.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
