"""Measure every form of a model in one table: accuracy, latency, throughput, memory, size, start.

Run `python -m components.benchmark --help` for its options.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from components.failure import GateError
from components.packages import labels_of, metadata_of, record_parent
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.benchmark.options import BenchmarkOptions, GateOptions
from models.families import Family

if TYPE_CHECKING:
    from models.benchmark import BenchmarkRecord
    from models.package import ModelPackage

PUBLISHED = "published"
RECORD = "benchmark"
"""Artifact with all figures."""


class BenchmarkConfig(StageOptions):
    """Options of `benchmark`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset that gives pictures and labels."""
    baseline: str = ""
    """What the model is held against: `published` (the champion of this name, or else the model
    published last, if there is one); another model, which is measured beside this one; or a
    record: the id or folder of an earlier benchmark's task, or its JSON file. Empty: nothing."""
    name: str | None = None
    """Name of the model with the figures; the dataset's name with `-benchmarked` unless given.
    `baseline=published` looks for the name without it."""
    gate: GateOptions = GateOptions()
    """What a form must stand for the stage to end well."""


class BenchmarkResult(StageResult):
    """What `benchmark` measured."""

    model: str
    """Id of the package with the figures of its forms."""
    metric: str
    metrics: dict[str, float]
    """The main metric of each form, measured on its very file."""
    latency_ms: dict[str, float]
    """Median time from a picture in memory to its results, of each form, on this machine."""
    regressions: tuple[str, ...]
    """What is worse than in the baseline."""
    gate: str
    """What the gate asked and what it got."""


def benchmark(config: BenchmarkConfig, run: Run) -> BenchmarkResult:
    """Measure each artifact under each runtime that can run it here.

    Raises:
        ValueError: no such model, dataset or baseline, or they don't belong together.
        GateError: no form stands what the gate asks, with the figures.
    """
    from models.benchmark.figures import with_figures
    from models.benchmark.gate import check, judge
    from models.benchmark.measuring import benchmark as measure
    from models.package import ModelPackage

    options = STAGE.part(config, BenchmarkOptions)
    assert isinstance(options, BenchmarkOptions)
    check(config.gate, options)
    data = prepared_dataset(run, config.dataset, config.family)
    data.need(options.split)
    model = run.model(config.model)
    package = ModelPackage.load(model.folder)
    name = config.name or f"{data.copy.name or 'model'}-benchmarked"
    baseline, said = _baseline(config.baseline, package, name.removesuffix("-benchmarked"), run)
    record = measure(
        model.folder,
        data.folder,
        options,
        run,
        baseline=baseline,
        model_name=model.id,
        dataset_name=data.copy.id,
        baseline_name=said,
    )
    _report(record, run)
    passed, verdict = judge(config.gate, record)
    run.log(verdict)
    if not passed:
        raise GateError(verdict)
    package = record_parent(with_figures(package, record), model.id).save(run.folder / "package")
    saved = run.save_model(
        package.folder,
        name=name,
        tags=["benchmarked", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return BenchmarkResult(
        model=saved.id,
        metric=record.metric,
        metrics={
            row.label: row.metrics[record.metric]
            for row in record.own
            if record.metric in row.metrics
        },
        latency_ms={
            row.label: round(row.end_to_end.p50, 3) for row in record.own if row.end_to_end
        },
        regressions=record.regressions,
        gate=verdict,
    )


def _baseline(
    reference: str, package: ModelPackage, name: str, run: Run
) -> tuple[Path | BenchmarkRecord | None, str]:
    """Find what to hold the model against, and how to name it.

    Raises:
        ValueError: there is no such model or record.
    """
    from models.benchmark.record import read_record

    if not reference:
        return None, ""
    if reference == PUBLISHED:
        return _published(package, name, run)
    path = Path(reference)
    kept = path / "artifacts" / f"{RECORD}.json" if path.is_dir() else path
    if kept.suffix == ".json" and kept.is_file():
        return read_record(kept), reference
    if not path.exists():
        try:
            return read_record(run.artifact_of(reference, RECORD)), reference
        except ValueError as error:
            no_record = error
        try:
            found = run.model(reference)
        except ValueError as error:
            raise ValueError(f"baseline: {error}; {no_record}") from None
        return found.folder, found.id
    found = run.model(reference)
    return found.folder, found.id


def _published(package: ModelPackage, name: str, run: Run) -> tuple[Path | None, str]:
    from models.package import ModelPackage

    found = run.published_model(name)
    if found is None:
        run.log(f"no model '{name}' has been published yet: there is nothing to compare with")
        return None, ""
    there = ModelPackage.load(found.folder).card
    if there.class_names != package.card.class_names:
        run.log(
            f"the published model {found.id} tells other classes apart: it isn't compared with "
            f"({', '.join(there.class_names)})"
        )
        return None, ""
    return found.folder, found.id


def _report(record: BenchmarkRecord, run: Run) -> None:
    from models.benchmark.plots import accuracy_plot, throughput_plot
    from models.benchmark.tables import csv_text, forms_table, throughput_table

    for title, table, figure in (
        ("forms", forms_table(record), accuracy_plot(record)),
        ("throughput", throughput_table(record), throughput_plot(record)),
    ):
        run.table("benchmark", title, *table)
        path = run.folder / f"benchmark_{title}.csv"
        path.write_text(csv_text(table), encoding="utf-8")
        run.artifact(path.stem, path)
        if figure is not None:
            series = "accuracy against latency" if title == "forms" else "pictures a second"
            run.figure(f"benchmark: {title}", series, figure)
    run.artifact(RECORD, record.model_dump(mode="json"))
    for row in record.own:
        if record.metric in row.metrics:
            run.value(f"{record.split}/{record.metric} {row.label}", row.metrics[record.metric])
        if row.end_to_end is not None:
            run.value(f"ms a picture, {row.label}", row.end_to_end.p50)
        if row.problem:
            run.log(f"not measured in full: {row.label}: {row.problem}")
    for line in record.regressions:
        run.log(f"regression: {line}")
    for note in record.notes:
        run.log(f"note: {note}")


def _options(_: Family) -> type[BaseModel]:
    return BenchmarkOptions


STAGE = Stage(
    name="benchmark",
    title="Measure every form of a model in one table: accuracy, latency, memory, size, start.",
    function=benchmark,
    config=BenchmarkConfig,
    result=BenchmarkResult,
    needs="gpu",
    task_type="testing",
    mixin=_options,
)

if __name__ == "__main__":
    STAGE.main()
