"""Options of detection networks. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from models.training.options import Options


class NetworkOptions(Options):
    """All that is needed to build the network again, without a hub and without its weights."""

    name: Literal["dfine"] = "dfine"
    """Architecture: D-FINE (Peng et al., 2024, arXiv:2410.13842)."""
    backbone: str = "resnet10t"
    """Any convolutional timm model with feature maps (`timm.list_models()`)."""
    image_size: int = Field(320, ge=64, le=2048, multiple_of=32)
    """Height and width of the network's input in pixels."""
    queries: int = Field(100, ge=1, le=1000)
    """Most objects found in one picture: at least the most boxes any picture holds."""
    levels: int = Field(3, ge=1, le=4)
    """Feature maps taken from the backbone, counted from the coarsest (stride 32) up: 3 reach
    down to stride 8. Small objects need more, time grows with each."""
    hidden_width: int = Field(128, ge=32, le=512, multiple_of=32)
    """Channels of encoder and decoder."""
    decoder_layers: int = Field(3, ge=2, le=6)
    """Decoder layers; each refines the boxes of the one before."""
    denoising_queries: int = Field(50, ge=0, le=500)
    """Noisy copies of the true boxes that the decoder learns to repair, in training only; 0
    switches them off."""
    weights: str = "none"
    """Where the backbone starts: `none` (from scratch), `hub` (timm's published weights) or a
    file with timm weights (.safetensors, or .pth holding nothing but tensors)."""
    freeze_batch_norm: bool = False
    """Keep the backbone's batch norms as they came: for published weights and small batches,
    never for training from scratch."""

    @model_validator(mode="after")
    def _queries_have_places(self) -> NetworkOptions:
        """Queries start from the best places of the feature maps; there must be as many."""
        places = sum((self.image_size // (32 >> level)) ** 2 for level in range(self.levels))
        if self.queries > places:
            raise ValueError(
                f"network.queries={self.queries} is more than the {places} places that "
                f"{self.levels} feature maps of a {self.image_size} px input have; lower "
                f"network.queries or raise network.image_size"
            )
        return self

    @model_validator(mode="after")
    def _frozen_norms_need_weights(self) -> NetworkOptions:
        if self.freeze_batch_norm and self.weights == "none":
            raise ValueError(
                "network.freeze_batch_norm=true needs network.weights: a backbone trained from "
                "scratch has no batch norms worth keeping"
            )
        return self
