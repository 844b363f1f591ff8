"""`predict` beside its parts alone: `python -m tests.benchmarks.bench_predict [PACKAGE]`.

Decoding, network, and drawing with writing are each run alone over the same JPEG pictures, then all
together. No arrangement of threads can be faster than the slowest part alone, nor than all parts'
core-seconds shared by the cores; `bound` is the larger of the two, and `ratio` what all together
take of it. Rounds take turns; medians are printed. Then the process's memory over a long video.

Without a package, D-FINE on ResNet-10t at 256 px with random weights is taken.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from models.families import family
from models.package import ModelPackage
from models.prediction import PredictionOptions, flow
from models.prediction.flow import Flow
from models.prediction.predict import predict
from models.prediction.reading import Reader
from models.prediction.runtime import best_runtime
from models.prediction.sources import Sources
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.outputs import open_sinks
from models.prediction.writing.sinks import Seen
from models.reporting import Silence
from models.runtimes import load_predictor
from tests.benchmarks.bench_runtimes import random_package

CORES = len(os.sched_getaffinity(0))
SIZES = ((480, 640), (600, 800), (640, 640))


def write_pictures(folder: Path, count: int) -> None:
    """Write JPEG pictures that compress about as photographs do."""
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        coarse = random.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noise = random.integers(0, 12, picture.shape, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), cv2.add(picture, noise))


def write_video(path: Path, frames: int) -> None:
    """Write a video of 640 x 360 pixels at 25 frames a second."""
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 360)
    )
    frame = np.random.default_rng(0).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 5)
    for number in range(frames):
        writer.write(np.roll(frame, 3 * number, axis=1))
    writer.release()


def _nothing(
    batches: Iterable[Sequence[Any] | None],
) -> Generator[Sequence[Any], None, None]:
    for batch in batches:
        if batch is not None:
            yield batch


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Give seconds by the clock and seconds of all cores together."""
    time.sleep(0.3)
    cpu, start = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


class Parts:
    """The parts of `predict` over the same pictures."""

    def __init__(
        self, package: ModelPackage, folder: Path, scratch: Path, options: PredictionOptions
    ) -> None:
        self.package, self.folder, self.scratch, self.options = package, folder, scratch, options
        self.presenter = family(package.card.family).presenter(package.card)
        self.predictor = load_predictor(
            package,
            options.runtime or "",
            "cpu",
            options.threads,
            batch_size=options.batch or 1,
            mode="throughput" if options.runtime == "openvino" else "latency",
        )
        # Every tenth is kept and used ten times: all of them would fill the memory.
        kept = list(self._reader())[::10]
        self.kept = [(one.place, one.decode()) for one in kept]
        self.results = [self.predictor([image], options.threshold)[0] for _, image in self.kept]
        self.runs = 0

    def _reader(self) -> Reader:
        sources = Sources([str(self.folder)])
        return Reader(sources, self.options, lambda *_: None)

    def decode(self) -> None:
        """Read and decode all, in as many threads as `predict` does."""
        made: Flow[None] = Flow(_nothing, lambda *_: None, lambda *_: None)
        for _ in made.run(self._reader()):
            pass

    def network(self) -> None:
        """Preprocess, run and postprocess all."""
        batch = self.options.batch or 1
        images = [image for _, image in self.kept] * 10
        batches = (images[start : start + batch] for start in range(0, len(images), batch))
        for _ in self.predictor.stream(batches, self.options.threshold):
            pass

    def write(self) -> None:
        """Draw and write all."""
        self.runs += 1

        def render(number: int) -> list[Any]:
            place, image = self.kept[number % len(self.kept)]
            seen = Seen(place, image, self.results[number % len(self.kept)], self.presenter)
            return [sink.render(seen) for sink in sinks]

        with (
            ResultsFolder(self.scratch / f"write-{self.runs}") as folder,
            open_sinks(folder, self.presenter, self.options) as sinks,
            ThreadPoolExecutor(min(8, CORES)) as pool,
        ):
            for number, parts in enumerate(pool.map(render, range(10 * len(self.kept)))):
                for sink, part in zip(sinks, parts, strict=True):
                    sink.write(self.kept[number % len(self.kept)][0], part)

    def together(self) -> None:
        """Run `predict`, without what loading the model takes."""
        self.runs += 1
        out = self.scratch / f"all-{self.runs}"
        done = predict(self.package, [str(self.folder)], out, self.options, Silence())
        self.seconds = done.seconds


def resident_mb() -> float:
    """Give this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--save", default="pictures,jsonl")
    parser.add_argument("--niceness", type=int, help="of the threads that decode and draw")
    given = parser.parse_args()
    if given.niceness is not None:
        flow._LOWER = given.niceness
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        package = ModelPackage.load(given.package) if given.package else random_package(scratch)
        runtime = given.runtime or best_runtime(package, "cpu")
        options = PredictionOptions(
            runtime=runtime,
            device="cpu",
            batch=given.batch,
            threads=given.threads,
            save=tuple(given.save.split(",")),
        )
        (scratch / "in").mkdir()
        write_pictures(scratch / "in", given.pictures)
        parts = Parts(package, scratch / "in", scratch, options)
        rows: dict[str, list[tuple[float, float]]] = {}
        for _ in range(given.rounds):
            for part in ("decode", "network", "write"):
                rows.setdefault(part, []).append(timed(getattr(parts, part)))
            cpu = timed(parts.together)[1]
            rows.setdefault("together", []).append((parts.seconds, cpu))
        print(f"{given.pictures} pictures, {runtime}, batch {given.batch}, {CORES} cores")
        print(f"{'part':<10}{'seconds':>10}{'core-seconds':>15}{'a second':>10}")
        middle = {n: tuple(median(v) for v in zip(*r, strict=True)) for n, r in rows.items()}
        for part, (seconds, cores) in middle.items():
            print(f"{part:<10}{seconds:>10.2f}{cores:>15.2f}{given.pictures / seconds:>10.1f}")
        alone = [middle[part] for part in ("decode", "network", "write")]
        slowest = max(seconds for seconds, _ in alone)
        shared = sum(cores for _, cores in alone) / CORES
        bound = max(slowest, shared)
        print(f"slowest alone {slowest:.2f} s, core-seconds / cores {shared:.2f} s")
        print(f"ratio {middle['together'][0] / bound:.3f} (wanted: at most 1.15)")
        if given.minutes:
            memory(package, options, scratch, given.minutes)


def memory(
    package: ModelPackage, options: PredictionOptions, scratch: Path, minutes: float
) -> None:
    """Print the process's memory over a long video."""
    frames = int(minutes * 60 * 25)
    write_video(scratch / "long.mp4", frames)
    seen = 0
    rows = []

    def watch() -> bool:
        nonlocal seen
        seen += 1
        if seen in (100, *(frames * share // 4 for share in range(1, 5))):
            rows.append((seen, resident_mb()))
        return False

    given = options.model_copy(update={"save": ("videos", "jsonl", "coco")})
    done = predict(
        package, [str(scratch / "long.mp4")], scratch / "v", given, Silence(), stop=watch
    )
    print(f"video of {minutes:g} minutes: {done.pictures} frames, {done.rate:.1f} a second")
    for frame, used in rows:
        print(f"  frame {frame:>6}: {used:8.0f} MB")


if __name__ == "__main__":
    main()
