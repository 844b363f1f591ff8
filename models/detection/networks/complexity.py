"""Parameters and operations of a network, counted."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions

CLASSES = 80
"""COCO's number of classes: figures are for a network with as many."""


def complexity(name: str) -> tuple[float, float]:
    """Count what a network of the catalogue costs at its published input size.

    Args:
        name: `network.name`.

    Returns:
        Millions of parameters, and billions of multiplications and of additions (GFLOPs as
        papers on detection count them; convolutions and matrix products alone).
    """
    network = build_network(NetworkOptions(name=name), CLASSES).eval().requires_grad_(False)
    side = network_side(name)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, 3, side, side))
    parameters = sum(one.numel() for one in network.parameters())
    return parameters / 1e6, counter.get_total_flops() / 1e9


def network_side(name: str) -> int:
    """Give the input size in pixels that figures are for."""
    return NetworkOptions(name=name).side


def latency(name: str, repeats: int = 5) -> float:
    """Measure the time of one picture in PyTorch on this machine's CPU or GPU.

    Args:
        name: `network.name`.
        repeats: runs after the warm-up; the median counts.

    Returns:
        Milliseconds.
    """
    import statistics
    import time

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build_network(NetworkOptions(name=name), CLASSES).eval().to(device)
    side = network_side(name)
    picture = torch.zeros(1, 3, side, side, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 2):
            start = time.perf_counter()
            found = network(picture)
            found[0].cpu()  # waits until a GPU is done
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])
