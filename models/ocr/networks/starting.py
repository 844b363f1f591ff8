"""Weights that a backbone starts from: published ones of timm's, or a local copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.ocr.networks.options import NetworkOptions


def start_backbone(backbone: nn.Module, options: NetworkOptions) -> None:
    """Load what `network.weights` names into a cut backbone.

    Raises:
        ValueError: the weights cannot be had, or are another network's.
    """
    state = _published(options) if options.weights == "hub" else _file(Path(options.weights))
    wanted = backbone.state_dict()
    # A backbone made for feature maps has underscores where the whole one has dots.
    plain = {name.replace(".", "_"): value for name, value in state.items()}
    found = {name: plain[name.replace(".", "_")] for name in wanted if _there(name, plain)}
    wrong = sorted(set(wanted) - set(found)) + sorted(
        name for name, value in found.items() if value.shape != wanted[name].shape
    )
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
    if wrong:
        raise ValueError(
            f"network.weights: {options.weights} does not fit {options.backbone}: {len(wrong)} "
            f"tensors are missing or of another shape, {wrong[0]} among them"
        )
    backbone.load_state_dict(found, strict=False)


def _there(name: str, plain: dict[str, Tensor]) -> bool:
    return name.replace(".", "_") in plain


def _published(options: NetworkOptions) -> dict[str, Tensor]:
    import timm

    try:
        whole = timm.create_model(options.backbone, pretrained=True)
    except Exception as error:  # whatever the hub's client raises
        raise ValueError(
            f"network.weights=hub: no weights of {options.backbone} "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a local copy, or "
            f"none to train from scratch"
        ) from error
    return dict(whole.state_dict())


def _file(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise ValueError(f"network.weights: expected none, hub or a file; there is no {file}")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state.get("model", state))
        return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    except Exception as error:  # unpickling, zip and key errors have no common base
        raise ValueError(f"network.weights: {file} holds no tensors that can be read") from error
