"""Decoded pictures kept from epoch to epoch, in memory or in a file, shared by loader processes."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.reporting import Image
from models.training.options import CacheOptions


class PictureCache:
    """A budget for decoded pictures, from which each split takes a shelf."""

    def __init__(self, options: CacheOptions, folder: Path) -> None:
        """Take nothing yet.

        Args:
            options: where pictures are kept, and how many.
            folder: for `where=disk`. The file there has no name, so that it is gone with the last
                process that uses it, also when that is killed.
        """
        # Several trainings on one machine, one for each GPU, share what the user gave.
        sharers = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self._left = 0 if options.where == "none" else options.mb * 2**20 // sharers
        self._folder = folder if options.where == "disk" else None

    def shelf(self, sizes: NDArray[np.int64]) -> Shelf:
        """Reserve room for as many of these pictures as the budget still allows, the first ones.

        Args:
            sizes: height and width of each picture in pixels, shape (N, 2).

        Raises:
            ValueError: the disk has no room.
        """
        made = Shelf(sizes, self._left, self._folder)
        self._left -= made.bytes
        return made


class Shelf:
    """Places for the pictures of one split, each of a known size.

    Forked loader processes see one and the same memory. Two of them may fill a place at once: both
    write the same bytes, and a place is called full only after that.
    """

    def __init__(self, sizes: NDArray[np.int64], budget: int, folder: Path | None) -> None:
        ends = np.cumsum(sizes.prod(axis=1, dtype=np.int64) * 3)
        kept = int(np.searchsorted(ends, budget, side="right"))
        self.bytes = int(ends[kept - 1]) if kept else 0
        """Room that was reserved."""
        self._shapes = sizes[:kept].astype(np.int32)
        self._starts = np.concatenate([[0], ends[: kept - 1]]) if kept else ends[:0]
        self._full: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._pixels: NDArray[np.uint8] = self._full
        if kept:
            self._full = np.frombuffer(mmap.mmap(-1, kept), np.uint8)
            self._pixels = np.frombuffer(_reserve(self.bytes, folder), np.uint8)

    def __len__(self) -> int:
        return len(self._full)

    def get(self, index: int) -> Image | None:
        """Return a picture if it was kept, as a view that cannot be written to."""
        if index >= len(self._full) or not self._full[index]:
            return None
        found = self._place(index)
        found.flags.writeable = False
        return found

    def keep(self, index: int, image: Image) -> None:
        """Keep a picture if there is a place for it."""
        if index < len(self._full) and image.shape == (*self._shapes[index], 3):
            self._place(index)[...] = image
            self._full[index] = 1

    def _place(self, index: int) -> Image:
        height, width = self._shapes[index]
        start = self._starts[index]
        return self._pixels[start : start + int(height) * int(width) * 3].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, object]:
        # Where processes aren't forked the memory can't travel: a loader there does without.
        return {"bytes": 0}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(np.zeros((0, 2), np.int64), 0, None)  # type: ignore[misc]


def _reserve(size: int, folder: Path | None) -> mmap.mmap:
    if folder is None:
        return mmap.mmap(-1, size)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            # A full disk must show here, not as a crash when a page of the map is written.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise ValueError(
                f"cache.where=disk: no room for {size / 2**20:.0f} MiB of decoded pictures in "
                f"{folder} ({error.strerror}); lower cache.mb or set cache.where to memory or none"
            ) from error
        return mmap.mmap(file.fileno(), size)
