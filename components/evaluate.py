"""Measure a model on validation and test data, and let it pass the gate or not.

Run `python -m components.evaluate --help` for its options.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, cast

from components.comparison import Comparison, compare
from components.failure import GateError
from components.options import Options, nearest
from components.packages import artifact_for
from components.picture_keeper import PictureKeeper
from components.prepared import PreparedDataset, prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import family
from models.outcomes import Evaluation
from models.reporting import Reporter


class GateOptions(Options):
    """A figure that decides whether the model goes on."""

    metric: str | None = None
    """Figure as the evaluation names it, such as `mAP`, `f1`; the one that the family is mostly
    judged by unless given (`mAP50` for detection)."""
    split: str = "test"
    """Split it is measured on; must be among those measured."""
    minimum: float | None = None
    """The least it must reach; without it every model passes."""


class EvaluateConfig(StageOptions):
    """Options of `evaluate`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset: an id, project/name, project/name@version, a name or a folder on disk."""
    beside: str = ""
    """Another model, such as a baseline, that is measured on the same splits; the report says
    whether the model is really better. Empty: none."""
    gate: GateOptions = GateOptions()
    """A figure that decides whether the model goes on."""


class EvaluateResult(StageResult):
    """What `evaluate` measured."""

    model: str
    artifact: str
    """File of the package that was measured."""
    threshold: float
    metrics: dict[str, float]
    """Figures by `split/name`."""
    gate: str
    """What the gate asked and what it got, or that there was none."""


def evaluate(config: EvaluateConfig, run: Run) -> EvaluateResult:
    """Measure the very artifact that ships with the threshold stored in it.

    Raises:
        ValueError: no such model or dataset, or they don't belong together.
        GateError: the figure is worse than the gate asks.
    """
    from models.benchmark.hardware import hardware
    from models.model_card.evidence import pictures_record
    from models.package import ModelPackage

    found = family(config.family)
    data = prepared_dataset(run, config.dataset, config.family)
    options = STAGE.part(config, found.evaluate_options)
    splits: Sequence[str] = getattr(options, "splits", ("val", "test"))
    for split in splits:
        data.need(split)
    gate = config.gate
    if gate.minimum is not None and gate.split not in splits:
        raise ValueError(f"gate.split: expected one of {', '.join(splits)}, got '{gate.split}'")
    model = run.model(config.model)
    artifact = artifact_for(
        ModelPackage.load(model.folder),
        str(getattr(options, "runtime", "torch")),
        getattr(options, "precision", None),
    )
    shown = PictureKeeper(run)
    done = [
        found.evaluate(model.folder, data.folder, split, options, cast(Reporter, shown))
        for split in splits
    ]
    metrics = {
        f"{e.split}/{name}": value
        for e in done
        for name, value in e.values.items()
        if name != "threshold"  # said once, below
    }
    compared = (
        compare(config.beside, model.folder, data.folder, found, options, splits, run)
        if config.beside
        else None
    )
    _report(done, run, compared)
    passed, verdict = judge(gate, metrics, found.gate_metric)
    run.artifact(
        "evaluation",
        {
            "model": model.id,
            "dataset": data.copy.id,
            "artifact": artifact,
            "threshold": done[0].threshold,
            "metrics": {name: _finite(value) for name, value in metrics.items()},
            "per_class": {e.split: list(e.per_class) for e in done},
            "details": {e.split: e.details for e in done},
            "gate": verdict,
            "data": _facts(data),
            "beside": None if compared is None else compared.record(),
            "hardware": hardware().model_dump(mode="json"),
        },
    )
    run.artifact("pictures", pictures_record(shown.kept(splits[-1])))
    if not passed:
        raise GateError(verdict)
    run.log(verdict)
    return EvaluateResult(
        model=model.id,
        artifact=artifact,
        threshold=done[0].threshold,
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
        gate=verdict,
    )


def _facts(data: PreparedDataset) -> dict[str, Any]:
    """What the dataset says of itself, for the model's card."""
    described = json.loads((data.folder / "dataset.json").read_text(encoding="utf-8"))
    copy = data.copy
    return {
        "id": copy.id,
        "name": copy.name,
        "version": copy.version,
        "statistics": described.get("statistics") or {},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def judge(gate: GateOptions, metrics: dict[str, float], usual: str) -> tuple[bool, str]:
    """Tell whether a model passes, and say why.

    Args:
        gate: what is asked.
        metrics: figures by `split/name`.
        usual: figure that is meant if the gate names none.

    Raises:
        ValueError: the gate asks for a figure that wasn't measured.
    """
    if gate.minimum is None:
        return True, "no gate was set"
    metric = gate.metric or usual
    name = f"{gate.split}/{metric}"
    if name not in metrics:
        known = [key.partition("/")[2] for key in metrics if key.startswith(f"{gate.split}/")]
        near = nearest(metric, known)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(known)}"
        raise ValueError(f"gate.metric: no figure '{metric}'; {hint}")
    value = metrics[name]
    # A figure that isn't a number passes no gate.
    passed = value >= gate.minimum
    sign = "≥" if passed else "<"
    verdict = "the gate is passed" if passed else "the model doesn't pass the gate"
    return passed, f"{verdict}: {name} {value:.4f} {sign} {gate.minimum:g}"


def _report(done: Sequence[Evaluation], run: Run, compared: Comparison | None) -> None:
    for evaluation in done:
        for name, value in evaluation.values.items():
            if math.isfinite(value):
                run.value(f"{evaluation.split}/{name}", value)
        if evaluation.per_class:
            columns = list(evaluation.per_class[0])
            rows: list[list[Any]] = [[row[c] for c in columns] for row in evaluation.per_class]
            run.table(f"{evaluation.split}: per class", "", columns, rows)
    names = list(dict.fromkeys(name for e in done for name in e.values))
    rows = [[name, *(e.values.get(name) for e in done)] for name in names]
    columns = [e.split for e in done]
    if compared is not None:
        columns += [f"{e.split}, other" for e in compared.other]
        for row in rows:
            row += [e.values.get(row[0]) for e in compared.other]
    run.table("Figures", "", ["figure", *columns], rows)
    width = max(len(name) for name in names) if names else 0
    run.log(f"{'':{width}}  " + "  ".join(f"{name:>8}" for name in columns))
    for name, *values in rows:
        shown = "  ".join(
            f"{f'{v:.4f}' if isinstance(v, float) else v!s:>{max(8, len(column))}}"
            for v, column in zip(values, columns, strict=True)
        )
        run.log(f"{name:{width}}  {shown}")
    if compared is not None:
        for line in compared.lines():
            run.log(line)


STAGE = Stage(
    name="evaluate",
    title="Measure a model on validation and test data, with a gate.",
    function=evaluate,
    config=EvaluateConfig,
    result=EvaluateResult,
    needs="gpu",
    task_type="testing",
    mixin=lambda found: found.evaluate_options,
)

if __name__ == "__main__":
    STAGE.main()
