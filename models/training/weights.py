"""The tensors that make up a network, each of them once."""

from __future__ import annotations

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
