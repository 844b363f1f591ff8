"""Near-duplicates: how many of made ones are found, what is found wrongly, and how long it takes.

    python -m tests.benchmarks.bench_duplicates [FOLDER ...] [--pictures 100000]

Each folder of pictures (the drawn scenes of the tests unless given) gets copies of 60 of its
pictures, changed in each way; a picture found to be nearly the same as another one of the folder
itself is named, to be looked at. The floor of the time is one product of the thumbnails' matrix
with itself, half of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from models.data.near_duplicates import find_near_duplicates
from models.data.pictures import THUMBNAIL, check_picture
from tests.models.data.test_near_duplicates import CHANGES, again, scene

SUFFIXES = (".jpg", ".jpeg", ".png")


def quality(files: list[Path], room: Path) -> None:
    """Print recall by change, and the pairs that nobody made."""
    facts = [check_picture(file) for file in files]
    own = find_near_duplicates(files, facts)
    print(f"{len(files)} pictures of their own; pairs among them:")
    for pair in own:
        print(f"  {files[pair.first].name} and {files[pair.second].name}: {pair.difference}")
    chosen = files[:: max(len(files) // 60, 1)][:60]
    for name, change in CHANGES.items():
        copies = []
        for file in chosen:
            with Image.open(file) as opened:
                copies.append(room / f"{file.stem}.jpg")
                change(opened.convert("RGB"), copies[-1])
        every = [*files, *copies]
        found = find_near_duplicates(every, [*facts, *map(check_picture, copies)])
        tied = {pair.second for pair in found if pair.second >= len(files)}
        print(f"  {name:22} {len(tied):3} of {len(copies)} found")


def speed(count: int) -> None:
    """Print the time for thumbnails of chance, and that of the bare product."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "a.jpg"
        again(scene(0), file, 90)
        one = check_picture(file)
    thumbnails = rng.integers(0, 256, (count, THUMBNAIL**2), np.uint8)
    facts = [
        dataclasses.replace(one, thumbnail=row.tobytes(), digest=str(index))
        for index, row in enumerate(thumbnails)
    ]
    start = time.perf_counter()
    find_near_duplicates([file] * count, facts)
    ours = time.perf_counter() - start
    matrix = thumbnails.astype(np.float32)
    start = time.perf_counter()
    for block in range(0, count, 1024):
        matrix[block : block + 1024] @ matrix[block:].T
    floor = time.perf_counter() - start
    print(f"{count} pictures: {ours:.1f} s; the bare product {floor:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pictures", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        if not given.folders:
            (room / "scenes").mkdir()
            for seed in range(300):
                again(scene(seed), room / "scenes" / f"{seed}.jpg", 90)
        for source in given.folders or [room / "scenes"]:
            print(source.name)
            quality(sorted(f for f in source.rglob("*") if f.suffix.lower() in SUFFIXES), room)
    speed(given.pictures)
