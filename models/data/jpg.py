"""PDFs and pictures of any kind to upright JPEG files, as labelling tools want them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from models.data.looking import walk
from models.data.pictures import (
    PICTURE_SUFFIXES,
    PictureError,
    check_picture,
    plain_rgb,
    readable,
)
from models.outcomes import Rejected
from models.reporting import Reporter

PDF = ".pdf"
MOST_PIXELS = 178_956_970
"""Of one page; what Pillow refuses in a picture too."""
JPEG_SIDE = 65_500
"""JPEG has no longer sides."""
_POINT = 72
Page = Callable[[], Image.Image]
"""Draws one page or frame."""


@dataclass
class Written:
    """What became of a folder."""

    files: int = 0
    """JPEG files written."""
    copied: int = 0
    """Of those, taken over byte for byte: upright JPEG files in grey or RGB."""
    rejected: list[Rejected] = field(default_factory=list)
    """Files that can't be read, with the reason."""
    ignored: int = 0
    """Files that are neither pictures nor PDFs."""


def to_jpg(
    source: Path,
    target: Path,
    reporter: Reporter,
    *,
    dpi: int = 200,
    quality: int = 95,
    longest_side: int = 0,
) -> Written:
    """Write every picture and every page of a PDF or TIFF below a folder as a JPEG file.

    Subfolders stay. Pages get a number after the name. Of moving pictures the first is taken.
    Transparent parts turn white, EXIF rotation is carried out.

    Args:
        source: folder, or one file.
        target: folder to write to; made if need be.
        reporter: told progress.
        dpi: dots per inch of a PDF's pages.
        quality: of JPEG, 1 to 100.
        longest_side: larger pictures are made smaller, pixels; 0 leaves them.

    Raises:
        ValueError: nothing there, or the target holds something.
    """
    if target.exists() and any(target.iterdir()):
        raise ValueError(f"{target} isn't empty: give another folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{target} lies in {source}: give a folder elsewhere")
    root = source if source.is_dir() else source.parent
    files = sorted(walk(source)) if source.is_dir() else [source]
    done = Written()
    wanted = [f for f in files if f.suffix.lower() in (*PICTURE_SUFFIXES, PDF)]
    done.ignored = len(files) - len(wanted)
    if not wanted:
        raise ValueError(f"{source}: no picture and no PDF there")
    taken: set[Path] = set()
    for number, file in enumerate(wanted, 1):
        name = file.relative_to(root)
        try:
            if file.suffix.lower() != PDF and not longest_side and _take_over(file):
                place = _free(target / name.with_suffix(".jpg"), taken)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
                done.copied += 1
                done.files += 1
            else:
                pages = list(_pages(file, dpi))
                for page, load in enumerate(pages, 1):
                    image = load()
                    if longest_side:
                        image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
                    if max(image.size) > JPEG_SIDE:
                        raise PictureError(
                            f"it has {image.width} x {image.height} pixels, and JPEG no side over "
                            f"{JPEG_SIDE}: make it smaller with --longest-side"
                        )
                    stem = name.stem if len(pages) == 1 else f"{name.stem}-{page:03d}"
                    place = _free(target / name.with_name(f"{stem}.jpg"), taken)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    image.save(place, quality=quality, subsampling=0)
                    done.files += 1
        except PictureError as error:
            done.rejected.append(Rejected(name.as_posix(), str(error)))
        reporter.progress("writing JPEG files", number, len(wanted))
    return done


def _take_over(file: Path) -> bool:
    facts = check_picture(file)
    return facts.plain and facts.suffix == ".jpg"


def _free(place: Path, taken: set[Path]) -> Path:
    """Find a name that nothing has yet, on file systems that know no upper case either."""
    number, wished = 1, place
    while Path(str(wished).casefold()) in taken:
        number += 1
        wished = place.with_stem(f"{place.stem}_{number}")
    taken.add(Path(str(wished).casefold()))
    return wished


def _pages(file: Path, dpi: int) -> Iterator[Page]:
    if file.suffix.lower() == PDF:
        yield from pdf_pages(file, dpi)
        return
    check_picture(file)
    with Image.open(file) as opened:
        count = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
    for number in range(count):
        yield partial(_frame, file, number)


def _frame(file: Path, number: int) -> Image.Image:
    with readable(file), Image.open(file) as opened:
        if number:
            opened.seek(number)
        return plain_rgb(opened)


def pdf_pages(file: Path, dpi: int) -> Iterator[Page]:
    """Open a PDF; PDFium is to be used from one thread at a time.

    Raises:
        PictureError: it can't be read, as a whole or, when a page is drawn, that page.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        reason = "it is locked with a password" if locked else "it isn't a PDF, or a broken one"
        raise PictureError(reason) from None
    for number in range(count):
        yield partial(_drawn, document, number, dpi)


def _drawn(document: Any, number: int, dpi: int) -> Image.Image:
    import pypdfium2

    try:
        page = document[number]
        width, height = (side / _POINT * dpi for side in page.get_size())
        if width * height > MOST_PIXELS:
            raise PictureError(
                f"page {number + 1} would have {width:.0f} x {height:.0f} pixels: lower --dpi"
            )
        image: Image.Image = page.render(scale=dpi / _POINT).to_pil().convert("RGB")
    except pypdfium2.PdfiumError:
        raise PictureError(f"page {number + 1} is broken") from None
    return image
