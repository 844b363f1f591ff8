"""Options of choosing a reading network. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Side = Annotated[int, Field(ge=8, le=4096, multiple_of=8)]


class DesignOptions(BaseModel):
    """Which networks to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    heights: tuple[Side, ...] = ()
    """Heights of the network's input, pixels; by the lines' shapes unless given: 32 for lines, 80
    where bars stand above them."""
    widths: tuple[Side, ...] = ()
    """Widths of the input, pixels; by the lines' shapes unless given."""
    strides: tuple[Literal[2, 4, 8, 16], ...] = (4, 8)
    """Pixels of width for one step of the output sequence."""
    backbones: tuple[str, ...] = ("mobilenetv4_conv_small_050", "resnet10t", "resnet18")
    """Of crnn: timm models."""
    stages: tuple[int, ...] = (1, 2)
    """Of crnn: where backbones are cut; index of timm's feature map, the finest is 0."""
    latency: float | None = Field(default=None, gt=0)
    """Most milliseconds for a line on this machine; the largest network within it is recommended.
    Without it, the fastest of the default network's that fit."""
    calls: int = Field(default=15, ge=0, le=1000)
    """Timed calls of each network, one line at a time; 0 measures no latency."""
