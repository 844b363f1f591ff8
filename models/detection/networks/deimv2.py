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


def _dinov3(
    width: int,
    encoder_ffn: int,
    decoder_ffn: int,
    expansion: float,
    depth: float,
    stem: int,
    layers: int = 4,
) -> dict[str, Any]:
    """Describe the sizes on a vision transformer."""
    return {
        "encoder_hidden_dim": width,
        "encoder_in_channels": [width] * 3,
        "encoder_ffn_dim": encoder_ffn,
        "hidden_expansion": expansion,
        "depth_mult": depth,
        "d_model": width,
        "decoder_in_channels": [width] * 3,
        "decoder_ffn_dim": decoder_ffn,
        "decoder_n_points": [3, 6, 3],
        "decoder_layers": layers,
        "spatial_tuning_adapter_inplanes": stem,
        "encoder_has_trailing_conv": False,
    }


def _tiny(width: int) -> dict[str, Any]:
    """Describe the authors' own vision transformers, distilled from DINOv3."""
    return {
        "hidden_size": width,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
        "layerscale_value": 1.0,
        "num_register_tokens": 0,
        "pos_embed_rescale": None,
        "key_bias": False,
        "apply_layernorm": False,
        "out_indices": [4, 8, 12],
    }


_SMALL = {
    "hidden_size": 384,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "layerscale_value": 1e-5,
    "num_register_tokens": 4,
    "pos_embed_rescale": 2.0,
    "key_bias": True,
    "apply_layernorm": True,
    "out_indices": [6, 9, 12],
}
"""DINOv3's ViT-S/16."""
PRESETS: dict[str, dict[str, Any]] = {
    "deimv2-atto": {"hgnetv2": ("atto", [3]), "detector": _lite(64, 160, 256)},
    "deimv2-femto": {"hgnetv2": ("femto", [3]), "detector": _lite(96, 256, 512)},
    "deimv2-pico": {"hgnetv2": ("pico", [3]), "detector": _lite(112, 320, 512)},
    "deimv2-n": {
        "hgnetv2": ("b0", [3, 4]),
        "detector": {
            "encoder_in_channels": [512, 1024],
            "feat_strides": [16, 32],
            "encoder_hidden_dim": 128,
            "encoder_ffn_dim": 512,
            "encode_proj_layers": [1],
            "hidden_expansion": 0.34,
            "depth_mult": 0.5,
            "d_model": 128,
            "decoder_in_channels": [128, 128],
            "decoder_ffn_dim": 512,
            "num_feature_levels": 2,
            "decoder_n_points": [6, 6],
            "decoder_layers": 3,
        },
    },
    "deimv2-s": {"vit": _tiny(192), "detector": _dinov3(192, 512, 512, 0.34, 0.67, 16)},
    "deimv2-m": {"vit": _tiny(256), "detector": _dinov3(256, 512, 512, 0.67, 1.0, 16)},
    "deimv2-l": {"vit": _SMALL, "detector": _dinov3(224, 896, 1792, 1.0, 1.0, 32)},
    "deimv2-x": {
        # ViT-S+/16: gated, and two thirds of six times as wide inside.
        "vit": {**_SMALL, "use_gated_mlp": True},
        "detector": _dinov3(256, 1024, 2048, 1.25, 1.37, 64, layers=6),
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
            reshape_hidden_states=True,
            **size["vit"],
        )
    config = Deimv2Config(
        backbone_config=backbone,
        decoder_activation_function="silu",
        freeze_backbone_batch_norms=options.freeze_batch_norm,
        num_queries=options.query_count,
        num_denoising=options.denoising_queries,
        num_labels=classes,
        focal_loss_gamma=1.5,  # of the matchability-aware loss in DEIM's paper
        **size["detector"],
    )
    network = Deimv2(Deimv2ForObjectDetection(config))
    if pretrained:
        start_from(network, options)
    return network
