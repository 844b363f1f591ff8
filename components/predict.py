"""Run a model over the pictures, PDFs and videos of a dataset, and save what it finds.

Run `python -m components.predict --help` for its options.
"""

from __future__ import annotations

import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import Family
from models.reporting import Image

if TYPE_CHECKING:
    from models.prediction.predict import Predicted
    from models.prediction.writing.sinks import Seen

_PREVIEW_SIDE = 1280
"""Longest side of a debug sample, pixels."""
_LINES = 20
"""Problems that are logged one by one; the table and the artifact have more."""


class PredictConfig(StageOptions):
    """Options of `predict`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Any dataset with pictures, PDFs or videos: an id, project/name, project/name@version, a name
    or a folder on disk."""
    reader: str | None = None
    """A second model that looks at each thing the first one finds, such as a reader of its text: a
    model package likewise. `read.*` says how."""
    part: str = ""
    """The part of the dataset to look at, a folder or file in it such as `test/data`; all of it
    unless given."""
    keep: Literal["dataset", "artifact"] = "dataset"
    """Whether the results become a dataset of their own or an artifact of this task."""
    name: str | None = None
    """Name of the dataset of results; the dataset's name with `-predictions` unless given."""
    previews: int = Field(20, ge=0, le=1000)
    """Pictures shown with their results as debug samples: the first ones."""


class PredictResult(StageResult):
    """What `predict` found."""

    model: str
    dataset: str
    predictions: str
    """Id of the dataset of results, or where the artifact lies."""
    pictures: int
    """Pictures, pages and frames looked at."""
    results: int
    """Things found on them."""
    problems: int
    """Files and pages that couldn't be read."""
    runtime: str
    artifact: str
    """File of the package that ran."""


def _options(_: Family) -> type[BaseModel]:
    from models.prediction.options import PredictionOptions

    return PredictionOptions


def predict(config: PredictConfig, run: Run) -> PredictResult:
    """Predict, and save pictures, tables and labels.

    Raises:
        ValueError: no such model or dataset, nothing in it can be read, or with `strict` not all
            of it.
    """
    from models.package import ModelPackage
    from models.prediction.options import PredictionOptions
    from models.prediction.predict import RESULT
    from models.prediction.predict import predict as run_over
    from models.prediction.writing.folder import LIST

    options = STAGE.part(config, PredictionOptions)
    assert isinstance(options, PredictionOptions)
    data = run.dataset(config.dataset)
    source = _inside(data.folder, config.part)
    model = run.model(config.model)
    package = ModelPackage.load(model.folder)
    if package.card.family != config.family:
        raise ValueError(
            f"the model is for {package.card.family}: set family={package.card.family}"
        )
    second = ModelPackage.load(run.model(config.reader).folder) if config.reader else None
    out = run.folder / "predictions"
    run.stop_requested()  # Ctrl-C can be listened to from this thread only
    samples = _Samples(run, config.previews)
    log = _Log(run)
    done = run_over(
        package,
        [str(source)],
        out,
        options,
        run,
        on_problem=log,
        on_picture=samples,
        stop=run.stop_requested,
        relative=True,
        second=second,
    )
    _report(done, run)
    if not done.pictures:
        raise ValueError(f"dataset {config.dataset}: nothing in it could be read{_first(done)}")
    if options.strict and done.problem_count:
        raise ValueError(f"{done.problem_count} could not be read, and strict is set{_first(done)}")
    # What differs from run to run would make a killed and repeated one another dataset.
    for name in (RESULT, LIST):
        (out / name).unlink()
    if config.keep == "artifact":
        where = run.artifact("predictions", out)
    else:
        saved = run.save_dataset(
            out,
            project=run.project,
            name=config.name or f"{data.name or 'data'}-predictions",
            parents=[data.id],
            tags=["predictions", config.family],
            previews=samples.shown(),
            statistics={
                "pictures": done.pictures,
                "results": done.results,
                "by class": done.by_class,
                "model": model.id,
            },
        )
        where = saved.id
    return PredictResult(
        model=model.id,
        dataset=data.id,
        predictions=where,
        pictures=done.pictures,
        results=done.results,
        problems=done.problem_count,
        runtime=done.runtime,
        artifact=done.artifact,
    )


class _Samples:
    """Reports the first pictures with their results drawn in."""

    def __init__(self, run: Run, most: int) -> None:
        self._run = run
        self._most = most
        self._lock = threading.Lock()
        self._shown: dict[int, tuple[str, Image]] = {}

    def __call__(self, seen: Seen) -> None:
        """Report a picture if it is one of the first."""
        if seen.place.order >= self._most:
            return
        image = _small(seen.drawn)
        with self._lock:
            self._shown[seen.place.order] = (str(seen.place.name), image)
            self._run.image("predictions", str(seen.place.name), image, 0)

    def shown(self) -> list[tuple[str, Image]]:
        """Give what was reported, in order."""
        return [self._shown[order] for order in sorted(self._shown)]


class _Log:
    """Logs the first problems one by one."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._count = 0

    def __call__(self, line: str) -> None:
        """Log a problem."""
        self._count += 1
        if self._count <= _LINES:
            self._run.log(line)
        if self._count == _LINES:
            self._run.log("further ones are in the table 'Not read'")


def _inside(folder: Path, part: str) -> Path:
    """Find a part of a dataset.

    Raises:
        ValueError: there is no such part, or it isn't inside.
    """
    path = PurePosixPath(part)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"part={part}: expected a path inside the dataset, such as test/data")
    found = folder / path
    if not found.exists():
        raise ValueError(f"part={part}: the dataset has no such folder or file")
    return found


def _small(image: Image) -> Image:
    import cv2
    import numpy as np

    longest = max(image.shape[:2])
    if longest <= _PREVIEW_SIDE:
        return image
    height, width = (max(1, round(side * _PREVIEW_SIDE / longest)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _report(done: Predicted, run: Run) -> None:
    run.log(done.line())
    figures = {
        "pictures": done.pictures,
        "results": done.results,
        "not read": done.problem_count,
        "pictures a second": done.rate,
    }
    for name, value in figures.items():
        run.value(name, value)
    run.table("Found", "", ["class", "count"], [list(one) for one in done.by_class.items()])
    if done.problems:
        rows: list[list[Any]] = [[one["source"], one["reason"]] for one in done.problems]
        run.table("Not read", "", ["source", "reason"], rows)
    run.artifact("summary", done.record())


def _first(done: Predicted) -> str:
    if not done.problems:
        return ""
    one = done.problems[0]
    return f", such as {one['source']}: {one['reason']}"


STAGE = Stage(
    name="predict",
    title="Run a model over the pictures and videos of a dataset, and save what it finds.",
    function=predict,
    config=PredictConfig,
    result=PredictResult,
    needs="gpu",
    task_type="inference",
    mixin=_options,
)

if __name__ == "__main__":
    STAGE.main()
