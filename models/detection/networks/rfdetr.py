"""RF-DETR (Robinson et al., 2025, arXiv:2511.09554) through `transformers`: published sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from models.detection.networks.detector import Target
from models.detection.networks.options import NetworkOptions
from models.detection.networks.queries import QueryDetector, gather
from models.detection.networks.starting import start_from

DECODER_LAYERS = {"rfdetr-n": 2, "rfdetr-s": 3, "rfdetr-m": 4, "rfdetr-l": 4}
"""The sizes differ in decoder layers and input size alone."""
PATCH = 16
WINDOWS = 2

LOSS_PARTS = {"ce": "classification", "bbox": "box L1", "giou": "GIoU"}
"""The names of the loss parts, and ours."""


class RFDetr(QueryDetector):
    """RF-DETR: a windowed DINOv2 backbone and a light decoder, without denoising."""

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out."""
        found = self.network(pixel_values)
        return found.logits, found.pred_boxes

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts: final queries, decoder layers, encoder's proposals."""
        network, config = self.network, self.network.config
        outputs = network.model(pixel_values)
        points = outputs.intermediate_reference_points
        proposals = network.predict_encoder_class_logits(outputs.enc_outputs_class)
        logits, boxes = network.predict_class_and_boxes(outputs.intermediate_hidden_states, points)
        if not bool(torch.isfinite(boxes).all()):
            raise FloatingPointError("the network's boxes are no finite numbers")
        with torch.autocast(pixel_values.device.type, enabled=False):
            logits, boxes = logits.float(), boxes.float()
            _, by_name, _ = network.loss_function(
                logits[-1],
                targets,
                pixel_values.device,
                boxes[-1],
                config,
                logits,
                boxes,
                proposals.float(),
                outputs.enc_outputs_coord_logits.float(),
            )
        weights = {
            "ce": config.class_loss_coefficient,
            "bbox": config.bbox_loss_coefficient,
            "giou": config.giou_loss_coefficient,
        }
        weighted = {
            name: value * weights[name.split("_")[1]]
            for name, value in by_name.items()
            if name.startswith("loss_") and name.split("_")[1] in weights
        }
        return gather(weighted, LOSS_PARTS)


def build_rfdetr(options: NetworkOptions, classes: int, *, pretrained: bool) -> RFDetr:
    """Build RF-DETR; see `building.build_network`."""
    from transformers import RfDetrConfig, RfDetrDinov2Config, RfDetrForObjectDetection

    backbone = RfDetrDinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=options.entry.image_size,
        patch_size=PATCH,
        num_windows=WINDOWS,
        use_mask_token=True,
        out_indices=[3, 6, 9, 12],
    )
    config = RfDetrConfig(
        backbone_config=backbone,
        decoder_layers=DECODER_LAYERS[options.name],
        decoder_n_points=2,
        num_queries=options.query_count,
        num_labels=classes,
    )
    network = RFDetr(RfDetrForObjectDetection(config))
    if pretrained:
        start_from(network, options)
    return network
