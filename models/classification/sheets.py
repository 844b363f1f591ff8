"""Many small pictures on one sheet, each with a line of text below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.images import Image

Colour = tuple[int, int, int]
RIGHT: Colour = (0, 110, 40)
WRONG: Colour = (180, 20, 20)
PLAIN: Colour = (60, 60, 60)
_TILE, _LINE, _SIZE = 132, 17, 11


def sheet(
    images: Sequence[Image],
    texts: Sequence[str],
    colours: Sequence[Colour] | None = None,
    columns: int = 6,
) -> Image:
    """Lay pictures out in rows.

    Args:
        images: RGB, uint8, of any sizes.
        texts: one for each; what is too long is cut.
        colours: of the ground of each text; grey unless given.
        columns: pictures in a row.

    Returns:
        RGB, uint8; a blank sheet for no pictures.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    page = Pillow.new("RGB", (columns * _TILE, rows * (_TILE + _LINE)), "white")
    draw = ImageDraw.Draw(page)
    for place, (image, text) in enumerate(zip(images, texts, strict=True)):
        left, top = place % columns * _TILE, place // columns * (_TILE + _LINE)
        small = Pillow.fromarray(image)
        small.thumbnail((_TILE - 4, _TILE - 4))
        if max(small.size) < _TILE - 4:
            scale = (_TILE - 4) / max(small.size)
            wide, high = (max(1, round(side * scale)) for side in small.size)
            small = small.resize((wide, high), Pillow.Resampling.NEAREST)
        page.paste(small, (left + (_TILE - small.width) // 2, top + 2))
        while text and draw.textlength(text, font_size=_SIZE) > _TILE - 8:
            text = text.removesuffix("…")[:-1] + "…" if len(text) > 2 else ""
        colour = colours[place] if colours else PLAIN
        draw.rectangle((left + 2, top + _TILE, left + _TILE - 3, top + _TILE + _LINE - 2), colour)
        draw.text((left + 4, top + _TILE + 1), text, fill="white", font_size=_SIZE)
    return np.asarray(page, np.uint8)
