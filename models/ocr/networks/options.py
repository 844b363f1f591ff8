"""Options of reading networks. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from models.training.options import Fraction, Options

OWN: dict[str, tuple[str, ...]] = {
    "crnn": (
        "backbone",
        "stage",
        "features",
        "recurrent",
        "hidden",
        "layers",
        "bidirectional",
        "weights",
    ),
    "svtr": ("widths", "depths", "attention", "rates"),
}
"""Options that only one network has."""


def effective(network: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out of a package's network options what is another network's."""
    others = {
        name for other, names in OWN.items() if other != network.get("name") for name in names
    }
    return {name: value for name, value in network.items() if name not in others}


class NetworkOptions(Options):
    """All that is needed to build the network again, without a hub and without its weights."""

    name: Literal["svtr", "crnn"] = "svtr"
    """`svtr`: convolutions, then attention over the whole line (after SVTRv2; Du et al., 2024).
    `crnn`: a timm backbone, then a recurrent network (Shi et al., 2015). Both end in CTC."""
    height: int = Field(32, ge=8, le=512, multiple_of=8)
    """Height of the network's input in pixels."""
    width: int = Field(256, ge=8, le=4096, multiple_of=8)
    """Width of the network's input in pixels."""
    stride: Literal[2, 4, 8, 16] = 4
    """Pixels of width for one step of the output sequence. A text takes a step for each character
    and one between equal neighbours; about twice as many are comfortable."""
    contrast: Literal["local", "none"] = "local"
    """What the network sees: `local`, by how much each pixel is lighter or darker than what lies
    around it, so that light, shadow and colours mean nothing; `none`, the pictures as they are,
    where colour tells ink from paper of the same lightness."""
    band: int = Field(0, ge=0, le=256, multiple_of=8)
    """Rows of a band that is found and cut out of the input before it is read, for pictures that
    show more than the line, such as the bars above digits: half as high again as the line's letters
    are in the input, at least. 0 reads all rows."""
    dropout: Fraction = 0.1
    """Share of the features that is dropped before the last layer, in training only."""
    backbone: str = "mobilenetv4_conv_small_050"
    """Of crnn: any convolutional timm model with feature maps (`timm.list_models()`)."""
    stage: int = Field(2, ge=0, le=8)
    """Of crnn: where the backbone is cut; index of timm's feature map, the finest is 0."""
    features: int = Field(128, ge=8, le=2048)
    """Of crnn: channels of each step once the feature map's rows are joined."""
    recurrent: Literal["lstm", "gru", "none"] = "lstm"
    """Of crnn: what looks along the sequence; `none` leaves it to the convolutions."""
    hidden: int = Field(128, ge=8, le=2048)
    """Of crnn: width of each recurrent layer, in each direction."""
    layers: int = Field(1, ge=1, le=4)
    """Of crnn: recurrent layers; between them `dropout` applies too."""
    bidirectional: bool = True
    """Of crnn: look along the sequence in both directions."""
    weights: str = "none"
    """Of crnn, where the backbone starts: `none` (from scratch), `hub` (timm's published weights)
    or a local copy, a file (.safetensors, or .pth holding nothing but tensors)."""
    widths: tuple[int, int, int] = (32, 64, 96)
    """Of svtr: channels of the three stages, each a multiple of 16."""
    depths: tuple[int, int, int] = (1, 2, 2)
    """Of svtr: blocks of the three stages."""
    attention: int = Field(2, ge=0, le=9)
    """Of svtr: how many blocks, counted from the last, look at the whole line; those before look
    around with convolutions."""
    rates: tuple[int, int] = (2, 2)
    """Of svtr: by how much the rows are thinned out between the stages."""

    @model_validator(mode="after")
    def _options_apply(self) -> NetworkOptions:
        """An option that the network has no use for must not seem to work."""
        for other, names in OWN.items():
            if other == self.name:
                continue
            for name in names:
                default = type(self).model_fields[name].default
                if getattr(self, name) != default:
                    raise ValueError(
                        f"network.{name} is {other}'s and has no effect on {self.name}; leave it "
                        f"at {default}, or set network.name={other}"
                    )
        return self

    @property
    def rows(self) -> int:
        """Rows that are read."""
        return self.band or self.height

    @model_validator(mode="after")
    def _band_fits(self) -> NetworkOptions:
        if self.band and self.contrast == "none":
            raise ValueError("network.band is found by contrast: it needs network.contrast=local")
        if self.band > self.height:
            raise ValueError(
                f"network.band={self.band} is higher than the input (network.height={self.height})"
            )
        return self

    @model_validator(mode="after")
    def _svtr_fits(self) -> NetworkOptions:
        if self.name != "svtr":
            return self
        if any(width % 16 or not 16 <= width <= 1024 for width in self.widths):
            raise ValueError("network.widths: expected multiples of 16 from 16 to 1024")
        if any(not 0 <= depth <= 24 for depth in self.depths) or not sum(self.depths):
            raise ValueError("network.depths: expected 0 to 24 blocks a stage, and at least one")
        if any(rate not in (1, 2) for rate in self.rates):
            raise ValueError("network.rates: expected 1 or 2 between two stages")
        if self.attention > sum(self.depths):
            raise ValueError(
                f"network.attention={self.attention}: there are only {sum(self.depths)} blocks"
            )
        if self.stride == 16:
            raise ValueError("network.stride: svtr takes 2, 4 or 8")
        return self
