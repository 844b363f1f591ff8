"""Fit a simple model to hold trained ones against.

Run `python -m components.baseline --help` for its options.
"""

from __future__ import annotations

from pydantic import BaseModel

from components.packages import labels_of, metadata_of, record_training
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import Family, NoOptions, WithBaseline, family


class BaselineConfig(StageOptions):
    """Options of `baseline`."""

    dataset: str
    """Prepared dataset: an id, project/name, project/name@version, a name or a folder on disk."""
    name: str | None = None
    """Name of the model; the dataset's name with `-baseline` unless given."""


class BaselineResult(StageResult):
    """What `baseline` made."""

    model: str
    """Id of the model package."""
    metrics: dict[str, float]
    """Figures on validation."""
    seconds: float


def baseline(config: BaselineConfig, run: Run) -> BaselineResult:
    """Fit the family's baseline and save it as a model like any other.

    Raises:
        ValueError: the family has none, or no such dataset.
    """
    found = family(config.family)
    if not isinstance(found, WithBaseline):
        raise ValueError(f"there is no baseline for {config.family}")
    data = prepared_dataset(run, config.dataset, config.family)
    for split in ("train", "val"):
        data.need(split)
    options = STAGE.part(config, found.baseline_options)
    done = found.baseline(data.folder, options, run.folder / "baseline", run)
    package = record_training(done, run, data.copy, options)
    for name, value in done.metrics.items():
        run.value(f"val/{name}", value)
    saved = run.save_model(
        package.folder,
        name=config.name or f"{data.copy.name or 'model'}-baseline",
        tags=["baseline", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return BaselineResult(
        model=saved.id,
        metrics={name: round(value, 6) for name, value in done.metrics.items()},
        seconds=round(done.seconds, 1),
    )


def _options(found: Family) -> type[BaseModel]:
    return found.baseline_options if isinstance(found, WithBaseline) else NoOptions


STAGE = Stage(
    name="baseline",
    title="Fit a simple model to hold trained ones against.",
    function=baseline,
    config=BaselineConfig,
    result=BaselineResult,
    needs="cpu",
    task_type="training",
    mixin=_options,
)

if __name__ == "__main__":
    STAGE.main()
