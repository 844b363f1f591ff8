"""How a picture becomes a network's input: one piece of code for training and every runtime.

What leaves this module is uint8. Normalisation (`scale`, `mean`, `std`) happens on the device, in
`models.normalisation`, which is also part of every exported graph.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from models.placement import Boxes, Placement, to_pictures
from models.resizing import Resizing, check_picture

__all__ = ["Boxes", "Placement", "Preprocessing", "check_picture", "to_pictures"]

Level = Annotated[int, Field(ge=0, le=255)]


class Preprocessing(Resizing, BaseModel):
    """The `preprocessing` part of `model.json`: picture in, network input out."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    height: int = Field(ge=1, le=8192)
    """Of the network's input, pixels."""
    width: int = Field(ge=1, le=8192)
    """Of the network's input, pixels."""
    resize_mode: Literal["letterbox", "stretch", "line"] = "letterbox"
    """`letterbox` keeps the picture's shape and pads the rest; `stretch` fills the input; `line`
    fills its height, keeps the shape and pads what is left of the width, and squeezes what is too
    wide. Inner sizes are rounded half to even."""
    alignment: Literal["centre", "top-left"] = "centre"
    """Where a letterboxed picture lies; `centre` puts the odd pixel right and below."""
    fill: tuple[Level, Level, Level] = (114, 114, 114)
    """RGB of a letterbox's padding."""
    interpolation: Literal["mipmap", "linear", "area"] = "mipmap"
    """`linear`: bilinear between pixel centres, without antialiasing (OpenCV's INTER_LINEAR).
    `mipmap`: sides halved (rounded up) by `linear` while both are at least twice what is wanted,
    then `linear`; as good as free, and thin lines survive. `area`: mean over the area that each
    pixel covers (OpenCV's INTER_AREA) when shrinking, else `linear`."""
    scale: float = Field(1 / 255, gt=0.0)
    """Normalisation: (pixel x scale - mean) / std. Exported graphs do this themselves."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """RGB."""
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.229, 0.224, 0.225)
    """RGB."""
