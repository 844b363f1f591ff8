"""Pick a model's confidence threshold on the validation split.

Run `python -m components.tune --help` for its options.
"""

from __future__ import annotations

from components.packages import labels_of, metadata_of, record_parent
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import family


class TuneConfig(StageOptions):
    """Options of `tune`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset; its `val` split is used, and no other."""
    name: str | None = None
    """Name of the tuned model; the dataset's name with `-tuned` unless given."""


class TuneResult(StageResult):
    """What `tune` found."""

    model: str
    """Id of the package with the threshold in it."""
    threshold: float
    metric: str
    value: float
    """The metric at the thresholds, on validation."""
    per_class: dict[str, float]
    """Thresholds of the classes that have one of their own."""


def tune(config: TuneConfig, run: Run) -> TuneResult:
    """Find the best threshold on predictions that none has cut, and store it in the package.

    Raises:
        ValueError: no such model or dataset, or they don't belong together.
    """
    from models.package import ModelPackage, Threshold

    found = family(config.family)
    data = prepared_dataset(run, config.dataset, config.family)
    data.need("val")
    model = run.model(config.model)
    options = STAGE.part(config, found.tune_options)
    best = found.tune(model.folder, data.folder, options, run)
    run.value("threshold", best.threshold)
    run.value(f"val/{best.metric} at the threshold", best.value)
    for name, limit in best.per_class.items():
        run.value(f"threshold/{name}", limit)
    own = f", {len(best.per_class)} classes with their own" if best.per_class else ""
    run.log(f"threshold {best.threshold:.4f}{own}: {best.metric} {best.value:.4f} on val")
    threshold = Threshold(
        value=best.threshold,
        metric=best.metric,
        result=best.value,
        iou=getattr(options, "iou", None),
        split="val",
        per_class=best.per_class,
    )
    package = ModelPackage.load(model.folder).with_threshold(threshold)
    package = package.with_postprocessing(best.postprocessing)
    package = record_parent(package, model.id).save(run.folder / "package")
    saved = run.save_model(
        package.folder,
        name=config.name or f"{data.copy.name or 'model'}-tuned",
        tags=["tuned", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return TuneResult(
        model=saved.id,
        threshold=best.threshold,
        metric=best.metric,
        value=best.value,
        per_class=best.per_class,
    )


STAGE = Stage(
    name="tune",
    title="Pick a model's confidence threshold on the validation split.",
    function=tune,
    config=TuneConfig,
    result=TuneResult,
    needs="cpu",
    task_type="optimizer",
    mixin=lambda found: found.tune_options,
)

if __name__ == "__main__":
    STAGE.main()
