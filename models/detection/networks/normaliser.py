"""What losses are divided by where several processes train one model."""

from __future__ import annotations

import torch
from torch import distributed


def mean_counts(*counts: float, device: torch.device, least: float = 1.0) -> tuple[float, ...]:
    """Average counts over the processes of a training.

    Gradients are averaged over the processes. With these divisors an object weighs the same
    whichever process has it, as if one process had the whole batch. Each process has to call this
    the same number of times.

    Args:
        counts: This process's, of objects or of pairs.
        device: Where the network is; the processes talk through it.
        least: What each average is at least.
    """
    if distributed.is_available() and distributed.is_initialized():
        total = torch.tensor(counts, dtype=torch.float64 if device.type == "cpu" else torch.float32)
        total = total.to(device)
        distributed.all_reduce(total)
        counts = tuple((total / distributed.get_world_size()).tolist())
    return tuple(max(float(count), least) for count in counts)
