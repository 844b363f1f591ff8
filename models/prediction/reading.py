"""Read pictures, pages and frames one after another, so that several can be decoded at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image as Pillow

from models.data.jpg import pdf_pages
from models.data.pictures import PictureError, plain_rgb, readable
from models.prediction.names import Names, shown, written
from models.prediction.options import PredictionOptions
from models.prediction.sources import Problem, Source, Sources
from models.prediction.videos import Video
from models.reporting import Image


@dataclass(frozen=True)
class Clip:
    """The video or stream that a frame is from."""

    name: PurePosixPath
    """For its results, without a suffix."""
    rate: float
    """Looked-at frames a second."""


@dataclass(frozen=True)
class Place:
    """Where a picture comes from, and how its results are named."""

    source: str
    """Its file or address, for people."""
    file: str
    """Its path below what the user named; a page or frame has a number added."""
    name: PurePosixPath
    """Like `file`, without a suffix, and no other picture's."""
    number: int | None = None
    """Of the page or frame, the first is 1; None for a file with one picture."""
    time: float | None = None
    """Of the frame, seconds from the start."""
    clip: Clip | None = None
    order: int = 0
    """How many pictures were given before it."""


@dataclass(frozen=True)
class Waiting:
    """A picture that isn't decoded yet."""

    place: Place
    pixels: int
    decode: Callable[[], Image]
    """Returns it as RGB; may be called from any thread, once.

    Raises:
        PictureError: it can't be read.
    """


class Reader:
    """Goes through sources; everything that is not safe from several threads happens in here."""

    def __init__(
        self,
        sources: Sources,
        options: PredictionOptions,
        problem: Problem,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take sources.

        Args:
            sources: where to look.
            options: `every`, `limit` and `dpi` act here.
            problem: told what can't be read.
            stop: asked before each picture.
        """
        self._sources = sources
        self._options = options
        self._problem = problem
        self._stop = stop
        self._names = Names()

    def __iter__(self) -> Iterator[Waiting]:
        given = 0
        for source in self._sources.walk(self._problem):
            for waiting in self._read(source):
                if self._stop():
                    return
                yield replace(waiting, place=replace(waiting.place, order=given))
                given += 1
                if given == self._options.limit:
                    return
            if self._stop():
                return

    def _read(self, source: Source) -> Iterator[Waiting]:
        try:
            if source.kind == "picture":
                yield from self._picture(source)
            elif source.kind == "pdf":
                yield from self._pdf(source)
            else:
                yield from self._video(source)
        except PictureError as error:
            self._problem(source.shown, shown(error))

    def _picture(self, source: Source) -> Iterator[Waiting]:
        opened = _open(source.path)
        width, height = opened.size
        place = self._place(source)
        with readable(Path(source.path)):
            pages = int(getattr(opened, "n_frames", 1)) if opened.format == "TIFF" else 1
        yield Waiting(
            place if pages == 1 else self._page(source, place, 1),
            width * height,
            partial(_decoded, source.path, opened, 0),
        )
        for page in range(1, pages):
            yield Waiting(
                self._page(source, place, page + 1),
                width * height,
                partial(_decoded, source.path, None, page),
            )

    def _pdf(self, source: Source) -> Iterator[Waiting]:
        place = self._place(source)
        pages = list(pdf_pages(Path(source.path), self._options.dpi))
        for number, draw in enumerate(pages, 1):
            # PDFium is not safe from several threads, so the page is drawn here.
            try:
                image = np.asarray(draw(), np.uint8)
            except PictureError as error:
                self._problem(source.shown, shown(error))
                continue
            about = place if len(pages) == 1 else self._page(source, place, number)
            yield _ready(about, image)

    def _video(self, source: Source) -> Iterator[Waiting]:
        place = self._place(source)
        every = self._options.every
        with Video(source.path, live=source.kind == "live") as video:
            clip = Clip(place.name, video.rate / every)
            for number, image in video.frames(every):
                yield _ready(
                    replace(
                        place,
                        name=place.name / f"frame_{number:06}",
                        file=f"{place.file}/frame_{number:06}.jpg",
                        number=number,
                        time=(number - 1) / video.rate,
                        clip=clip,
                    ),
                    image,
                )
            if video.missing:
                self._problem(source.shown, video.missing)

    def _place(self, source: Source) -> Place:
        below = written(source.below)
        # A stream's name has no suffix; what looks like one is a part of its address.
        unique = below.with_name(below.name + ".live") if source.kind == "live" else below
        return Place(source.shown, below.as_posix(), self._names.take(unique))

    def _page(self, source: Source, place: Place, number: int) -> Place:
        name = self._names.take(place.name.with_name(f"{place.name.name}-{number:03}.page"))
        return replace(place, name=name, file=f"{place.file}/page_{number:03}.jpg", number=number)


def count(sources: Sources, options: PredictionOptions) -> int | None:
    """Count what a `Reader` will give, by the files' headers; None if that can't be known."""
    if not sources.countable:
        return options.limit
    total = 0
    for source in sources.walk(lambda name, reason: None):
        with suppress(PictureError, OSError):
            if source.kind == "picture":
                total += 1
            elif source.kind == "pdf":
                total += sum(1 for _ in pdf_pages(Path(source.path), options.dpi))
            else:
                with Video(source.path) as video:
                    total += math.ceil(video.count / options.every)
        if options.limit is not None and total >= options.limit:
            return options.limit
    return total


def _open(path: str) -> Pillow.Image:
    try:
        if not Path(path).stat().st_size:
            raise PictureError("the file is empty")
        with readable(Path(path)):
            return Pillow.open(path)
    except FileNotFoundError:
        raise PictureError("the file is missing") from None
    except OSError as error:
        raise PictureError(f"the file can't be read: {error.strerror}") from None


def _decoded(path: str, opened: Pillow.Image | None, frame: int) -> Image:
    with readable(Path(path)), opened or Pillow.open(path) as image:
        if frame:
            image.seek(frame)
        return np.asarray(plain_rgb(image), np.uint8)


def _ready(place: Place, image: Image) -> Waiting:
    return Waiting(place, image.shape[0] * image.shape[1], lambda: image)
