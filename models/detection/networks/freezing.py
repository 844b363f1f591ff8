"""Keep the first parts of a backbone as they came."""

from __future__ import annotations

from collections.abc import Iterator

from timm.models._features import FeatureListNet
from torch import nn


def freeze(backbone: nn.Module, count: int) -> None:
    """Freeze weights and batch statistics of the backbone's first parts.

    Args:
        backbone: of a detector.
        count: how many, counted from the picture. Each ends where a feature map may be taken, so
            1 is the stem.

    Raises:
        ValueError: the backbone has fewer parts.
    """
    parts = _parts(backbone)
    if count > len(parts):
        raise ValueError(
            f"network.freeze={count}: the backbone has {len(parts)} parts, the stem among them"
        )
    for module in (module for part in parts[:count] for module in part):
        module.requires_grad_(False)
        freeze_norms(module)


def freeze_norms(module: nn.Module) -> None:
    """Keep weights and statistics of all batch norms as they are."""
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.requires_grad_(False)
            norm.register_forward_pre_hook(_use_running_statistics)


def _use_running_statistics(norm: nn.Module, _: object) -> None:
    """Stay as in inference, whatever mode training puts the network in."""
    if norm.training:
        norm.eval()


def _parts(backbone: nn.Module) -> list[list[nn.Module]]:
    """Split a backbone into its stem and stages."""
    for module in backbone.modules():
        if isinstance(module, FeatureListNet):
            return list(_timm_parts(module))
        stem = getattr(module, "embedder", None)
        stages = getattr(getattr(module, "encoder", None), "stages", None)
        if isinstance(stem, nn.Module) and isinstance(stages, nn.ModuleList):  # of transformers
            return [[stem], *([stage] for stage in stages)]
    return [[child] for child in backbone.children()]


def _timm_parts(network: FeatureListNet) -> Iterator[list[nn.Module]]:
    """Cut after each module that gives a feature map, the unused fine ones among them."""
    ends = [f"{info['module']}." for info in network.feature_info.info]
    leaves = [
        (name, module)
        for name, module in network.named_modules()
        if not any(True for _ in module.children())
    ]
    part: list[nn.Module] = []
    for position, (name, module) in enumerate(leaves):
        part.append(module)
        following = leaves[position + 1][0] if position + 1 < len(leaves) else ""
        if any(_inside(name, end) and not _inside(following, end) for end in ends):
            yield part
            part = []


def _inside(name: str, end: str) -> bool:
    """Tell whether a module lies in another; flattening makes the first dot an underscore."""
    return f"{name}.".startswith(end) or f"{name}.".replace("_", ".", 1).startswith(end)
