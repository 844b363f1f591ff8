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
        for sink in sinks:
            try:
                sink.close()
            except (OSError, ValueError):
                # The first error says more: on a full disk nothing can be closed.
                continue
        raise
    for sink in sinks:
        sink.close()
