"""Predict a video frame by frame into one that browsers play."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.demo_page.running import Times
from models.families import Presenter
from models.reporting import Image

LONGEST = 960
"""Pixels of the written video's longer side at most."""
_MOST_PIXELS = 200_000_000
_MOST_ROWS = 200

Predict = Callable[[Image], tuple[Any, Times]]


@dataclass(frozen=True)
class VideoReport:
    """What was found in a video."""

    frames: int
    """That were looked at."""
    cut: bool
    """Whether the video goes on after them."""
    rows: Sequence[tuple[str, int, int]]
    """Name, frames that show it, most at once in one frame; what most frames show first."""
    times: Times
    """Mean of a frame."""
    seconds: float
    """In all, writing the new video included."""


def predict_video(
    source: Path,
    target: Path,
    predict: Predict,
    presenter: Presenter,
    most_frames: int,
    progress: Callable[[int, int], None],
) -> VideoReport:
    """Write a video with what was found drawn in (WebM, VP8, without sound).

    Args:
        source: any video that OpenCV reads.
        target: `.webm` file to write.
        predict: gives the result and times of one RGB frame.
        presenter: of the model.
        most_frames: where to stop.
        progress: called with frames done and frames expected.

    Raises:
        ValueError: the file is no video, or this OpenCV can't write one.
    """
    import cv2

    with source.open("rb") as file:
        if file.read(16).startswith((b"#EXTM3U", b"ffconcat")):
            raise ValueError(f"{source.name} is a playlist, which names other files; give a video")
    reader = cv2.VideoCapture(str(source))
    writer: Any = None
    try:
        if not reader.isOpened():
            raise ValueError(f"{source.name} is no video that can be read here")
        if reader.get(cv2.CAP_PROP_FRAME_WIDTH) * reader.get(cv2.CAP_PROP_FRAME_HEIGHT) > (
            _MOST_PIXELS
        ):
            raise ValueError(f"{source.name}: its frames have over {_MOST_PIXELS:,} pixels")
        said = reader.get(cv2.CAP_PROP_FPS)
        rate = said if 0 < said <= 240 else 25.0
        length = int(max(0, reader.get(cv2.CAP_PROP_FRAME_COUNT)))
        expected = min(length or most_frames, most_frames)
        seen, shown, most = 0, Counter[str](), Counter[str]()
        sums = np.zeros(4)
        start, cut = time.perf_counter(), False
        while True:
            tick = time.perf_counter()
            whole, frame = reader.read()
            if not whole:
                break
            if seen == most_frames:
                cut = True
                break
            image = np.ascontiguousarray(frame[..., ::-1])
            decode = (time.perf_counter() - tick) * 1e3
            found, times = predict(image)
            drawn, draw = drawing(image, found, presenter)
            if writer is None:
                writer = _writer(cv2, target, rate, drawn)
            writer.write(np.ascontiguousarray(drawn[..., ::-1]))
            for name, count in presenter.tally(found).items():
                shown[name] += 1
                most[name] = max(most[name], count)
            sums += (decode, times.network, times.around, draw)
            seen += 1
            progress(seen, max(seen, expected))
        if not seen:
            raise ValueError(f"{source.name} holds no frame that can be decoded")
        rows = [(name, frames, most[name]) for name, frames in shown.most_common(_MOST_ROWS)]
        mean = Times(*(sums / seen).tolist())
        return VideoReport(seen, cut, rows, mean, time.perf_counter() - start)
    finally:
        reader.release()
        if writer is not None:
            writer.release()


def drawing(image: Image, found: Any, presenter: Presenter) -> tuple[Image, float]:
    """Draw a result on a picture, made smaller where it is large for a page.

    Returns:
        The drawing, and how long it took in milliseconds.
    """
    start = time.perf_counter()
    drawn = _shrunk(presenter.draw(image, found))
    return drawn, (time.perf_counter() - start) * 1e3


def _shrunk(image: Image) -> Image:
    import cv2

    scale = LONGEST / max(image.shape[:2])
    if scale >= 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def with_drawing(times: Times, decode: float, draw: float) -> Times:
    """Add what happens outside the predictor."""
    return replace(times, decode=decode, draw=draw)


def _writer(cv2: Any, target: Path, rate: float, frame: Image) -> Any:
    height, width = frame.shape[:2]
    code = cv2.VideoWriter.fourcc(*"VP80")
    writer = cv2.VideoWriter(str(target), code, rate, (width, height))
    if not writer.isOpened():
        raise ValueError("this OpenCV can't write WebM videos; try a picture")
    return writer
