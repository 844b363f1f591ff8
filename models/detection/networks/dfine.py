"""D-FINE (Peng et al., 2024, arXiv:2410.13842) through `transformers`, on any timm backbone."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.detection.networks.detector import Detector, Target
from models.detection.networks.options import NetworkOptions
from models.detection.postprocessing import QueryPostprocessing
from models.package import Output

LOSS_PARTS = {
    "vfl": "classification",
    "bbox": "box L1",
    "giou": "GIoU",
    "fgl": "FGL",
    "ddf": "DDF",
}
"""D-FINE's names of the loss parts, and ours."""


class DFine(Detector):
    """D-FINE: class logits and boxes of a fixed number of queries, refined layer by layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out."""
        outputs = self.network.model(pixel_values)
        return outputs.intermediate_logits[:, -1], outputs.intermediate_reference_points[:, -1]

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts.

        The sum runs over the final queries, every decoder layer, the encoder's proposals and the
        denoising queries.
        """
        outputs = self.network.model(pixel_values, labels=targets)
        if not bool(torch.isfinite(outputs.intermediate_reference_points).all()):
            raise FloatingPointError("the network's boxes are no finite numbers")
        with torch.autocast(pixel_values.device.type, enabled=False):
            logits = outputs.intermediate_logits.float()
            boxes = outputs.intermediate_reference_points.float()
            _, by_name, _ = self.network.loss_function(
                logits[:, -1],
                targets,
                pixel_values.device,
                boxes[:, -1],
                self.network.config,
                logits,
                boxes,
                enc_topk_logits=outputs.enc_topk_logits.float(),
                enc_topk_bboxes=outputs.enc_topk_bboxes.float(),
                denoising_meta_values=outputs.denoising_meta_values,
                predicted_corners=outputs.intermediate_predicted_corners.float(),
                initial_reference_points=outputs.initial_reference_points.float(),
            )
        parts: dict[str, Tensor] = {}
        for name, value in by_name.items():  # loss_vfl, loss_vfl_aux_0, loss_vfl_dn_1, ...
            part = LOSS_PARTS[name.split("_")[1]]
            parts[part] = parts[part] + value if part in parts else value
        return parts

    def backbone(self) -> nn.Module:
        """Return the backbone, which may have a learning rate of its own."""
        found: nn.Module = self.network.model.backbone
        return found

    def outputs(self) -> tuple[Output, ...]:
        """Describe logits and boxes."""
        queries, classes = self.network.config.num_queries, self.network.config.num_labels
        return (
            Output(
                name="logits",
                shape=("batch", queries, classes),
                meaning="one for each query and class, for a sigmoid",
            ),
            Output(
                name="boxes",
                shape=("batch", queries, 4),
                meaning="centre x, centre y, width, height as shares of the input size",
            ),
        )

    def postprocessing(self) -> QueryPostprocessing:
        """Take the surest pairs of query and class."""
        return QueryPostprocessing()


def build_dfine(options: NetworkOptions, classes: int, *, pretrained: bool) -> DFine:
    """Build D-FINE; see `building.build_network`."""
    from transformers import DFineConfig, DFineForObjectDetection, TimmBackboneConfig

    indices, channels, strides = _feature_maps(options)
    levels = options.levels
    width = options.hidden_width
    config = DFineConfig(
        backbone_config=TimmBackboneConfig(backbone=options.backbone, out_indices=indices),
        freeze_backbone_batch_norms=options.freeze_batch_norm,
        encoder_in_channels=channels,
        feat_strides=strides,
        encoder_hidden_dim=width,
        encoder_ffn_dim=4 * width,
        encode_proj_layers=[levels - 1],
        d_model=width,
        decoder_in_channels=[width] * levels,
        decoder_ffn_dim=4 * width,
        num_feature_levels=levels,
        decoder_layers=options.decoder_layers,
        num_queries=options.queries,
        num_denoising=options.denoising_queries,
        num_labels=classes,
    )
    network = DFine(DFineForObjectDetection(config))
    if pretrained and options.weights != "none":
        _load_backbone_weights(network, options)
    return network


def _feature_maps(options: NetworkOptions) -> tuple[list[int], list[int], list[int]]:
    """Find indices, channels and strides of the coarsest feature maps up to stride 32."""
    import timm

    if not timm.is_model(options.backbone):
        near = difflib.get_close_matches(options.backbone.split(".")[0], timm.list_models(), 3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"network.backbone: timm has no model '{options.backbone}'{hint}")
    try:
        with torch.device("meta"):
            info = timm.create_model(options.backbone, features_only=True).feature_info
    except (RuntimeError, AttributeError) as error:
        raise ValueError(
            f"network.backbone: '{options.backbone}' gives no feature maps: {error}"
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
            f"network.levels: '{options.backbone}' has feature maps of stride "
            f"{', '.join(str(stride) for _, _, stride in found)}; D-FINE needs {options.levels}, "
            f"each half as fine as the one before"
        )
    indices, channels, _ = zip(*found[-options.levels :], strict=True)
    return list(indices), list(channels), strides


def _load_backbone_weights(network: Detector, options: NetworkOptions) -> None:
    """Put published or filed timm weights into the backbone."""
    import timm

    overlay: dict[str, Any] | None = None
    if options.weights != "hub":
        _check_weights(Path(options.weights), options.backbone)
        overlay = {"file": options.weights}
    backbone: Any = network.backbone()
    try:
        source = timm.create_model(
            options.backbone,
            pretrained=True,
            pretrained_cfg_overlay=overlay,
            features_only=True,
            out_indices=backbone.model.config.out_indices,
        )
    except Exception as error:  # whatever the hub's client raises when it cannot be reached
        raise ValueError(
            f"network.weights: no weights of '{options.backbone}' from {options.weights} "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a file, or none "
            f"to train from scratch"
        ) from error
    # Frozen batch norms have no counter of batches: leave out what the target doesn't have.
    target = backbone.model._backbone
    wanted = target.state_dict()
    target.load_state_dict({n: v for n, v in source.state_dict().items() if n in wanted})


def _check_weights(file: Path, backbone: str) -> None:
    """Refuse a file that is none, that runs code, or that holds another model's weights."""
    import timm

    if not file.is_file():
        raise ValueError(f"network.weights: expected none, hub or a file; there is no file {file}")
    try:
        state = timm.models.load_state_dict(str(file), weights_only=True)
    except Exception as error:  # unpickling, format and header errors have no common base
        raise ValueError(f"network.weights: {file} is no file of plain tensors") from error
    with torch.device("meta"):
        wanted = timm.create_model(backbone, num_classes=0).state_dict()
    wrong = [n for n, v in wanted.items() if n not in state or state[n].shape != v.shape]
    if wrong:
        raise ValueError(
            f"network.weights: {file} does not fit '{backbone}': {len(wrong)} of {len(wanted)} "
            f"tensors are missing or of another shape, {wrong[0]} among them"
        )
