"""Where a network starts: published or local weights, and what of them is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.detection.networks.detector import Detector
from models.detection.networks.options import NetworkOptions


def start_from(network: Detector, options: NetworkOptions) -> None:
    """Load what `network.weights` names.

    Raises:
        ValueError: the weights cannot be had, or are those of another network.
    """
    if options.weights == "none":
        return
    _load_backbone_weights(network, options)


def _load_backbone_weights(network: Detector, options: NetworkOptions) -> None:
    """Put published or filed timm weights into the backbone."""
    import timm

    overlay: dict[str, Any] | None = None
    if options.weights != "hub":
        _check_weights(Path(options.weights), options.timm_backbone)
        overlay = {"file": options.weights}
    backbone: Any = network.backbone()
    try:
        source = timm.create_model(
            options.timm_backbone,
            pretrained=True,
            pretrained_cfg_overlay=overlay,
            features_only=True,
            out_indices=backbone.model.config.out_indices,
        )
    except Exception as error:  # whatever the hub's client raises when it cannot be reached
        raise ValueError(
            f"network.weights: no weights of '{options.timm_backbone}' from {options.weights} "
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
