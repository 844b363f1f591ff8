"""`videos/`: videos with results drawn in, as MP4 (MPEG-4 part 2)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from models.prediction.reading import Clip, Place
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.sinks import Seen
from models.reporting import Image

_CHECKED = 50
"""Frames after which free room is looked at again."""


class DrawnVideos:
    """Writes one video at a time; a video is there once its last frame is written."""

    def __init__(self, folder: ResultsFolder) -> None:
        self._folder = folder
        self._clip: Clip | None = None
        self._writer: Any = None
        self._part = Path()
        self._size = (0, 0)
        self._frames = 0

    def render(self, seen: Seen) -> Image | None:
        """Draw, for the encoder: BGR, sides even."""
        if seen.place.clip is None:
            return None
        frame = cv2.cvtColor(seen.drawn, cv2.COLOR_RGB2BGR)
        height, width = frame.shape[:2]
        if height % 2 or width % 2:  # the encoder would cut the odd row off
            edge = ((0, height % 2), (0, width % 2), (0, 0))
            frame = np.pad(frame, edge, mode="edge")
        return np.asarray(frame, np.uint8)

    def write(self, place: Place, rendered: Image | None) -> None:
        """Append a frame; the first of another video ends the one before."""
        if place.clip is None or rendered is None:
            return
        if self._clip is None or place.clip.name != self._clip.name:
            self.close()
            self._begin(place.clip, rendered)
        if self._frames % _CHECKED == 0:
            self._folder.check_room()
        if (rendered.shape[1], rendered.shape[0]) != self._size:
            rendered = np.asarray(cv2.resize(rendered, self._size), np.uint8)
        self._writer.write(rendered)
        self._frames += 1

    def _begin(self, clip: Clip, first: Image) -> None:
        with self._folder.writing():
            self._part = self._folder.part(_name(clip))
        self._size = (first.shape[1], first.shape[0])
        code = cv2.VideoWriter.fourcc(*"mp4v")
        rate = min(max(clip.rate, 0.01), 1000.0)
        self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, rate, self._size)
        if not self._writer.isOpened():
            self._part.unlink(missing_ok=True)
            self._folder.check_room()
            raise ValueError(f"OpenCV can't write a video of {self._size} pixels to {self._part}")
        self._clip, self._frames = clip, 0

    def close(self) -> None:
        """End the present video.

        Raises:
            ValueError: it isn't whole, since the disk is full.
        """
        clip, self._clip = self._clip, None
        if clip is None:
            return
        self._writer.release()
        # The encoder doesn't say that it could not write.
        check = cv2.VideoCapture(str(self._part), cv2.CAP_FFMPEG)
        whole = check.isOpened() and int(check.get(cv2.CAP_PROP_FRAME_COUNT)) >= self._frames
        check.release()
        if not whole:
            self._part.unlink(missing_ok=True)
            raise ValueError(
                f"{self._folder.path / _name(clip)} could not be written to its end: "
                "is the disk full?"
            )
        with self._folder.writing():
            self._folder.keep(self._part, _name(clip))


def _name(clip: Clip) -> PurePosixPath:
    return PurePosixPath("videos") / f"{clip.name}.mp4"
