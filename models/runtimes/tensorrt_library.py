"""TensorRT and the GPU under it: found, or said in one line why not.

TensorRT 10 and 11 are supported. NVIDIA's own package index has its libraries; PyPI only has the
Python bindings, which import nothing without them.
"""

from __future__ import annotations

import importlib
from typing import Any

from models.package import Device
from models.runtimes.engines import library

MAJORS = (10, 11)
"""Versions whose names and rules are known here."""


def tensorrt_library() -> Any:
    """Import TensorRT.

    Raises:
        ValueError: it isn't installed, its libraries are missing, or it is another version.
    """
    try:
        trt = importlib.import_module("tensorrt")
    except ModuleNotFoundError as error:
        if error.name not in ("tensorrt", "tensorrt_bindings", "tensorrt_libs"):
            raise
        raise ValueError(
            "TensorRT is not installed here; on a machine with an NVIDIA GPU: pip install tensorrt "
            "--extra-index-url https://pypi.nvidia.com"
        ) from error
    except (ImportError, OSError) as error:
        line = str(error).strip().splitlines()[0][:200]
        raise ValueError(
            f"TensorRT's Python bindings are here but not its libraries ({line}); install them "
            f"from NVIDIA's package index: pip install tensorrt --extra-index-url "
            f"https://pypi.nvidia.com"
        ) from error
    major_of(str(trt.__version__))
    return trt


def major_of(version: str) -> int:
    """Read the major number of a TensorRT version.

    Raises:
        ValueError: it isn't one that is supported.
    """
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) not in MAJORS:
        raise ValueError(
            f"TensorRT {version} is not supported; use {' or '.join(map(str, MAJORS))}"
        )
    return int(major)


def this_device(trt: Any, index: int = 0) -> Device:
    """Describe a GPU of this machine and the TensorRT that is here.

    Raises:
        ValueError: PyTorch isn't installed, or sees no such NVIDIA GPU.
    """
    torch = library("torch", "train", "TensorRT")
    if index >= torch.cuda.device_count():
        raise ValueError(
            f"TensorRT needs an NVIDIA GPU, and PyTorch sees no GPU number {index} on this machine"
        )
    major, minor = torch.cuda.get_device_capability(index)
    return Device(
        gpu=torch.cuda.get_device_name(index),
        compute_capability=f"{major}.{minor}",
        tensorrt=str(trt.__version__),
    )


def check_built_here(file: str, built: Device | None, here: Device) -> None:
    """Refuse an engine of another GPU or version, which would crash or give wrong results.

    Raises:
        ValueError: it is one, or its package doesn't say what it was built for.
    """
    again = "build it on this machine: run the export stage with formats=tensorrt here"
    if built is None:
        raise ValueError(f"{file}: model.json doesn't say for which GPU it was built; {again}")
    if built != here:
        raise ValueError(f"{file} was built for {_words(built)}, this is {_words(here)}; {again}")


def _words(device: Device) -> str:
    return f"{device.gpu} ({device.compute_capability}) with TensorRT {device.tensorrt}"
