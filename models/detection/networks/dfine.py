"""D-FINE (Peng et al., 2024, arXiv:2410.13842) through `transformers`: published sizes and timm."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from models.detection.networks.backbones import hgnetv2, on_timm
from models.detection.networks.options import NetworkOptions
from models.detection.networks.queries import QueryDetector
from models.detection.networks.starting import start_from

_LARGE: dict[str, Any] = {"decoder_n_points": [3, 6, 3], "decoder_layers": 6}
PRESETS: dict[str, dict[str, Any]] = {
    "dfine-n": {
        "backbone": {"variant": "b0", "out_indices": [3, 4]},
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
    "dfine-s": {
        "backbone": {"variant": "b0", "out_indices": [2, 3, 4]},
        "detector": {
            "encoder_in_channels": [256, 512, 1024],
            "hidden_expansion": 0.5,
            "depth_mult": 0.34,
            "decoder_n_points": [3, 6, 3],
            "decoder_layers": 3,
        },
    },
    "dfine-m": {
        "backbone": {"variant": "b2", "out_indices": [2, 3, 4]},
        "detector": {
            "encoder_in_channels": [384, 768, 1536],
            "depth_mult": 0.67,
            "decoder_n_points": [3, 6, 3],
            "decoder_layers": 4,
        },
    },
    "dfine-l": {"backbone": {"variant": "b4", "out_indices": [2, 3, 4]}, "detector": _LARGE},
    "dfine-x": {
        "backbone": {"variant": "b5", "out_indices": [2, 3, 4]},
        "detector": {
            **_LARGE,
            "encoder_hidden_dim": 384,
            "encoder_ffn_dim": 2048,
            "decoder_in_channels": [384, 384, 384],
            "reg_scale": 8.0,
        },
    },
}
"""What the published sizes are made of: the paper's own configurations."""

LOSS_PARTS = {
    "vfl": "classification",
    "mal": "classification",
    "bbox": "box L1",
    "giou": "GIoU",
    "fgl": "FGL",
    "ddf": "DDF",
}
"""The names of D-FINE's loss parts (DEIMv2 has `mal` for `vfl`), and ours."""


class DFine(QueryDetector):
    """D-FINE: class logits and boxes of a fixed number of queries, refined layer by layer."""

    loss_parts = LOSS_PARTS

    def further_loss_inputs(self, outputs: Any) -> dict[str, Tensor]:
        """Give the edges' distributions and where they start."""
        return {
            "predicted_corners": outputs.intermediate_predicted_corners.float(),
            "initial_reference_points": outputs.initial_reference_points.float(),
        }


def build_dfine(options: NetworkOptions, classes: int, *, pretrained: bool) -> DFine:
    """Build D-FINE; see `building.build_network`."""
    from transformers import DFineConfig, DFineForObjectDetection

    shared: dict[str, Any] = {
        "freeze_backbone_batch_norms": options.freeze_batch_norm,
        "num_queries": options.queries,
        "num_denoising": options.denoising_queries,
        "num_labels": classes,
    }
    if options.entry.published:
        size = PRESETS[options.name]
        backbone = hgnetv2(**size["backbone"])
        network = DFine(
            DFineForObjectDetection(
                DFineConfig(backbone_config=backbone, **size["detector"], **shared)
            )
        )
    else:
        network = DFine(DFineForObjectDetection(DFineConfig(**on_timm(options), **shared)))
    if pretrained:
        start_from(network, options)
    return network
