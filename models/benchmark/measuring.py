"""Rounds over all forms of a model, and of the one it is held against."""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.benchmark.candidates import Candidate, Variant, candidates
from models.benchmark.hardware import Hardware, hardware
from models.benchmark.options import BenchmarkOptions
from models.benchmark.processes import Heard, run_worker
from models.benchmark.record import BenchmarkRecord, Latency, Row, Throughput
from models.benchmark.regressions import mark_regressions
from models.benchmark.worker import Job
from models.families import Validation, family
from models.package import ModelPackage
from models.reporting import Reporter

_HELD_PICTURES = 32
_HELD_BYTES = 64 << 20


@dataclass
class _Measured:
    """A candidate with all that its workers have told."""

    package: ModelPackage
    candidate: Candidate
    baseline: bool
    told: list[Heard] = field(default_factory=list)
    problem: str = ""
    given_up: bool = False

    @property
    def label(self) -> str:
        return self.candidate.label + (" (baseline)" if self.baseline else "")


def benchmark(
    package: Path,
    dataset: Path,
    options: BenchmarkOptions,
    reporter: Reporter,
    *,
    baseline: Path | BenchmarkRecord | None = None,
    model_name: str = "",
    dataset_name: str = "",
    baseline_name: str = "",
) -> BenchmarkRecord:
    """Measure each form of a model under each runtime that can run it here.

    Every form gets a process of its own in every round. One that can't run, or whose process dies,
    is a row that says why.

    Args:
        package: folder of the model package.
        dataset: prepared dataset folder with the model's classes.
        options: what to measure, and for how long.
        reporter: takes progress and lines for people.
        baseline: a package folder, measured beside this one, or an earlier record. What is worse
            than there is marked.
        model_name: how the record names the model; the folder unless given.
        dataset_name: likewise.
        baseline_name: likewise.

    Raises:
        ValueError: a damaged package, a dataset that doesn't fit, or a runtime that there isn't.
    """
    source = ModelPackage.load(package)
    machine = hardware()
    wanted = _candidates(source, options, machine, baseline=False)
    other = baseline if isinstance(baseline, Path) else None
    if other is not None:
        wanted += _candidates(_comparable(source, other), options, machine, baseline=True)
    kind = family(source.card.family)
    validation = kind.validation(
        source.card, dataset, options.split, max(options.metric_pictures, _HELD_PICTURES)
    )
    pictures = min(options.metric_pictures, len(validation))
    notes = _notes(machine, reporter)
    with tempfile.TemporaryDirectory(prefix="sightline-benchmark-") as room:
        _hold_pictures(validation, max(options.batches, default=1), Path(room))
        _run_rounds(wanted, Path(room), dataset.resolve(), options, reporter)
    rows = tuple(
        _row(one, kind.primary_metric) for one in wanted if not _no_such_variant(one, reporter)
    )
    record = BenchmarkRecord(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        family=source.card.family,
        metric=kind.primary_metric,
        model=model_name or str(package),
        dataset=dataset_name or str(dataset),
        dataset_hash=_dataset_hash(dataset, options.split),
        split=options.split,
        pictures=pictures,
        threads=options.threads,
        device=options.device,
        seconds=options.seconds,
        rounds=options.rounds,
        hardware=machine,
        rows=rows,
        baseline=baseline_name or (str(other) if other else ""),
        notes=tuple(notes),
    )
    if baseline is None:
        return record
    earlier = record if other is not None else baseline
    assert isinstance(earlier, BenchmarkRecord)
    return mark_regressions(record, earlier, options)


def _candidates(
    package: ModelPackage, options: BenchmarkOptions, machine: Hardware, *, baseline: bool
) -> list[_Measured]:
    wanted: dict[Variant, bool] = {
        "bfloat16": options.bfloat16 == "always"
        or (options.bfloat16 == "auto" and machine.has_bfloat16),
        "throughput": options.throughput,
        "compiled": options.compiled,
    }
    variants = [name for name, asked in wanted.items() if asked]
    found = candidates(package.card.artifacts, options.runtimes, variants)
    return [_Measured(package, candidate, baseline) for candidate in found]


def _comparable(package: ModelPackage, folder: Path) -> ModelPackage:
    """Load the package to compare with.

    Raises:
        ValueError: it tells other classes apart or is another family's.
    """
    other = ModelPackage.load(folder)
    here, there = package.card, other.card
    if (here.family, here.class_names) != (there.family, there.class_names):
        raise ValueError(
            f"baseline: {folder} is for {there.family} with the classes "
            f"{', '.join(there.class_names)}, the model for {here.family} with "
            f"{', '.join(here.class_names)}: they can't be compared"
        )
    return other


def _notes(machine: Hardware, reporter: Reporter) -> list[str]:
    notes = []
    if machine.load > 0.5 * machine.usable:
        notes.append(
            f"other work is running on this machine (load {machine.load:g} on "
            f"{machine.usable:g} cores): latencies are too high and scatter"
        )
    for note in notes:
        reporter.log(f"warning: {note}")
    return notes


def _hold_pictures(validation: Validation, most: int, room: Path) -> None:
    """Decode some pictures, spread over the split, for all workers."""
    count = min(len(validation), max(most, 8), _HELD_PICTURES)
    chosen = np.linspace(0, len(validation) - 1, count).round().astype(int).tolist()
    size = 0
    for number, index in enumerate(chosen):
        image = validation.picture(index)
        size += image.nbytes
        if number and size > _HELD_BYTES:  # they count in each worker's memory
            break
        np.save(room / f"{number:03}.npy", image)


