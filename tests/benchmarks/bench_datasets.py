"""A hundred thousand small files as a dataset version, saved and read back on a local stack.

    python -m tests.benchmarks.bench_datasets [--files 100000] [--bytes 4096]

Beside each part stands its floor on the same files: reading and hashing them once with the same
threads, one stored zip of them, and unpacking that zip. The SDK's requests are counted.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from agent.stack import down, up
from components.run.trees import file_hashes

ROOT = Path(__file__).parents[2]
PER_FOLDER = 1000
COUNT = """
import atexit, sys, time
from pathlib import Path
import requests
from clearml import Task
sent = 0
plain = requests.Session.send
def send(*arguments, **named):
    global sent
    sent += 1
    return plain(*arguments, **named)
requests.Session.send = send
"""
SAVE = """
from components.run.tracked_datasets import save_dataset
task = Task.init("bench", "save", auto_connect_frameworks=False, auto_connect_arg_parser=False)
def save():
    begun, before = time.perf_counter(), sent
    done = save_dataset(task, Path(sys.argv[1]), project="bench", name="small", version=None,
        parents=(), tags=(), previews=(), statistics=None, once=f"once:{begun}", increment=True,
        links={})
    print("TOOK", time.perf_counter() - begun, sent - before, done.id)
save()
(Path(sys.argv[1]) / "one-more").write_bytes(b"new")
save()
"""
FETCH = """
from components.run.tracked_datasets import fetch_dataset
begun = time.perf_counter()
copy = fetch_dataset(sys.argv[1], "bench")
print("TOOK", time.perf_counter() - begun, sent, copy.id)
"""


def main() -> None:
    """Save, add one file, save again, fetch, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=4096)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sl-") as room:
        folder, home = Path(room) / "files", Path(room) / "s"
        _write(folder, asked.files, asked.bytes)
        os.environ["HOME"] = room
        hashing = _seconds(lambda: file_hashes(folder))
        zipping = _seconds(lambda: _zip(folder, Path(room) / "floor.zip"))
        unpacking = _seconds(lambda: _unzip(Path(room) / "floor.zip", Path(room) / "floor"))
        try:
            report = up(home=home)
            first, second = _took(report.conf, SAVE, str(folder))
            (cold,) = _took(report.conf, FETCH, second.dataset)
            (warm,) = _took(report.conf, FETCH, second.dataset)
        finally:
            with suppress(Exception):
                down(home=home)
    print(f"{f'{asked.files:,} files of {asked.bytes:,} bytes':40} seconds  requests")
    for name, seconds in (
        ("floor: read and hash all", hashing),
        ("floor: one stored zip", zipping),
        ("floor: unpack it", unpacking),
    ):
        print(f"{name:40} {seconds:7.1f}")
    for name, done in (
        ("save a version", first),
        ("save it with one file more", second),
        ("fetch that version", cold),
        ("fetch it again", warm),
    ):
        print(f"{name:40} {done.seconds:7.1f}  {done.requests:8}")


def _write(folder: Path, files: int, size: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(files):
        if number % PER_FOLDER == 0:
            home = folder / f"{number // PER_FOLDER:04d}"
            home.mkdir(parents=True)
        (home / f"{number:06d}.bin").write_bytes(rng.bytes(size))


def _zip(folder: Path, target: Path) -> None:
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(folder))


def _unzip(source: Path, folder: Path) -> None:
    with ZipFile(source) as archive:
        archive.extractall(folder)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class _Done(NamedTuple):
    seconds: float
    requests: int
    dataset: str


def _took(conf: Path, code: str, *arguments: str) -> list[_Done]:
    """Run code in a process of its own; return what it printed after each TOOK."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT + code, *arguments],
        cwd=ROOT,
        env={**os.environ, "CLEARML_CONFIG_FILE": str(conf), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stdout)
    lines = re.findall(r"^TOOK (\S+) (\S+) (\S+)$", done.stdout, re.MULTILINE)
    return [_Done(float(seconds), int(requests), id_) for seconds, requests, id_ in lines]


if __name__ == "__main__":
    main()
