"""Lines of text in the corner of a picture. Pillow and NumPy alone: deployments ship it too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.images import Image

_GREY = (70, 70, 70)


def captioned(
    image: Image, lines: Sequence[str], grounds: Sequence[tuple[int, int, int]] = ()
) -> Image:
    """Write lines one below the other.

    Args:
        image: RGB, uint8; not changed.
        lines: from the top.
        grounds: colour behind each line, RGB; grey where there is none.
    """
    page = Pillow.fromarray(np.ascontiguousarray(image))
    draw = ImageDraw.Draw(page)
    # Small pictures get small letters, so that the picture stays to be seen.
    size = max(9, min(28, image.shape[1] // 12))
    top = 0
    for place, text in enumerate(lines):
        ground = grounds[place] if place < len(grounds) else _GREY
        wide = draw.textlength(text, font_size=size) + 6
        draw.rectangle((0, top, wide, top + size + 4), fill=ground)
        draw.text((3, top + 1), text, fill=(255, 255, 255), font_size=size)
        top += size + 5
    return np.asarray(page, np.uint8)