def _run_rounds(
    wanted: Sequence[_Measured],
    room: Path,
    dataset: Path,
    options: BenchmarkOptions,
    reporter: Reporter,
) -> None:
    total = len(wanted) * options.rounds
    done = 0
    for number in range(options.rounds):
        for one in order(wanted, number, options.rounds):
            reporter.progress("measuring forms", done, total)
            if not one.candidate.runtime:
                one.problem = f"no runtime opens the format {one.candidate.artifact.format}"
            elif not (one.given_up or _pointless(one, wanted)):
                _measure(one, number, room, dataset, options, reporter)
            done += 1
    reporter.progress("measuring forms", total, total)


def order(wanted: Sequence[_Measured], number: int, rounds: int) -> list[_Measured]:
    """Order the forms of one round: begun at another place each time, every second one backwards.

    The first keeps its order, in which the usual way comes before the variants.
    """
    first = number * len(wanted) // rounds
    turned = [*wanted[first:], *wanted[:first]]
    return turned[::-1] if number % 2 else turned


def _pointless(one: _Measured, wanted: Sequence[_Measured]) -> bool:
    """Whether a variant needn't be tried because the usual way couldn't even start."""
    if not one.candidate.variant:
        return False
    for other in wanted:
        same = (other.baseline, other.candidate.artifact, other.candidate.runtime) == (
            one.baseline,
            one.candidate.artifact,
            one.candidate.runtime,
        )
        if same and not other.candidate.variant and other.given_up:
            one.given_up = True
            return True
    return False


def _measure(
    one: _Measured,
    number: int,
    room: Path,
    dataset: Path,
    options: BenchmarkOptions,
    reporter: Reporter,
) -> None:
    failing = {size for heard in one.told for size, e in heard.batches.items() if e.get("problem")}
    first = not one.told
    job = Job(
        package=str(one.package.folder.resolve()),
        file=one.candidate.artifact.file,
        runtime=one.candidate.runtime,
        variant=one.candidate.variant,
        device=options.device,
        threads=options.threads,
        pictures=str(room),
        seconds=options.seconds / options.rounds,
        batches=tuple(sorted(set(options.batches) - failing)),
        metric_pictures=options.metric_pictures if first else 0,
        resamples=options.resamples,
        dataset=str(dataset),
        split=options.split,
    )
    what = f"accuracy of {one.label}"
    heard = run_worker(
        job, options.patience, lambda done, total: reporter.progress(what, done, total)
    )
    one.told.append(heard)
    if heard.problem:
        where = f"round {number + 1}: " if options.rounds > 1 and not heard.refused else ""
        one.problem = one.problem or f"{where}{heard.problem}"
        # What a form says itself it says again; one that died before a result dies again.
        one.given_up = heard.refused or heard.start is None or first
        if not _says_no_to_variant(one):
            reporter.log(f"warning: {one.label}: {one.problem}")


def _says_no_to_variant(one: _Measured) -> bool:
    refused = bool(one.candidate.variant) and any(heard.refused for heard in one.told)
    return refused and all(heard.load is None for heard in one.told)


def _no_such_variant(one: _Measured, reporter: Reporter) -> bool:
    """Whether there is no such form: the runtime can't run it this way at all."""
    if one.candidate.variant and not one.told:
        return True  # nothing was tried: the usual way has failed
    if _says_no_to_variant(one):
        reporter.log(f"{one.label} is left out: {one.problem}")
        return True
    return False


def _row(one: _Measured, main_metric: str) -> Row:
    candidate, told = one.candidate, one.told
    metrics = next((heard.metrics for heard in told if heard.metrics), {})
    memory = [heard.memory_mb for heard in told if heard.memory_mb is not None]
    gpu = [heard.gpu_memory_mb for heard in told if heard.gpu_memory_mb is not None]
    base = [heard.base_mb for heard in told if heard.base_mb is not None]
    cores = [heard.cores for heard in told if heard.cores is not None]
    return Row(
        file=candidate.artifact.file,
        format=candidate.artifact.format,
        precision=candidate.artifact.precision,
        runtime=candidate.runtime,
        variant=candidate.variant,
        baseline=one.baseline,
        device=next((heard.device for heard in told if heard.device), ""),
        bytes=candidate.artifact.bytes,
        metrics=dict(sorted(metrics.items(), key=lambda item: item[0] != main_metric)),
        resampled=next((tuple(heard.resampled) for heard in told if heard.metrics), ()),
        end_to_end=Latency.of([heard.end_to_end for heard in told]),
        network=Latency.of([heard.network for heard in told]),
        cores=float(np.median(cores)) if cores else None,
        throughput=_throughput(told),
        memory_mb=max(memory, default=None),
        gpu_memory_mb=max(gpu, default=None),
        base_memory_mb=float(np.median(base)) if base else None,
        start_s=tuple(heard.start for heard in told if heard.start is not None),
        load_s=tuple(heard.load for heard in told if heard.load is not None),
        problem=one.problem,
    )


def _throughput(told: Sequence[Heard]) -> tuple[Throughput, ...]:
    found = []
    for size in sorted({size for heard in told for size in heard.batches}):
        events = [heard.batches[size] for heard in told if size in heard.batches]
        memory = [event["memory"] for event in events if "memory" in event]
        found.append(
            Throughput(
                batch=size,
                end_to_end=Latency.of([event.get("end_to_end", []) for event in events]),
                network=Latency.of([event.get("network", []) for event in events]),
                memory_mb=max(memory, default=None),
                problem=next((event["problem"] for event in events if "problem" in event), ""),
            )
        )
    return tuple(found)


def _dataset_hash(folder: Path, split: str) -> str:
    digest = hashlib.sha256()
    for file in [*sorted(folder.glob("*.json")), *sorted((folder / split).glob("*.json"))]:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
