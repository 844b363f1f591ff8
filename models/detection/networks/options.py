"""Options of detection networks. No torch in here."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from models.detection.networks.catalogue import Entry, find
from models.training.options import Options


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
    image_size: int = Field(320, ge=64, le=2048, multiple_of=32)
    """Height and width of the network's input in pixels."""
    queries: int = Field(100, ge=1, le=1000)
    """Most objects found in one picture: at least the most boxes any picture holds."""
    levels: int = Field(3, ge=1, le=4)
    """Feature maps taken from the backbone, counted from the coarsest (stride 32) up: 3 reach
    down to stride 8. Small objects need more, time grows with each."""
    hidden_width: int = Field(128, ge=32, le=512, multiple_of=32)
    """Channels of encoder and decoder, or of a dense network's neck and heads."""
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
    def _published_defaults(cls, given: Any) -> Any:
        """Some networks come with defaults of their own."""
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            return given
        entry = find(given["name"])
        own: dict[str, Any] = {}
        if entry.published:
            own["image_size"] = entry.image_size
        if entry.published and entry.queries is not None:
            own["queries"] = entry.queries
        if entry.hidden_width is not None:
            own["hidden_width"] = entry.hidden_width
        return {**own, **given}

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
            default = info.default if name != "queries" else entry.queries or info.default
            if getattr(self, name) not in (default, info.default):
                having = ", ".join(sorted(entry.options)) or "no further options"
                raise ValueError(
                    f"network.{name}={getattr(self, name)} has no effect on {self.name}; leave it "
                    f"at {default} ({self.name} takes {having})"
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
        places = sum((self.image_size // stride) ** 2 for stride in strides)
        if self.queries > places:
            raise ValueError(
                f"network.queries={self.queries} is more than the {places} places that "
                f"{len(strides)} feature maps of a {self.image_size} px input have; lower "
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
