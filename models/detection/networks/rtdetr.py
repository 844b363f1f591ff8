"""RT-DETR and RT-DETRv2 through `transformers`: published sizes, and timm backbones.

Zhao et al., 2023, arXiv:2304.08069; Lv et al., 2024, arXiv:2407.17140.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from models.detection.networks.backbones import on_timm
from models.detection.networks.detector import Target
from models.detection.networks.options import NetworkOptions
from models.detection.networks.queries import DenoisingDetector, gather
from models.detection.networks.starting import start_from

_BASIC = {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5}
_R18 = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]}
PRESETS: dict[str, dict[str, Any]] = {
    "r18": {
        "backbone": {**_R18, "depths": [2, 2, 2, 2]},
        "detector": {**_BASIC, "decoder_layers": 3},
    },
    "r34": {
        "backbone": {**_R18, "depths": [3, 4, 6, 3]},
        "detector": {**_BASIC, "decoder_layers": 4},
    },
    "r50-m": {
        "backbone": {"depths": [3, 4, 6, 3]},
        "detector": {"hidden_expansion": 0.5},
        "deciding_layer": 2,
    },
    "r50": {"backbone": {"depths": [3, 4, 6, 3]}, "detector": {}},
    "r101": {
        "backbone": {"depths": [3, 4, 23, 3]},
        "detector": {
            "encoder_hidden_dim": 384,
            "encoder_ffn_dim": 2048,
            "decoder_in_channels": [384, 384, 384],
        },
    },
}
"""What the published sizes are made of: the papers' own configurations. R50-M trains six decoder
layers and answers with the third."""

LOSS_PARTS = {"vfl": "classification", "bbox": "box L1", "giou": "GIoU"}
"""RT-DETR's names of the loss parts, and ours."""


class RTDetr(DenoisingDetector):
    """RT-DETR of either version."""

    def set_losses(self, outputs: Any, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the parts as `transformers` does."""
        logits = outputs.intermediate_logits.float()
        boxes = outputs.intermediate_reference_points.float()
        _, by_name, _ = self.network.loss_function(
            logits[:, -1],
            targets,
            logits.device,
            boxes[:, -1],
            self.network.config,
            logits,
            boxes,
            enc_topk_logits=outputs.enc_topk_logits.float(),
            enc_topk_bboxes=outputs.enc_topk_bboxes.float(),
            denoising_meta_values=outputs.denoising_meta_values,
        )
        return gather(by_name, LOSS_PARTS)


def build_rtdetr(options: NetworkOptions, classes: int, *, pretrained: bool) -> RTDetr:
    """Build RT-DETR; see `building.build_network`."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection

    given, layer = _described(options, classes)
    network = RTDetr(RTDetrForObjectDetection(RTDetrConfig(**given)), layer)
    if pretrained:
        start_from(network, options)
    return network


def build_rtdetrv2(options: NetworkOptions, classes: int, *, pretrained: bool) -> RTDetr:
    """Build RT-DETRv2; see `building.build_network`."""
    from transformers import RTDetrV2Config, RTDetrV2ForObjectDetection

    given, layer = _described(options, classes)
    if "num_feature_levels" in given:
        given["decoder_n_levels"] = given["num_feature_levels"]
    network = RTDetr(RTDetrV2ForObjectDetection(RTDetrV2Config(**given)), layer)
    if pretrained:
        start_from(network, options)
    return network


def _described(options: NetworkOptions, classes: int) -> tuple[dict[str, Any], int]:
    """Make the configuration's arguments, and say which decoder layer decides."""
    from transformers import RTDetrResNetConfig

    layer = -1
    if options.entry.published:
        size = PRESETS[options.name.split("-", 1)[1]]
        layer = size.get("deciding_layer", -1)
        backbone = RTDetrResNetConfig(out_indices=[2, 3, 4], **size["backbone"])
        given = {"backbone_config": backbone, **size["detector"]}
    else:
        given = on_timm(options)
    return {
        **given,
        "freeze_backbone_batch_norms": options.freeze_batch_norm,
        "num_queries": options.query_count,
        "num_denoising": options.denoising_queries,
        "num_labels": classes,
    }, layer
