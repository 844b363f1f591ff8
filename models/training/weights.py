"""The tensors that make up a network, each of them once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def distinct_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers that are saved, by name; one name where modules share one.

    The tensors are the network's own, without gradient tracking: writing to one changes it.
    """
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, value in network.state_dict(keep_vars=True).items():
        if id(value) not in seen:
            seen.add(id(value))
            found[name] = value.detach()
    return found


def network_weights(network: nn.Module) -> dict[str, Tensor]:
    """Take the weights out: each tensor once, though heads share theirs; contiguous, on the CPU."""
    return {
        name: value.to("cpu", copy=True).contiguous()
        for name, value in distinct_tensors(network).items()
    }


def load_network_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights from `network_weights` back.

    Raises:
        ValueError: the weights are those of another network.
    """
    expected = distinct_tensors(network)
    wrong = sorted(set(expected) ^ set(weights)) or sorted(
        name for name, value in expected.items() if value.shape != weights[name].shape
    )
    if wrong:
        raise ValueError(
            f"the weights are not those of this network: {len(wrong)} tensors differ, {wrong[0]} "
            f"among them"
        )
    with torch.no_grad():
        for name, value in expected.items():
            value.copy_(weights[name])
