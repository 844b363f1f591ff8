"""Backbones of networks of queries: timm's, and those of the published sizes."""

from __future__ import annotations

import difflib
from typing import Any

import torch

from models.detection.networks.catalogue import Rgb
from models.detection.networks.options import NetworkOptions

_HGNETV2: dict[str, dict[str, Any]] = {
    "atto": {
        "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256],
        "stage_mid_channels": [16, 32, 64],
        "stage_out_channels": [64, 256, 256],
        "stage_num_blocks": [1, 1, 1],
        "stage_kernel_size": [3, 3, 3],
        "stage_numb_of_layers": [3, 3, 3],
    },
    "femto": {
        "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256],
        "stage_mid_channels": [16, 32, 64],
        "stage_out_channels": [64, 256, 512],
        "stage_num_blocks": [1, 1, 1],
        "stage_kernel_size": [3, 3, 5],
        "stage_numb_of_layers": [3, 3, 3],
    },
    "pico": {
        "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256],
        "stage_mid_channels": [16, 32, 64],
        "stage_out_channels": [64, 256, 512],
        "stage_num_blocks": [1, 1, 2],
        "stage_kernel_size": [3, 3, 5],
        "stage_numb_of_layers": [3, 3, 3],
    },
    "b0": {
        "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256, 512],
        "stage_mid_channels": [16, 32, 64, 128],
        "stage_out_channels": [64, 256, 512, 1024],
        "stage_num_blocks": [1, 1, 2, 1],
        "stage_numb_of_layers": [3, 3, 3, 3],
    },
    "b2": {
        "stem_channels": [3, 24, 32],
        "stage_in_channels": [32, 96, 384, 768],
        "stage_mid_channels": [32, 64, 128, 256],
        "stage_out_channels": [96, 384, 768, 1536],
        "stage_num_blocks": [1, 1, 3, 1],
        "stage_numb_of_layers": [4, 4, 4, 4],
    },
    "b4": {"use_learnable_affine_block": False},
    "b5": {
        "stem_channels": [3, 32, 64],
        "stage_in_channels": [64, 128, 512, 1024],
        "stage_mid_channels": [64, 128, 256, 512],
        "stage_out_channels": [128, 512, 1024, 2048],
        "stage_num_blocks": [1, 2, 5, 2],
        "use_learnable_affine_block": False,
    },
}
"""PP-HGNetV2 by size; what isn't named is as in B4."""


def hgnetv2(variant: str, out_indices: list[int]) -> Any:
    """Describe a PP-HGNetV2 backbone.

    Args:
        variant: `b0`, `b2`, `b4`, `b5`, `pico`, `femto` or `atto`.
        out_indices: the feature maps it gives, 0 being the stem.
    """
    from transformers import HGNetV2Config

    given = {"use_learnable_affine_block": True, **_HGNETV2[variant]}
    out = given.get("stage_out_channels", [128, 512, 1024, 2048])
    stages = len(out)
    return HGNetV2Config(
        **{
            "depths": list(given.get("stage_numb_of_layers", [6] * stages)),
            "hidden_sizes": out,
            "stage_downsample": [False, True, True, True][:stages],
            "stage_downsample_strides": [2] * stages,
            "stage_light_block": [False, False, True, True][:stages],
            "out_indices": out_indices,
            **given,
        }
    )


def on_timm(options: NetworkOptions) -> dict[str, Any]:
    """Describe a network of queries of the chosen size on a timm backbone.

    Returns:
        Arguments of a `transformers` configuration (D-FINE's, RT-DETR's).

    Raises:
        ValueError: timm has no such backbone, or it has too few feature maps.
    """
    from transformers import TimmBackboneConfig

    indices, channels, strides = feature_maps(options)
    levels, width = options.levels, options.width
    return {
        "backbone_config": TimmBackboneConfig(backbone=options.timm_backbone, out_indices=indices),
        "encoder_in_channels": channels,
        "feat_strides": strides,
        "encoder_hidden_dim": width,
        "encoder_ffn_dim": 4 * width,
        "encode_proj_layers": [levels - 1],
        "d_model": width,
        "decoder_in_channels": [width] * levels,
        "decoder_ffn_dim": 4 * width,
        "num_feature_levels": levels,
        "decoder_layers": options.decoder_layers,
    }


def normalisation(options: NetworkOptions) -> tuple[Rgb, Rgb]:
    """Give mean and deviation, RGB, of the pixels from 0 to 1 that the weights were made for."""
    import timm

    if options.entry.published or options.weights == "none":
        return options.entry.normalisation
    known = timm.get_pretrained_cfg(options.timm_backbone)
    return (tuple(known.mean), tuple(known.std)) if known else options.entry.normalisation


def feature_maps(options: NetworkOptions) -> tuple[list[int], list[int], list[int]]:
    """Find indices, channels and strides of the coarsest feature maps up to stride 32."""
    import timm

    if not timm.is_model(options.timm_backbone):
        near = difflib.get_close_matches(options.timm_backbone.split(".")[0], timm.list_models(), 3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"network.backbone: timm has no model '{options.timm_backbone}'{hint}")
    try:
        with torch.device("meta"):
            info = timm.create_model(options.timm_backbone, features_only=True).feature_info
    except (RuntimeError, AttributeError) as error:
        raise ValueError(
            f"network.backbone: '{options.timm_backbone}' gives no feature maps: {error}"
        ) from error
    found = [
        (index, channels, stride)
        for index, (channels, stride) in enumerate(
            zip(info.channels(), info.reduction(), strict=True)
        )
        if stride <= 32
    ]
    strides = [stride for _, _, stride in found[-options.levels :]]
    if len(strides) < options.levels or any(
        2 * fine != coarse for coarse, fine in zip(strides[1:], strides, strict=False)
    ):
        raise ValueError(
            f"network.levels: '{options.timm_backbone}' has feature maps of stride "
            f"{', '.join(str(stride) for _, _, stride in found)}; {options.name} needs "
            f"{options.levels}, each half as fine as the one before"
        )
    indices, channels, _ = zip(*found[-options.levels :], strict=True)
    return list(indices), list(channels), strides
