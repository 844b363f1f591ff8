"""Options of detection networks. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from models.detection.networks.catalogue import Entry, find
from models.training.options import Options

Auto = Literal["auto"]
_OWN = {"image_size": 320, "queries": 100, "hidden_width": 128}
"""What `auto` means for networks that have no value of their own."""


class NetworkOptions(Options):
    """All that is needed to build the network again, without a hub and without its weights."""

    name: str = "dfine"
    """The network; `sightline models` lists them. `dfine`, `rtdetr` and others without a size take
    a timm backbone and the options below; `dfine-n` and others with a size are the published
    ones, with options of their own where none is given."""
    backbone: str = "auto"
    """Any convolutional timm model with feature maps (`timm.list_models()`), for networks without
    a published size; `auto` is resnet10t there (mobilenetv2_100 for ssd and atss), and the
    network's own elsewhere."""
    image_size: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] | Auto = "auto"
    """Height and width of the network's input in pixels; `auto` is what a network with a size was
    published with, and 320 for the others."""
    queries: Annotated[int, Field(ge=1, le=1000)] | Auto = "auto"
    """Most objects found in one picture: at least the most boxes any picture holds. `auto` is the
    published number, or 100."""
    levels: int = Field(3, ge=1, le=4)
    """Feature maps taken from the backbone, counted from the coarsest (stride 32) up: 3 reach
    down to stride 8. Small objects need more, time grows with each."""
    hidden_width: Annotated[int, Field(ge=32, le=512, multiple_of=32)] | Auto = "auto"
    """Channels of encoder and decoder, or of a dense network's neck and heads; `auto` is 128, for
    atss 64."""
    decoder_layers: int = Field(3, ge=2, le=6)
    """Decoder layers; each refines the boxes of the one before."""
    denoising_queries: int = Field(50, ge=0, le=500)
    """Noisy copies of the true boxes that the decoder learns to repair, in training only; 0
    switches them off."""
    weights: str = "none"
    """Where the network starts: `none` (from scratch), `hub` (published weights: the whole
    detector's, trained on COCO, for published sizes, and timm's for timm backbones),
    `hub:objects365` (trained on Objects365 before COCO), or a local copy: a file (.safetensors,
    or .pth holding nothing but tensors) or a folder as the hub's client stores it."""
    freeze_batch_norm: bool = False
    """Keep the backbone's batch norms as they came: for published weights and small batches,
    never for training from scratch."""
    freeze: int = Field(0, ge=0, le=12)
    """Parts of the backbone that keep their weights and batch statistics, counted from the
    picture: 1 is the stem, 2 the stem and the first stage, and so on."""

    @model_validator(mode="before")
    @classmethod
    def _resolved(cls, given: Any) -> Any:
        """Put the network's own value where `auto` stands, so that what is kept says what was."""
        name = given.get("name", cls.model_fields["name"].default) if isinstance(given, dict) else 0
        if not isinstance(name, str):
            return given
        return {
            **given,
            **{
                option: own
                for option, own in _own(find(name)).items()
                if given.get(option, "auto") == "auto"
            },
        }

    @property
    def side(self) -> int:
        """Height and width of the input in pixels."""
        return _number(self.image_size)

    @property
    def query_count(self) -> int:
        """How many queries there are."""
        return _number(self.queries)

    @property
    def width(self) -> int:
        """Channels inside the network."""
        return _number(self.hidden_width)

    @property
    def entry(self) -> Entry:
        """The network's entry in the catalogue."""
        return find(self.name)

    @property
    def timm_backbone(self) -> str:
        """The timm model under a network without a published size."""
        return self.entry.auto_backbone if self.backbone == "auto" else self.backbone

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        find(name)
        return name

    @model_validator(mode="after")
    def _options_apply(self) -> NetworkOptions:
        """An option that the network has no use for must not seem to work."""
        entry = self.entry
        for name, info in type(self).model_fields.items():
            if name in ("name", "image_size", "weights", *entry.options):
                continue
            # Packages and tasks of any age hold what `auto` meant.
            fine = (info.default, _own(entry).get(name), _OWN.get(name))
            if getattr(self, name) not in fine:
                having = ", ".join(sorted(entry.options)) or "no further options"
                raise ValueError(
                    f"network.{name}={getattr(self, name)} has no effect on {self.name}; leave it "
                    f"at {info.default} ({self.name} takes {having})"
                )
        return self

    @model_validator(mode="after")
    def _queries_have_places(self) -> NetworkOptions:
        """Queries start from the best places of the feature maps; there must be as many."""
        if "queries" not in self.entry.options:
            return self
        strides = self.entry.strides
        if not self.entry.published:
            strides = tuple(32 >> level for level in range(self.levels))
        places = sum((self.side // stride) ** 2 for stride in strides)
        if self.query_count > places:
            raise ValueError(
                f"network.queries={self.queries} is more than the {places} places that "
                f"{len(strides)} feature maps of a {self.side} px input have; lower "
                f"network.queries or raise network.image_size"
            )
        return self

    @model_validator(mode="after")
    def _frozen_norms_need_weights(self) -> NetworkOptions:
        for name, on in (("freeze_batch_norm", self.freeze_batch_norm), ("freeze", self.freeze)):
            if on and self.weights == "none":
                raise ValueError(
                    f"network.{name} needs network.weights: a backbone trained from scratch has "
                    f"nothing worth keeping"
                )
        return self


def effective(network: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out of a package's network options what is another network's, and name the backbone."""
    try:
        entry = find(str(network.get("name")))
    except ValueError:  # of another version
        return network
    names = ("name", "image_size", "weights", *entry.options)
    found = {name: value for name, value in network.items() if name in names}
    if found.get("backbone") == "auto":
        found["backbone"] = entry.auto_backbone
    return found


def _own(entry: Entry) -> dict[str, int]:
    """What `auto` means for a network."""
    return {
        "image_size": entry.image_size,
        "queries": entry.queries or _OWN["queries"],
        "hidden_width": entry.hidden_width or _OWN["hidden_width"],
    }


def _number(value: int | str) -> int:
    assert isinstance(value, int), "`auto` is resolved when options are made"
    return value
