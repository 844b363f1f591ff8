"""The trained weights of a package, as PyTorch tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.package.folder import ModelPackage

if TYPE_CHECKING:
    from torch import Tensor


def read_weights(package: ModelPackage) -> dict[str, Tensor]:
    """Read the safetensors of a package onto the CPU.

    Raises:
        ValueError: it has none, or a broken file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = package.path(package.artifact("safetensors"))
    try:
        found: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} holds no safetensors: {error}") from error
    return found
