"""The benchmark against a bare loop: `python tests/benchmarks/bench_harness.py [PACKAGE DATASET]`.

For each form that can run here, the median of a loop by hand in a process of its own (load the
runtime's engine, warm up, call) stands beside what `models.benchmark` says of the same file, for
the network alone and from a picture to results. The two take turns, and the best turn of each
counts: other work on the machine then matters less, and least in the fastest call. On an idle
machine they should agree within a few per cent. Without arguments, an untrained network and noise
are taken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from models.benchmark import BenchmarkOptions
from models.benchmark.measuring import benchmark
from models.package import ModelPackage
from models.reporting import Silence
from models.runtimes import RUNTIMES

LOOP = """
import json, statistics, sys, time
import numpy as np
from models.runtimes import load_predictor
package, runtime, folder, threads, seconds = sys.argv[1:]
from pathlib import Path
pictures = [np.load(file) for file in sorted(Path(folder).glob("*.npy"))]
predictor = load_predictor(package, runtime, "auto", int(threads) or None)
inputs, _ = predictor.package.card.preprocessing(pictures[:1])
time.sleep(0.2)
for _ in range(10):
    predictor.engine(inputs)
times, end, n = [], time.perf_counter() + float(seconds) / 3, 0
while time.perf_counter() < end:
    start = time.perf_counter(); predictor.engine(inputs)
    times.append(time.perf_counter() - start)
network, fastest = statistics.median(times), min(times)
time.sleep(0.2)
for _ in range(10):
    predictor(pictures[:1])
times, end = [], time.perf_counter() + float(seconds) * 2 / 3
while time.perf_counter() < end:
    one = [pictures[n % len(pictures)]]; n += 1
    start = time.perf_counter(); predictor(one)
    times.append(time.perf_counter() - start)
print(json.dumps([network * 1e3, fastest * 1e3, statistics.median(times) * 1e3, min(times) * 1e3]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("dataset", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves it to the runtime")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each in each turn")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)
        package = given.package or random_package(room)
        dataset = given.dataset or noise(room / "data", ModelPackage.load(package))
        compare(package.resolve(), dataset, room, given)


def compare(package: Path, dataset: Path, room: Path, given: argparse.Namespace) -> None:
    from models.families import family

    card = ModelPackage.load(package).card
    held = family(card.family).validation(card, dataset, "test", 8)
    pictures = room / "pictures"
    pictures.mkdir()
    for index in range(len(held)):
        np.save(pictures / f"{index}.npy", held.picture(index))
    print(f"{'ms, loop by hand and benchmark':<40}", end="")
    print(*(f"{name:<26}" for name in ("    network p50", "fastest", "whole p50", "fastest")))
    formats = {artifact.format for artifact in card.artifacts}
    for runtime in [name for name, entry in RUNTIMES.items() if entry.format in formats]:
        options = BenchmarkOptions(
            seconds=given.seconds * 2,  # half of it is for batches, of which there are none here
            rounds=1,
            batches=(),
            metric_pictures=0,
            threads=given.threads or None,
            bfloat16="never",
            runtimes=(runtime,),
        )
        turns: list[list[float]] = []
        for _ in range(given.turns):
            row = benchmark(package, dataset, options, Silence()).rows[0]
            if row.end_to_end is None or row.network is None:
                print(f"{row.label:<40} {row.problem}")
                break
            loop = by_hand(package, runtime, pictures, given)
            ours = [
                row.network.p50,
                row.network.fastest,
                row.end_to_end.p50,
                row.end_to_end.fastest,
            ]
            turns.append([*loop, *ours])
        if turns:
            best = [min(column) for column in zip(*turns, strict=True)]
            pairs = "".join(
                f"{loop:10.3f} {ours:8.3f} {ours / loop - 1:+6.1%}"
                for loop, ours in zip(best[:4], best[4:], strict=True)
            )
            print(f"{row.label:<40}{pairs}")


def by_hand(package: Path, runtime: str, pictures: Path, given: argparse.Namespace) -> list[float]:
    words = [str(package), runtime, str(pictures), str(given.threads), str(given.seconds)]
    done = subprocess.run(
        [sys.executable, "-c", LOOP, *words],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


def random_package(folder: Path) -> Path:
    """Make a package with all forms of an untrained network (times don't depend on weights)."""
    sys.path.insert(0, str(Path(__file__).parent))
    from bench_runtimes import random_package as make

    made: Path = make(folder).folder
    return made


def noise(folder: Path, package: ModelPackage) -> Path:
    """Write a prepared dataset of noise with the package's classes."""
    import cv2

    data = folder / "test" / "data"
    data.mkdir(parents=True)
    random = np.random.default_rng(0)
    images = []
    for number in range(8):
        cv2.imwrite(str(data / f"{number}.png"), random.integers(0, 255, (480, 640, 3), np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "width": 640, "height": 480})
    names = package.card.class_names
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(names)]
    labels = {"images": images, "annotations": [], "categories": categories}
    (folder / "test" / "labels.json").write_text(json.dumps(labels))
    description = {"family": "detection", "classes": list(names), "pictures": {"test": 8}}
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


if __name__ == "__main__":
    main()
