"""D-FINE (Peng et al., 2024, arXiv:2410.13842) through `transformers`: published sizes and timm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.detection.networks.assignment import MatchingCost
from models.detection.networks.backbones import hgnetv2, on_timm
from models.detection.networks.detector import Target
from models.detection.networks.dfine_loss import (
    Answers,
    ClassificationLoss,
    DFineLoss,
    DFineLossOptions,
)
from models.detection.networks.options import NetworkOptions
from models.detection.networks.queries import DenoisingDetector
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


class DFine(DenoisingDetector):
    """D-FINE: class logits and boxes of a fixed number of queries, refined layer by layer."""

    classification: ClassificationLoss = "varifocal"

    def set_losses(self, outputs: Any, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the parts by `DFineLoss`.

        The decoder of `transformers` puts the answer of its first head, whose boxes the layers
        refine, in front of the layers' own; there are no edges to it.
        """
        logits = outputs.intermediate_logits.float().transpose(0, 1)
        boxes = outputs.intermediate_reference_points.float().transpose(0, 1)
        edges = outputs.intermediate_predicted_corners.float().transpose(0, 1)
        decoder = self.network.model.decoder
        every = Answers(
            first_logits=logits[0],
            first_boxes=boxes[0],
            logits=logits[1:],
            boxes=boxes[1:],
            edges=edges.unflatten(-1, (4, -1)),
        )
        loss = DFineLoss(self._loss_options(), self._offsets(), float(decoder.reg_scale))
        proposals = outputs.enc_topk_logits.float(), outputs.enc_topk_bboxes.float()
        noise = outputs.denoising_meta_values
        if noise is None:
            return loss(every, proposals, targets, None, [], 1)
        noisy, answers = every.split(noise["dn_num_split"][0])
        groups = int(noise["dn_num_group"])
        matches = [
            (at.cpu().numpy(), np.tile(np.arange(len(target["class_labels"])), groups))
            for at, target in zip(noise["dn_positive_idx"], targets, strict=True)
        ]
        return loss(answers, proposals, targets, noisy, matches, groups)

    def _offsets(self) -> Tensor:
        """Compute W(n), the offsets that the bins stand for, as the decoder does."""
        from transformers.models.d_fine.modeling_d_fine import weighting_function

        decoder = self.network.model.decoder
        with torch.no_grad():
            found: Tensor = weighting_function(decoder.max_num_bins, decoder.up, decoder.reg_scale)
        return found.detach().float()

    def _loss_options(self) -> DFineLossOptions:
        config = self.network.config
        return DFineLossOptions(
            cost=MatchingCost(
                classification=config.matcher_class_cost,
                box=config.matcher_bbox_cost,
                giou=config.matcher_giou_cost,
                alpha=config.matcher_alpha,
                gamma=config.matcher_gamma,
            ),
            classification=self.classification,
            classification_weight=(
                config.weight_loss_vfl
                if self.classification == "varifocal"
                else config.weight_loss_mal
            ),
            box_weight=config.weight_loss_bbox,
            giou_weight=config.weight_loss_giou,
            fgl_weight=config.weight_loss_fgl,
            ddf_weight=config.weight_loss_ddf,
            alpha=config.focal_loss_alpha,
            gamma=config.focal_loss_gamma,
        )


def build_dfine(options: NetworkOptions, classes: int, *, pretrained: bool) -> DFine:
    """Build D-FINE; see `building.build_network`."""
    from transformers import DFineConfig, DFineForObjectDetection

    shared: dict[str, Any] = {
        "freeze_backbone_batch_norms": options.freeze_batch_norm,
        "num_queries": options.query_count,
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
