"""Pictures of lines in a folder, for tests of what is read from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest


def draw(text: str, seed: int = 0) -> np.ndarray:
    """A text in OpenCV's own font on noise, BGR."""
    rng = np.random.default_rng([seed, *text.encode()])
    width = 24 + 18 * max(1, len(text))
    image = rng.integers(190, 256, (36, width, 3), np.uint8)
    cv2.putText(image, text.encode("ascii", "replace").decode(), (8, 27), 0, 0.8, (20, 20, 20), 2)
    return image


class Folder:
    """A raw folder that grows."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def picture(self, name: str, text: str = "", seed: int = 0) -> Path:
        """Write the picture of a text."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, draw(text or name, seed))[1].tobytes())
        return path

    def pictures(self, names: Iterable[str]) -> None:
        """Write several."""
        for name in names:
            self.picture(name)

    def text(self, name: str, content: str | bytes) -> Path:
        """Write a text file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty raw folder."""
    (tmp_path / "raw").mkdir()
    return Folder(tmp_path / "raw")
