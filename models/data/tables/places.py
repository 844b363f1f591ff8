"""Find the picture that a table means, whatever folder its path starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from models.data.looking import files_below
from models.data.pictures import PICTURE_SUFFIXES
from models.data.splits import split_in


class Places:
    """All pictures below a folder, found by their paths or a part of them."""

    def __init__(self, folder: Path) -> None:
        """Look through a folder."""
        self.folder = folder
        self.files = files_below(folder, PICTURE_SUFFIXES)
        self._by_path = {self.name(file): file for file in self.files}
        self._by_last: dict[str, list[Path]] = {}
        for file in self.files:
            for key in (file.name, file.stem):
                self._by_last.setdefault(key, []).append(file)

    def name(self, file: Path) -> str:
        """Path of a file inside the folder."""
        return file.relative_to(self.folder).as_posix()

    def find(self, written: str, beside: Path, split: str | None = None) -> Path | None:
        """Find the picture that a table in the folder `beside` calls so.

        The path may start from the table's folder, from one in it, or from the whole dataset; of a
        path of somebody else's disk the end counts. The suffix may be missing where only one
        picture fits. Of several that fit the one in a folder of the split is meant: train and test
        often number their pictures alike.
        """
        path = PurePosixPath(written.strip().replace("\\", "/"))
        parts = [part for part in path.parts if part not in ("/", ".", "..")]
        if not parts:
            return None
        inside = beside.is_relative_to(self.folder)
        home = beside.relative_to(self.folder).parts if inside else ()
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            for count in range(len(home), -1, -1):
                here = self._by_path.get("/".join((*home[:count], tail)))
                if here is not None:
                    return here
        alike = self._by_last.get(parts[-1], [])
        return self._nearest(alike, home, split)

    def _nearest(
        self, files: Sequence[Path], home: Sequence[str], split: str | None
    ) -> Path | None:
        """The only file, or the only one of the split, or below the table's folder."""
        if len(files) == 1:
            return files[0]
        own = [
            file
            for file in files
            if split and split in map(split_in, file.relative_to(self.folder).parts[:-1])
        ]
        if len(own) == 1:
            return own[0]
        depth = len(home)
        below = [
            file for file in files if file.relative_to(self.folder).parts[:depth] == tuple(home)
        ]
        return below[0] if len(below) == 1 else None
