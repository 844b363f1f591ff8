"""The files of a training: each appears whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

LAST = "last.ckpt"
"""All that a resume needs, the best weights included."""
BEST = "best.safetensors"
"""The best weights alone."""


def save_weights(weights: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors as safetensors."""
    from safetensors.torch import save_file

    part = file.with_name(file.name + ".part")
    save_file({name: value.contiguous() for name, value in weights.items()}, part)
    part.replace(file)
