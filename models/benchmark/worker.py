"""One form of a model, measured in a process of its own: `python -m models.benchmark.worker`.

The job comes as JSON on standard input, events go as JSON lines to what was standard output; what
libraries print goes to standard error. So memory and start time are this form's alone, and one
that kills its process doesn't take the benchmark along.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.benchmark.blocks import timed_calls
from models.benchmark.candidates import SETTINGS, Variant, alone
from models.benchmark.hardware import gpu_memory_mb
from models.benchmark.memory import memory_mb, peak_mb, reset_peak
from models.bootstrap import resampled_figures
from models.families import family
from models.package import ModelPackage
from models.reporting import Image
from models.runtimes import Predictor, load_predictor

Tell = Callable[..., None]
_METRIC_BATCH = 8
_LONGEST = 400


@dataclass(frozen=True)
class Job:
    """What a worker is to do. All paths are absolute."""

    package: str
    file: str
    """The artifact."""
    runtime: str
    variant: Variant
    device: str
    threads: int | None
    pictures: str
    """Folder with decoded pictures, as `.npy`."""
    seconds: float
    """Of this round."""
    batches: tuple[int, ...]
    metric_pictures: int
    """0 measures no accuracy."""
    resamples: int
    """On which the main metric is measured too."""
    dataset: str
    split: str

    def text(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self))


def work(job: Job, tell: Tell) -> None:
    """Load, predict once, time, and measure the accuracy; tell each as soon as it is known.

    Raises:
        ValueError: the form can't be loaded here.
    """
    pictures: list[Image] = [
        np.load(file, allow_pickle=False) for file in sorted(Path(job.pictures).glob("*.npy"))
    ]
    package = alone(ModelPackage.load(job.package, verify=False), job.file)
    base = memory_mb()
    start = time.perf_counter()
    most = max(job.batches, default=1)
    predictor = load_predictor(
        package,
        job.runtime,
        job.device,
        job.threads,
        batch_size=max(most, _METRIC_BATCH),
        **SETTINGS[job.variant],
    )
    loaded = time.perf_counter() - start
    with predictor:
        opened = predictor.engine.artifact
        if opened != job.file:
            raise ValueError(f"the runtime {job.runtime} opened {opened} in place of {job.file}")
        tell("loaded", seconds=loaded, device=predictor.engine.device, base=base)
        predictor(pictures[:1])
        tell("first")
        _time_single(predictor, pictures, job.seconds / 2, tell)
        working = [n for n in job.batches if _time_batch(predictor, pictures, n, job, tell)]
        if job.metric_pictures:
            fitting = [size for size in working if size <= _METRIC_BATCH]
            predictor.batch_size = max(fitting, default=1)
            _measure(predictor, job, tell)


def _time_single(
    predictor: Predictor, pictures: Sequence[Image], seconds: float, tell: Tell
) -> None:
    inputs, _ = predictor.package.card.preprocessing(pictures[:1])
    network = timed_calls(lambda: predictor.engine(inputs), seconds / 3)
    turn = _Turn(pictures)
    whole = timed_calls(lambda: predictor(turn.next(1)), seconds * 2 / 3)
    tell(
        "single",
        network=network.times,
        end_to_end=whole.times,
        memory=peak_mb(),
        gpu_memory=gpu_memory_mb(),
        cores=whole.cores,
    )


def _time_batch(
    predictor: Predictor, pictures: Sequence[Image], size: int, job: Job, tell: Tell
) -> bool:
    seconds = job.seconds / 2 / len(job.batches) / 2
    turn = _Turn(pictures)
    reset_peak()
    try:
        inputs, _ = predictor.package.card.preprocessing(turn.next(size))
        network = timed_calls(lambda: predictor.engine(inputs), seconds)
        whole = timed_calls(lambda: predictor(turn.next(size)), seconds)
    except (
        Exception
    ) as error:  # such as a graph with a fixed batch; runtimes have errors of their own
        tell("batch", size=size, problem=one_line(error))
        return False
    tell("batch", size=size, network=network.times, end_to_end=whole.times, memory=peak_mb())
    return True


def _measure(predictor: Predictor, job: Job, tell: Tell) -> None:
    card = predictor.package.card
    validation = family(card.family).validation(
        card, Path(job.dataset), job.split, job.metric_pictures
    )
    done = 0

    def predict(images: Sequence[Image], threshold: float | None) -> list[Any]:
        nonlocal done
        results: list[Any] = []
        for start in range(0, len(images), predictor.batch_size):
            part = images[start : start + predictor.batch_size]
            results += predictor(part, threshold)
            done += len(part)
            tell("measuring", done=done, total=len(validation))
        return results

    measurement = validation.measure_each(predict)
    count = job.resamples if np.isfinite(measurement.figure()) else 0
    figures = resampled_figures(measurement, len(validation), count)
    resampled = [float(value) if np.isfinite(value) else None for value in figures.round(6)]
    tell("metrics", values=measurement.values, resampled=resampled)


class _Turn:
    """Hands pictures out in turn, so that no call sees only one."""

    def __init__(self, pictures: Sequence[Image]) -> None:
        self._pictures = pictures
        self._place = 0

    def next(self, count: int) -> list[Image]:
        first, self._place = self._place, self._place + count
        return [self._pictures[(first + n) % len(self._pictures)] for n in range(count)]


def one_line(error: BaseException) -> str:
    """Say what went wrong in one line; of a user's mistake the message alone."""
    text = " ".join(str(error).split())[:_LONGEST]
    if isinstance(error, ValueError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    job["batches"] = tuple(job["batches"])
    # Libraries print to standard output: the events get a file of their own.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(event: str, **values: Any) -> None:
        events.write(json.dumps({"event": event, **values}) + "\n")

    try:
        work(Job(**job), tell)
    except Exception as error:  # whatever it was: it becomes a row
        import traceback

        traceback.print_exc()
        tell("failed", problem=one_line(error), refused=isinstance(error, ValueError))
    else:
        tell("done")
    sys.stdout.flush()
    events.flush()
    # Taking a runtime apart can crash or take seconds, and nothing is left to be kept.
    os._exit(0)


if __name__ == "__main__":
    main()
