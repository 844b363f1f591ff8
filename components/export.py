"""Write a model for other runtimes, and check each form on real pictures before it leaves.

Run `python -m components.export --help` for its options.
"""

from __future__ import annotations

from pydantic import BaseModel

from components.packages import forms_of, labels_of, metadata_of, record_parent
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import Family


class ExportConfig(StageOptions):
    """Options of `export`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset whose pictures the forms are compared on."""
    name: str | None = None
    """Name of the exported model; the dataset's name with `-exported` unless given."""


class ExportResult(StageResult):
    """What `export` made."""

    model: str
    """Id of the package with all forms."""
    formats: tuple[str, ...]
    metric: str
    drops: dict[str, float]
    """How much of the metric each form lost against PyTorch; negative if it gained."""


def _options(_: Family) -> type[BaseModel]:
    from models.export.options import ExportOptions

    return ExportOptions


def export(config: ExportConfig, run: Run) -> ExportResult:
    """Export to each format, with parity checked result by result and by the main metric.

    Raises:
        ValueError: no such model or dataset, or a form that isn't the same model any more.
    """
    from models.export import ExportOptions
    from models.export import export as export_package
    from models.package import ModelPackage

    options = STAGE.part(config, ExportOptions)
    assert isinstance(options, ExportOptions)
    data = prepared_dataset(run, config.dataset, config.family)
    data.need(options.split)
    model = run.model(config.model)
    done = export_package(model.folder, run.folder / "package", data.folder, options, run)
    for form in done.forms:
        for name, value in form.metrics.items():
            run.value(f"{options.split}/{name} {form.name}", value)
        if form.latency is not None:
            run.value(f"ms a picture, {form.name}", form.latency.end_to_end)
    run.artifact("export", done.record())
    package = record_parent(ModelPackage.load(done.package), model.id).save(done.package)
    saved = run.save_model(
        package.folder,
        name=config.name or f"{data.copy.name or 'model'}-exported",
        tags=["exported", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return ExportResult(
        model=saved.id,
        formats=forms_of(package.card),
        metric=done.metric,
        drops={form.name: round(form.drop, 6) for form in done.forms},
    )


STAGE = Stage(
    name="export",
    title="Write a model for ONNX Runtime, OpenVINO and TensorRT, checked on real pictures.",
    function=export,
    config=ExportConfig,
    result=ExportResult,
    needs="gpu",
    task_type="custom",
    mixin=_options,
)

if __name__ == "__main__":
    STAGE.main()
