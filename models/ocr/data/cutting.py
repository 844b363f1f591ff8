"""Cut lines out of larger pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow

from models.data.pictures import PictureError, check_picture, plain_rgb
from models.data.raw import UNSPLIT
from models.images import Image
from models.ocr.data.formats.boxed import BoxedLine, BoxedLines
from models.ocr.data.options import CropOptions
from models.ocr.data.texts import Raw, TextPicture, tidy
from models.outcomes import Rejected
from models.reporting import Reporter


def cut_lines(
    folder: Path, found: BoxedLines, target: Path, options: CropOptions, reporter: Reporter
) -> Raw:
    """Write every line as a picture of its own.

    A crop is called after its picture and its place in it. Each picture is opened once.

    Args:
        folder: the raw data, for names in reports.
        found: the lines.
        target: folder for the crops.
        options: room around them and the smallest.
        reporter: told about progress.

    Returns:
        The crops; lines without a text, too small, or in a broken picture are set aside.
    """
    raw = Raw(found.format, rejected=list(found.rejected), notes=list(found.notes))
    target.mkdir(parents=True, exist_ok=True)
    ordered = sorted(enumerate(found.lines), key=lambda pair: (str(pair[1].picture), pair[0]))
    done = 0
    for picture, group in groupby(ordered, key=lambda pair: pair[1].picture):
        lines = [line for _, line in group]
        done += len(lines)
        reporter.progress("cutting lines out", done, len(ordered))
        shown = picture.relative_to(folder).as_posix()
        try:
            check_picture(picture)
            with Pillow.open(picture) as opened:
                image = np.asarray(plain_rgb(opened), np.uint8)
        except PictureError as error:
            raw.rejected.append(Rejected(shown, f"{error}; its {len(lines)} lines are lost"))
            continue
        # Two pictures of one name in two folders must not share the names of their crops.
        mark = hashlib.blake2b(shown.encode(errors="replace"), digest_size=3).hexdigest()
        for number, line in enumerate(lines, 1):
            name = f"{picture.stem}-{mark}-{number:03d}.png"
            _cut(line, image, target / name, f"{shown}, {line.item}", options, raw)
    if UNSPLIT in raw.splits and len(raw.splits) > 1:
        raw.splits.setdefault("train", []).extend(raw.splits.pop(UNSPLIT))
    return raw


def _cut(
    line: BoxedLine, image: Image, file: Path, name: str, options: CropOptions, raw: Raw
) -> None:
    if not isinstance(line.text, str):
        kind = type(line.text).__name__
        reason = f"its text is the {kind} {line.text}: write it in quotes, or zeros get lost"
        raw.rejected.append(Rejected(name, reason))
        return
    height, width = image.shape[:2]
    x0, y0, x1, y1 = line.box
    if not np.isfinite(line.box).all():
        raw.rejected.append(Rejected(name, "its box isn't made of finite numbers"))
        return
    inner = (min(x1, width) - max(x0, 0), min(y1, height) - max(y0, 0))
    if min(inner) < options.smallest:
        reason = f"its frame of {max(inner[0], 0):.0f}x{max(inner[1], 0):.0f} pixels inside the "
        reason += f"picture is smaller than {options.smallest:g} (crops.smallest)"
        raw.rejected.append(Rejected(name, reason))
        return
    straight = options.straighten and line.outline is not None
    crop = _straight(image, line.outline or (), options) if straight else _box(image, line, options)
    if options.tall != "keep" and crop.shape[0] > crop.shape[1]:
        crop = np.rot90(crop, 1 if options.tall == "left" else -1)
    quick = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, content = cv2.imencode(".png", np.ascontiguousarray(crop[..., ::-1]), quick)
    file.write_bytes(content.tobytes())  # imwrite would keep a full disk to itself
    made = TextPicture(file, name, tidy(line.text), line.symbology)
    raw.splits.setdefault(line.split, []).append(made)


def _box(image: Image, line: BoxedLine, options: CropOptions) -> Image:
    x0, y0, x1, y1 = line.box
    room = options.padding * min(x1 - x0, y1 - y0)
    height, width = image.shape[:2]
    left, top = max(0, int(np.floor(x0 - room))), max(0, int(np.floor(y0 - room)))
    right, bottom = min(width, int(np.ceil(x1 + room))), min(height, int(np.ceil(y1 + room)))
    return image[top:bottom, left:right]


def _straight(image: Image, outline: Sequence[tuple[float, float]], options: CropOptions) -> Image:
    corners = np.array(outline, np.float32)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2
    room = options.padding * min(width, height)
    right, bottom = room + width, room + height
    straight = np.array([[room, room], [right, room], [right, bottom], [room, bottom]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, straight)
    size = (max(1, round(right + room)), max(1, round(bottom + room)))
    # Beyond the picture there is nothing to see: its edge goes on.
    cut = cv2.warpPerspective(
        image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, np.uint8)
