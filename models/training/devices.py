"""Where training runs and in which arithmetic."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

from models.training.options import TrainingOptions


@dataclass(frozen=True)
class Device:
    """Arguments for Lightning's `Trainer`, and what they mean."""

    accelerator: str
    precision: str
    devices: int
    nodes: int

    @property
    def cuda(self) -> bool:
        """Whether this is a GPU."""
        return self.accelerator == "cuda"

    @property
    def fp16(self) -> bool:
        """Whether gradients are scaled, as fp16 needs."""
        return self.precision == "16-mixed"

    @property
    def world(self) -> int:
        """Processes that train together."""
        return self.devices * self.nodes

    def trainer_arguments(self) -> dict[str, Any]:
        """Keyword arguments for `lightning.Trainer`."""
        return {
            "accelerator": self.accelerator,
            "precision": self.precision,
            "devices": self.devices,
            "num_nodes": self.nodes,
            # A batch without a single box leaves the denoising embedding unused.
            "strategy": "ddp_find_unused_parameters_true" if self.world > 1 else "auto",
        }

    def workers(self, options: TrainingOptions) -> int:
        """Loader processes to start."""
        if options.workers != "auto":
            return options.workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
        return min(8, max(0, cores - 1)) if self.cuda else 0


def first_process() -> bool:
    """Say whether this process reports and writes files: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def choose_device(options: TrainingOptions) -> Device:
    """Pick device and precision.

    Under `torchrun`, and with `devices` above 1, training is spread over several processes: both
    set `LOCAL_WORLD_SIZE`.

    Raises:
        ValueError: the machine has not what the options ask for.
    """
    has_cuda = torch.cuda.is_available()
    if options.device == "cuda" and not has_cuda:
        raise ValueError("device=cuda, but no CUDA GPU is visible here; use device=auto or cpu")
    cuda = has_cuda and options.device != "cpu"
    precision: str = options.precision
    if precision == "auto":
        precision = _fast_precision(cuda)
    if precision == "fp16" and not cuda:
        # Lightning would quietly take bf16 instead.
        raise ValueError("precision=fp16 needs a GPU; on a CPU use auto, bf16 or float32")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 and options.devices * options.nodes > 1:
        asked = f"nodes={options.nodes}" if options.nodes > 1 else f"devices={options.devices}"
        raise ValueError(
            f"{asked}: nobody started the other processes; use the train stage, torchrun, or "
            f"models.training.companions.together"
        )
    return Device(
        accelerator="cuda" if cuda else "cpu",
        precision={"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}[precision],
        devices=local,
        nodes=max(1, world // local),
    )


def _fast_precision(cuda: bool) -> str:
    if cuda:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    try:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    except AttributeError:  # private, so it may go; then take what always works
        return "float32"
    return "bf16" if fast else "float32"
