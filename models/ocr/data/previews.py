"""Draw a line with its text under it."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from models.data.preparing import small
from models.drawing import draw_boxes
from models.images import Image
from models.ocr.data.texts import Checked

_LEAST_WIDTH = 240
_CAPTION = 28


def preview(one: Checked) -> Image:
    """Draw a line, small ones enlarged, with its text under it."""
    picture = small(one.picture.file)
    if picture.width < _LEAST_WIDTH:
        tall = max(1, round(picture.height * _LEAST_WIDTH / picture.width))
        picture = picture.resize((_LEAST_WIDTH, tall), Pillow.Resampling.BICUBIC)
    canvas = Pillow.new("RGB", (picture.width, picture.height + _CAPTION), "white")
    canvas.paste(picture, (0, 0))
    box = [[-2, picture.height + _CAPTION - 1, picture.width + 2, picture.height + _CAPTION + 9]]
    return draw_boxes(np.asarray(canvas, np.uint8), box, [one.picture.text], [(255, 255, 255)])
