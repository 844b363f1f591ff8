"""Keep a few of the pictures that a stage reports, small, for the model's card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.run import Run
from models.reporting import Image

if TYPE_CHECKING:
    from models.model_card import CardPicture

_OF_EACH_TITLE, _LONGEST, _QUALITY = 3, 1000, 80


class PictureKeeper:
    """Passes all on to a run, and keeps the first pictures of each title."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._kept: dict[str, list[CardPicture]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def image(self, title: str, series: str, image: Image, step: int) -> None:
        """Report a debug sample, and keep it if it is among the first of its title."""
        self._run.image(title, series, image, step)
        kept = self._kept.setdefault(title, [])
        if len(kept) < _OF_EACH_TITLE:
            from models.model_card import CardPicture

            kept.append(CardPicture(f"{title}, {series}", _jpeg(image)))

    def kept(self, word: str) -> tuple[CardPicture, ...]:
        """Give the kept pictures whose title holds a word, such as a split."""
        return tuple(
            one
            for title, pictures in self._kept.items()
            if word in title.split()
            for one in pictures
        )


def _jpeg(image: Image) -> bytes:
    import cv2

    scale = _LONGEST / max(image.shape[:2])
    if scale < 1:
        size = (round(image.shape[1] * scale), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data.tobytes())
