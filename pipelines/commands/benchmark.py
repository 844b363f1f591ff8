"""`sightline benchmark`: every form of a model in one table, on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.model_source import opened_model
from pipelines.user_errors import one_line_errors, writing

if TYPE_CHECKING:
    from models.benchmark import BenchmarkRecord


@click.command()
@click.argument("model")
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--baseline", default="", help="See above.")
@click.option("--seconds", type=float, help="Timed calls of each form, in all.  [default: 6]")
@click.option("--rounds", type=int, help="New processes for each form.  [default: 3]")
@click.option("--batches", help="Batch sizes, or 'none'.  [default: 1,2,4,8,16]")
@click.option("--pictures", type=int, help="For the accuracy, at most; 0: none.  [default: 500]")
@click.option("--split", type=click.Choice(["train", "val", "test"]), help="[default: test]")
@click.option("--runtime", "runtimes", multiple=True, help="Only this one; may be repeated.")
@click.option("--bfloat16", type=click.Choice(["auto", "always", "never"]), help="[default: auto]")
@click.option("--throughput", is_flag=True, help="Also set for many pictures at once (OpenVINO).")
@click.option("--compiled", is_flag=True, help="Also compiled by PyTorch; that takes its time.")
@click.option("--device", help="auto, cpu, cuda, cuda:1.  [default: auto]")
@click.option("--threads", type=int, help="CPU threads.  [default: each runtime's own]")
@click.option("--minimum", type=float, help="Gate: least main metric.")
@click.option("--latency", type=float, help="Gate: most ms for a picture (median).")
@click.option("--size", type=float, help="Gate: most MB of a form's files.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="See above.")
@click.option("--write", is_flag=True, help="Write the accuracy into MODEL's model.json.")
@one_line_errors
def benchmark(
    model: str,
    dataset: Path,
    baseline: str,
    minimum: float | None,
    latency: float | None,
    size: float | None,
    output: Path | None,
    write: bool,
    **given: Any,
) -> None:
    """Measure every form of a model: accuracy, latency, throughput, memory, size, start time.

    MODEL is a model package (a folder or a zip), or an id or name in the registry; DATASET is the
    folder of a prepared dataset with its classes. Each file of the package runs under each runtime
    that opens it, in processes of its own, in several rounds. A form that can't run here is a line
    that says why. Close other programs: they slow down what is measured.

    \b
    sightline benchmark exported/ prepared/
    sightline benchmark exported/ prepared/ --runtime openvino --threads 2 --pictures 0
    sightline benchmark new/ prepared/ --baseline old/ --output figures/

    \b
    p50, p90, p99  a picture in memory to results, batch 1, ms; network: the runtime alone
    spread         distance of the fastest and the slowest round: smaller changes mean nothing
    pictures/s     the most of all batch sizes
    memory, start  of a process that has loaded this form only, to its first result

    --baseline names another MODEL, which is measured beside this one, or the benchmark.json of
    an earlier run; losses beyond the tolerance are marked, in latency only if they hold in every
    round and the machine is the same. --output gets benchmark.json, two CSV files and two plots.
    Latency is never written into the package: it belongs to this machine. If a limit (--minimum,
    --latency, --size) is given and no form stands all of them, the exit code is 1.
    """  # noqa: D301
    from pydantic import ValidationError

    from models.benchmark.options import BenchmarkOptions, GateOptions

    values = {name: value for name, value in given.items() if value is not None}
    if "pictures" in values:
        values["metric_pictures"] = values.pop("pictures")
    if "batches" in values:
        text = values["batches"]
        values["batches"] = () if text == "none" else tuple(text.split(","))
    try:
        options = BenchmarkOptions(**values)
        gate = GateOptions(minimum=minimum, latency=latency, size=size)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).replace("metric_pictures", "pictures")
        raise click.UsageError(f"--{name}: {first['msg']}, got {first['input']!r}") from None
    _benchmark(model, dataset, baseline, options, gate, output, write)


def _benchmark(
    model: str,
    dataset: Path,
    baseline: str,
    options: Any,
    gate: Any,
    output: Path | None,
    write: bool,
) -> None:
    from models.benchmark import read_record
    from models.benchmark.figures import with_figures
    from models.benchmark.gate import check, judge
    from models.benchmark.measuring import benchmark as measure
    from models.package import ModelPackage
    from pipelines.benchmark_table import show
    from pipelines.terminal import Terminal

    if write and not Path(model).is_dir():
        raise ValueError("--write needs the folder of a model package: others are left as they are")
    if output is not None and output.exists() and any(output.iterdir()):
        raise ValueError(f"--output: {output} is not empty; name a new folder")
    check(gate, options)
    if output is not None:
        with writing(output):  # now, not after all has been measured
            output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        folder = opened.enter_context(opened_model(model)).folder
        held: Path | BenchmarkRecord | None = None
        if baseline.endswith(".json"):
            held = read_record(Path(baseline))
        elif baseline:
            held = opened.enter_context(opened_model(baseline)).folder
        with Terminal() as terminal:
            record = measure(
                folder,
                dataset,
                options,
                terminal,
                baseline=held,
                model_name=model,
                baseline_name=baseline,
            )
        show(record)
        if output is not None:
            _keep(record, output)
        if write:
            with_figures(ModelPackage.load(folder), record).save(folder)
            click.echo(f"the accuracy is in {Path(model) / 'model.json'}")
    passed, verdict = judge(gate, record)
    if not passed:
        raise click.ClickException(verdict)
    if gate != type(gate)():
        click.echo(verdict)


def _keep(record: BenchmarkRecord, folder: Path) -> None:
    from models.benchmark.plots import accuracy_plot, throughput_plot
    from models.benchmark.tables import csv_text, forms_table, throughput_table

    (folder / "benchmark.json").write_text(record.model_dump_json(indent=2), encoding="utf-8")
    for name, table, figure in (
        ("forms", forms_table(record), accuracy_plot(record)),
        ("throughput", throughput_table(record), throughput_plot(record)),
    ):
        (folder / f"{name}.csv").write_text(csv_text(table), encoding="utf-8")
        if figure is not None:
            figure.write_html(folder / f"{name}.html", include_plotlyjs="directory")
    click.echo(f"{folder}: benchmark.json, CSV files and plots")
