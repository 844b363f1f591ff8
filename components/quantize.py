"""Quantise a model to INT8: forms that are smaller and faster, each inside a budget of accuracy.

Run `python -m components.quantize --help` for its options.
"""

from __future__ import annotations

from pydantic import BaseModel

from components.failure import GateError
from components.packages import labels_of, metadata_of, record_parent
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import Family


class QuantizeConfig(StageOptions):
    """Options of `quantize`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset: its training split gives ranges of values, another split judges the
    loss."""
    name: str | None = None
    """Name of the new model; the dataset's name with `-int8` unless given."""


class QuantizeResult(StageResult):
    """What `quantize` made."""

    model: str
    """Id of the package that also holds the INT8 forms."""
    formats: tuple[str, ...]
    """Formats that are there in INT8."""
    metric: str
    losses: dict[str, float]
    """How much of the metric each form lost against PyTorch; negative if it gained."""
    upper: dict[str, float]
    """Upper end of the interval of each loss."""


def _options(_: Family) -> type[BaseModel]:
    from models.quantization.options import QuantizeOptions

    return QuantizeOptions


def quantize(config: QuantizeConfig, run: Run) -> QuantizeResult:
    """Write INT8 forms, each judged on pictures that gave no ranges.

    Raises:
        ValueError: no such model or dataset, or they don't belong together.
        GateError: a form lost more than the budget.
    """
    from models.package import ModelPackage
    from models.quantization import BudgetError, QuantizeOptions
    from models.quantization import quantize as quantize_package

    options = STAGE.part(config, QuantizeOptions)
    assert isinstance(options, QuantizeOptions)
    data = prepared_dataset(run, config.dataset, config.family)
    for split in ("train", options.split):
        data.need(split)
    model = run.model(config.model)
    try:
        done = quantize_package(model.folder, run.folder / "package", data.folder, options, run)
    except BudgetError as error:
        raise GateError(str(error)) from error
    for form in done.forms:
        run.value(f"{options.split}/{done.metric} {form.runtime} int8", form.loss.candidate)
        if form.latency is not None:
            run.value(f"ms a picture, {form.runtime} int8", form.latency.end_to_end)
    run.artifact("quantize", done.record())
    package = record_parent(ModelPackage.load(done.package), model.id).save(done.package)
    saved = run.save_model(
        package.folder,
        name=config.name or f"{data.copy.name or 'model'}-int8",
        tags=["int8", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return QuantizeResult(
        model=saved.id,
        formats=tuple(a.format for a in package.card.artifacts if a.precision == "int8"),
        metric=done.metric,
        losses={form.runtime: round(form.loss.value, 6) for form in done.forms},
        upper={form.runtime: round(form.loss.high, 6) for form in done.forms},
    )


STAGE = Stage(
    name="quantize",
    title="Write INT8 forms of a model for OpenVINO and ONNX Runtime, inside a budget.",
    function=quantize,
    config=QuantizeConfig,
    result=QuantizeResult,
    needs="cpu",
    task_type="custom",
    mixin=_options,
)

if __name__ == "__main__":
    STAGE.main()
