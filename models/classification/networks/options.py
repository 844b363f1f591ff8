"""Options of classification networks. No torch in here."""

from __future__ import annotations

from pydantic import Field, model_validator

from models.training.options import Fraction, Options

PACKAGE = "model:"
"""What stands before a package of ours in `weights`."""


class NetworkOptions(Options):
    """All that is needed to build the network again, without a hub and without its weights."""

    name: str = Field("resnet10t", min_length=1, max_length=200)
    """Any classifier of timm, such as `resnet50` or `vit_base_patch16_224`; `sightline models
    --family classification` lists them. A tag after a point chooses among published weights. The
    default is small enough for a CPU."""
    image_size: int = Field(96, ge=16, le=2048)
    """Height and width of the network's input in pixels. Transformers take sizes that their patches
    divide."""
    weights: str = "none"
    """Where the network starts: `none` (from scratch), `hub` (timm's published weights), a local
    file (.safetensors, or .pth holding nothing but tensors), or `model:` and a package of ours (an
    id or name in the registry, a folder or a zip) with the same network. The head starts from
    scratch if the classes are others."""
    dropout: Fraction = 0.0
    """Share of the features before the head that are dropped in training."""
    drop_path: Fraction = 0.0
    """Largest share of residual branches that are dropped in training (stochastic depth; Huang et
    al., 2016), for networks that have it."""
    freeze: bool = False
    """Teach only the head; all else keeps its weights and batch statistics."""

    @model_validator(mode="after")
    def _frozen_needs_weights(self) -> NetworkOptions:
        if self.freeze and self.weights == "none":
            raise ValueError(
                "network.freeze needs network.weights: a network trained from scratch has nothing "
                "worth keeping"
            )
        return self
