"""Frames of a video file, a camera or a stream, through OpenCV's FFmpeg."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from models.data.jpg import MOST_PIXELS
from models.data.pictures import PictureError
from models.reporting import Image

_USUAL_RATE = 25.0
_PATIENCE = 10_000
"""Milliseconds that a stream may keep us waiting."""
_MISSING = 0.02
"""Share of a video's frames that its header may count too many."""


class Video:
    """A video that is open for reading. To be used from one thread."""

    def __init__(self, path: str, live: bool = False) -> None:
        """Open it.

        Args:
            path: the file; for a live one the camera's number or the stream's address.
            live: whether it is a camera or a stream.

        Raises:
            PictureError: it can't be opened.
        """
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.missing = ""
        """After the last frame: what is missing, in words; empty if nothing is."""
        self._live = live
        self._capture = self._open(path)
        import cv2

        if not self._capture.isOpened():
            self.close()
            raise PictureError(_why_not(path, live))
        size = [int(self._capture.get(side)) for side in (3, 4)]  # width, height
        if size[0] * size[1] > MOST_PIXELS:
            self.close()
            raise PictureError(f"its frames have too many pixels: {size[0]} x {size[1]}")
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if 0.01 <= rate <= 1000 else _USUAL_RATE
        """Frames a second."""
        self.count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Frames by the file's header, which may be wrong; 0 if it says nothing."""

    def frames(self, every: int = 1) -> Iterator[tuple[int, Image]]:
        """Give each `every`-th frame as RGB with its number; the first is 1."""
        import cv2

        number = 0
        while self._capture.grab():
            number += 1
            if (number - 1) % every:
                continue
            read, frame = self._capture.retrieve()
            if not read or frame is None or not frame.size:
                break
            yield number, np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        if not number:
            raise PictureError("not one frame of it can be read")
        if not self._live and number < self.count * (1 - _MISSING) - 1:
            self.missing = f"it is broken or cut off after frame {number} of {self.count}"

    def _open(self, path: str) -> Any:
        # What FFmpeg thinks of broken files would be written between our lines.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        if self._live:
            if path.isdigit():
                return cv2.VideoCapture(int(path), cv2.CAP_ANY)
            patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE]
            patience += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE]
            return cv2.VideoCapture(path, cv2.CAP_FFMPEG, patience)
        # Absolute, so that no name is taken for an address.
        path = str(Path(path).absolute())
        try:
            path.encode()
        except UnicodeEncodeError:
            # OpenCV 5.0 crashes on names that are not UTF-8.
            self._folder = tempfile.TemporaryDirectory()
            link = Path(self._folder.name) / "video"
            link.symlink_to(path)
            path = str(link)
        return cv2.VideoCapture(path, cv2.CAP_FFMPEG)

    def close(self) -> None:
        """Close it."""
        self._capture.release()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _why_not(path: str, live: bool) -> str:
    if live:
        camera = path.isdigit()
        return "there is no such camera, or it is in use" if camera else "the stream doesn't answer"
    try:
        if not Path(path).stat().st_size:
            return "the file is empty"
    except OSError as error:
        return f"the file can't be read: {error.strerror}"
    return "the content isn't a video, or a broken one"
