"""Open what the user wants written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from models.families import Presenter
from models.prediction.options import Output, PredictionOptions
from models.prediction.writing.drawn import Crops, DrawnPictures
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.sinks import Sink
from models.prediction.writing.tables import CocoFile, CsvFile, JsonLines, YoloLabels
from models.prediction.writing.videos import DrawnVideos

Make = Callable[[ResultsFolder, Presenter, PredictionOptions], Sink]

_SINKS: dict[Output, Make] = {
    "pictures": lambda folder, presenter, options: DrawnPictures(folder),
    "videos": lambda folder, presenter, options: DrawnVideos(folder),
    "frames": lambda folder, presenter, options: DrawnPictures(folder, frames=True),
    "crops": lambda folder, presenter, options: Crops(folder, options.crop.padding),
    "yolo": lambda folder, presenter, options: YoloLabels(folder, presenter, options.yolo.scores),
    "coco": lambda folder, presenter, options: CocoFile(folder, presenter),
    "csv": lambda folder, presenter, options: CsvFile(folder, presenter),
    "jsonl": lambda folder, presenter, options: JsonLines(folder),
}


_FAMILIES_OWN = ("crops", "yolo", "coco")
"""Forms that not every family's results have."""


def check_outputs(wanted: Sequence[Output], family: str, presenter: Presenter) -> None:
    """Refuse what this family's results can't be written as.

    Raises:
        ValueError: naming it.
    """
    for name in wanted:
        if name in _FAMILIES_OWN and name not in presenter.writes:
            able = [one for one in _SINKS if one not in _FAMILIES_OWN or one in presenter.writes]
            raise ValueError(
                f"save={name}: what models for {family} find can't be written so; expected some "
                f"of {', '.join(able)}"
            )


@contextmanager
def open_sinks(
    folder: ResultsFolder, presenter: Presenter, options: PredictionOptions
) -> Iterator[Sequence[Sink]]:
    """Open the outputs, and make them whole at the end, however it comes.

    Raises:
        ValueError: something can't be written.
    """
    sinks: list[Sink] = []
    try:
        # One by one: those that are open are closed if the next can't be.
        sinks.extend(_SINKS[name](folder, presenter, options) for name in options.save)
        yield sinks
    except BaseException:
        _close(sinks)  # the first error says more: on a full disk hardly anything can be closed
        raise
    if errors := _close(sinks):
        raise errors[0]


def _close(sinks: Sequence[Sink]) -> list[ValueError]:
    """Close all, whatever becomes of each."""
    errors = []
    for sink in sinks:
        try:
            sink.close()
        except ValueError as error:
            errors.append(error)
    return errors
