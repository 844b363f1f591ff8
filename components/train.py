"""Fit a model on a prepared dataset.

Run `python -m components.train --help` for its options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from components.packages import labels_of, metadata_of, record_training, with_models
from components.prepared import prepared_dataset
from components.run import Run
from components.run.door import FurtherNodeEnd
from components.stage import Stage, StageOptions, StageResult
from models.families import WithModels, family
from models.outcomes import Checkpoints
from models.reporting import Silence

if TYPE_CHECKING:
    from models.package import ModelPackage
    from models.training.options import TrainingOptions


class TrainConfig(StageOptions):
    """Options of `train`."""

    dataset: str
    """Prepared dataset: an id, project/name, project/name@version, a name or a folder on disk."""
    name: str | None = None
    """Name of the model; the dataset's name with `-trained` unless given."""
    keep_local: bool = True
    """Leave the local copy of the dataset in the cache."""
    latency_calls: int = Field(0, ge=0)
    """Timed calls of the trained network, a picture at a time, for the figure `latency_ms`; 0
    leaves it out. On a machine that does other work too it is a rough one."""


class TrainResult(StageResult):
    """What `train` made."""

    model: str
    """Id of the model package with the best weights."""
    metrics: dict[str, float]
    """Validation figures of the best epoch."""
    best_epoch: int
    epochs: int
    seconds: float
    interrupted: bool


def train(config: TrainConfig, run: Run) -> TrainResult:
    """Train, going on from the last checkpoint of a killed attempt, and save the best weights.

    Raises:
        ValueError: no such dataset, or one that can't be trained on.
        FurtherNodeEnd: this was a further node of a training; the first one keeps the result.
    """
    found = family(config.family)
    data = prepared_dataset(run, config.dataset, config.family, keep=config.keep_local)
    for split in ("train", "val"):
        data.need(split)
    resume = run.checkpoint()
    if resume is not None:
        run.log("going on from the last checkpoint of an earlier attempt")
    from models.training.companions import together

    asked = cast("TrainingOptions", STAGE.part(config, found.train_options))
    options = asked
    if isinstance(found, WithModels):
        options = with_models(asked, found.models_needed(asked), run)
    mine = Checkpoints(run.folder / "training", resume, run.save_checkpoint, run.stop_requested)
    with (
        run.nodes(options.nodes) as node,
        together(config.family, data.folder, options, mine, node) as place,
    ):
        if not node.first:
            place = Checkpoints(place.folder, place.resume, lambda _: None)
        done = found.train(data.folder, options, place, run if node.first else Silence())
    if not node.first:
        raise FurtherNodeEnd
    package = record_training(done, run, data.copy, asked)
    for name, value in done.metrics.items():
        run.value(f"val/{name}", value)
    if config.latency_calls:
        run.value("latency_ms", _latency_ms(package, config.latency_calls))
    saved = run.save_model(
        package.folder,
        name=config.name or f"{data.copy.name or 'model'}-trained",
        tags=["trained", config.family],
        labels=labels_of(package.card.class_names),
        metadata=metadata_of(package),
    )
    return TrainResult(
        model=saved.id,
        metrics={name: round(value, 6) for name, value in done.metrics.items()},
        best_epoch=done.best_epoch,
        epochs=done.epochs,
        seconds=round(done.seconds, 1),
        interrupted=done.interrupted,
    )


def _latency_ms(package: ModelPackage, calls: int) -> float:
    """Time the network alone on a grey picture: the median of single calls."""
    import numpy as np

    from models.runtimes.predictor import load_predictor
    from models.runtimes.timing import median_ms

    size = package.card.preprocessing
    grey = np.full((size.height, size.width, 3), 127, np.uint8)
    inputs, _ = size([grey])
    with load_predictor(package, "torch") as predictor:
        return median_ms(lambda: predictor.engine(inputs), calls)


STAGE = Stage(
    name="train",
    title="Fit a model on a prepared dataset and keep its best weights.",
    function=train,
    config=TrainConfig,
    result=TrainResult,
    needs="gpu",
    task_type="training",
    mixin=lambda found: found.train_options,
)

if __name__ == "__main__":
    STAGE.main()
