"""Parameters, operations and time of a reading network."""

from __future__ import annotations

import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.ocr.networks.building import build_network
from models.ocr.networks.options import NetworkOptions

_CHARACTERS = 10


def complexity(options: NetworkOptions) -> tuple[float, float, int]:
    """Count what a network costs for one picture.

    Returns:
        Millions of parameters; billions of operations, a multiplication with an addition as two
        (convolutions and matrix products alone, so without recurrent layers); steps of its
        sequence.
    """
    with torch.device("meta"):
        network = build_network(options, _CHARACTERS).eval().requires_grad_(False)
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            network(torch.zeros(1, 3, options.height, options.width))
    parameters = sum(one.numel() for one in network.parameters())
    return parameters / 1e6, counter.get_total_flops() / 1e9, network.steps


def latency_ms(options: NetworkOptions, repeats: int = 9) -> float:
    """Measure the time of one picture in PyTorch on this machine's CPU, the median, ms."""
    network = build_network(options, _CHARACTERS).eval()
    picture = torch.zeros(1, 3, options.height, options.width)
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 2):
            start = time.perf_counter()
            network(picture)
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])
