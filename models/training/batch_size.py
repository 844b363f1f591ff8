"""The largest batch that fits into a GPU's memory, found by trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.training.devices import Device
from models.training.learner import Learner

CPU_BATCH = 8
"""What `auto` means on a CPU, where memory is no limit and larger batches aren't faster."""

_SPARE = 1.25
"""Memory tried for each picture of the size that is taken: later batches have more objects, and
the averaged weights come on top."""
_DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def largest_power(fits: Callable[[int], bool], most: int) -> int:
    """Find the largest power of two up to `most` that fits, from 1 up.

    Raises:
        ValueError: not even one picture fits.
    """
    size = 0
    while max(1, 2 * size) <= most and fits(max(1, 2 * size)):
        size = max(1, 2 * size)
    if not size:
        raise ValueError(
            "batch_size=auto: the GPU's memory doesn't hold a training step on one picture; take a "
            "smaller network or picture size"
        )
    return size


def largest_batch(learner: Learner, batch: Callable[[int], Any], most: int, device: Device) -> int:
    """Try training steps on a GPU; the network is left as it was.

    Args:
        learner: network and loss.
        batch: makes a batch of so many pictures.
        most: the largest size to try.
        device: where training will run.
    """
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    rng = torch.get_rng_state()
    learner.to("cuda")

    def fits(size: int) -> bool:
        try:
            _step(learner, batch(int(size * _SPARE)), device)
        except torch.OutOfMemoryError:
            return False
        finally:
            learner.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        return True

    try:
        return largest_power(fits, most)
    finally:
        learner.to("cpu").load_state_dict(before)
        torch.set_rng_state(rng)
        torch.cuda.empty_cache()


def _step(learner: Learner, batch: Any, device: Device) -> None:
    moved = learner.transfer_batch_to_device(batch, torch.device("cuda"), 0)
    dtype = _DTYPES.get(device.precision)
    # AdamW's two moments are as large as the weights.
    moments: list[Tensor] = [
        torch.empty_like(value) for value in learner.parameters() for _ in range(2)
    ]
    with torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
        parts = learner.losses(moved)
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    torch.cuda.synchronize()
    moments.clear()
