"""Choose what runs a model when the user doesn't say."""

from __future__ import annotations

import importlib.util

from models.package import ModelPackage
from models.runtimes.engines import RUNTIMES

_ON_CPU = ("openvino", "onnxruntime", "torch")
"""The fastest first."""


def best_runtime(package: ModelPackage, device: str = "auto") -> str:
    """Name the fastest runtime that the package has a form for and that is installed here.

    Args:
        package: the model.
        device: `auto` takes a GPU that PyTorch sees, if the package can be run by PyTorch.

    Raises:
        ValueError: there is none.
    """
    formats = {artifact.format for artifact in package.card.artifacts}
    usable = [
        name
        for name in _ON_CPU
        if RUNTIMES[name].format in formats and importlib.util.find_spec(name) is not None
    ]
    if not usable:
        raise ValueError(
            f"{package.folder}: nothing is installed that runs one of the forms of this model "
            f"({', '.join(sorted(formats)) or 'none'}): pip install 'sightline[export]'"
        )
    wants_gpu = device.startswith("cuda") or (device == "auto" and "torch" in usable and _gpu())
    if wants_gpu:
        # OpenVINO runs on no GPU of this kind.
        return next((name for name in ("torch", "onnxruntime") if name in usable), usable[0])
    return usable[0]


def unused_int8(package: ModelPackage, runtime: str, artifact: str) -> str:
    """Say `int8` if a runtime has such a form of the model and runs another one, else nothing.

    Args:
        package: the model.
        runtime: what runs it.
        artifact: the file that it runs.
    """
    entry = RUNTIMES.get(runtime)
    forms = {
        a.file: a.precision for a in package.card.artifacts if entry and a.format == entry.format
    }
    return "int8" if "int8" in forms.values() and forms.get(artifact) != "int8" else ""


def _gpu() -> bool:
    """Tell whether there is a GPU for PyTorch, without loading PyTorch where there can't be."""
    from pathlib import Path

    if not Path("/dev/nvidiactl").exists() and not Path("/dev/dxg").exists():
        return False
    import torch

    return bool(torch.cuda.is_available())
