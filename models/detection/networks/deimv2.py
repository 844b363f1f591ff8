"""DEIMv2 (Huang et al., 2025, arXiv:2509.20787) through `transformers`: its published sizes."""

from __future__ import annotations

from typing import Any

from models.detection.networks.backbones import hgnetv2
from models.detection.networks.dfine import DFine
from models.detection.networks.options import NetworkOptions
from models.detection.networks.starting import start_from


def _lite(width: int, ffn: int, channels: int) -> dict[str, Any]:
    """Describe the smallest sizes: one map of the backbone, two levels."""
    return {
        "encoder_type": "lite",
        "encoder_layers": 0,
        "encoder_hidden_dim": width,
        "encoder_in_channels": [channels],
        "feat_strides": [16, 32],
        "hidden_expansion": 0.34,
        "depth_mult": 0.5,
        "d_model": width,
        "decoder_in_channels": [width, width],
        "decoder_ffn_dim": ffn,
        "num_feature_levels": 2,
        "decoder_n_points": [4, 2],
        "decoder_layers": 3,
        "share_bbox_head": True,
        "use_gateway": False,
    }


def _dinov3(width: int, ffn: int, expansion: float, depth: float, stem: int) -> dict[str, Any]:
    """Describe the sizes on a vision transformer."""
    return {
        "encoder_hidden_dim": width,
        "encoder_in_channels": [width] * 3,
        "encoder_ffn_dim": ffn,
        "hidden_expansion": expansion,
        "depth_mult": depth,
        "d_model": width,
        "decoder_in_channels": [width] * 3,
        "decoder_ffn_dim": ffn,
        "decoder_n_points": [3, 6, 3],
        "decoder_layers": 4,
        "spatial_tuning_adapter_inplanes": stem,
        "encoder_has_trailing_conv": False,
    }


_TINY = {"layerscale_value": 1.0, "num_register_tokens": 0, "key_bias": False}
PRESETS: dict[str, dict[str, Any]] = {
    "deimv2-atto": {"hgnetv2": ("atto", [3]), "detector": _lite(64, 160, 256)},
    "deimv2-femto": {"hgnetv2": ("femto", [3]), "detector": _lite(96, 256, 512)},
    "deimv2-pico": {"hgnetv2": ("pico", [3]), "detector": _lite(112, 320, 512)},
    "deimv2-s": {
        "vit": {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768, **_TINY},
        "out": [4, 8, 12],
        "detector": _dinov3(192, 512, 0.34, 0.67, 16),
    },
    "deimv2-m": {
        "vit": {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, **_TINY},
        "out": [4, 8, 12],
        "detector": _dinov3(256, 512, 0.67, 1.0, 16),
    },
}
"""What the published sizes are made of."""


class Deimv2(DFine):
    """DEIMv2: D-FINE's decoder and losses, with a matchability-aware classification loss."""

    classification = "matchability"


def build_deimv2(options: NetworkOptions, classes: int, *, pretrained: bool) -> Deimv2:
    """Build DEIMv2; see `building.build_network`."""
    from transformers import Deimv2Config, Deimv2ForObjectDetection, DINOv3ViTConfig

    size = PRESETS[options.name]
    backbone: Any
    if "hgnetv2" in size:
        backbone = hgnetv2(*size["hgnetv2"])
    else:
        backbone = DINOv3ViTConfig(
            num_hidden_layers=12,
            rope_theta=100.0,
            out_indices=size["out"],
            apply_layernorm=False,
            reshape_hidden_states=True,
            **size["vit"],
        )
    config = Deimv2Config(
        backbone_config=backbone,
        decoder_activation_function="silu",
        freeze_backbone_batch_norms=options.freeze_batch_norm,
        num_queries=options.queries,
        num_denoising=options.denoising_queries,
        num_labels=classes,
        focal_loss_gamma=1.5,  # of the matchability-aware loss in DEIM's paper
        **size["detector"],
    )
    network = Deimv2(Deimv2ForObjectDetection(config))
    if pretrained:
        start_from(network, options)
    return network
