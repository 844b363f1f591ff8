"""PyTorch, eager or compiled. Eager in float32 is what the other runtimes are compared with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from models.package import ModelPackage
from models.runtimes.engines import EngineOptions, Outputs, library


class TorchEngine:
    """Runs the package's safetensors."""

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Build the network and load its weights.

        Raises:
            ValueError: PyTorch or the device isn't there, or the weights are another network's.
        """
        self._torch = library("torch", "train", "the runtime torch")
        from models.runtimes.shipped import shipped_network

        self.artifact = package.artifact("safetensors").file
        self.device = _device(self._torch, options.device)
        self._threads = options.threads
        self._bfloat16 = options.arithmetic == "bfloat16"
        self._compiled = options.compiled
        self._network: Any = shipped_network(package).to(self.device)
        if options.compiled:
            self._compile(package.card.input.shape[1:])

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        torch = self._torch
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(_threads(torch, self._threads))
            stack.enter_context(self._arithmetic())
            if self._compiled:
                # `transformers` asserts on tensor values, which would break the graph in parts.
                stack.enter_context(
                    patch.dict(os.environ, {"TRANSFORMERS_DISABLE_TORCH_CHECK": "1"})
                )
            outputs = self._network(torch.from_numpy(inputs).to(self.device))
        return tuple(output.float().cpu().numpy() for output in outputs)

    def close(self) -> None:
        """Free the network."""
        del self._network

    def _compile(self, shape: Sequence[int]) -> None:
        """Compile for one picture now, so that what is missing is said now."""
        if self.device == "cpu" and not _compiler():
            raise ValueError(
                "compiled=true: PyTorch needs a C++ compiler to compile for the CPU and finds "
                "none; install g++ (or name one in CXX), or use compiled=false"
            )
        self._network = self._torch.compile(self._network)
        try:
            self(np.zeros((1, *shape), np.uint8))
        except Exception as error:  # the compiler's stages have errors of their own
            line = str(error).strip().splitlines()[0][:300]
            raise ValueError(
                f"compiled=true: PyTorch can't compile this network: {line}; use compiled=false"
            ) from error

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        torch = self._torch
        kind = self.device.partition(":")[0]
        # By default a GPU rounds the inputs of convolutions to 10 bits (TF32).
        with (
            torch.backends.cudnn.flags(allow_tf32=False),
            torch.autocast(kind, torch.bfloat16, enabled=self._bfloat16),
        ):
            yield


def _compiler() -> str | None:
    """Find the C++ compiler that PyTorch would take."""
    named = os.environ.get("CXX")
    names = [named] if named else ["g++", "c++", "clang++", "cl"]
    return next((found for name in names if (found := shutil.which(name))), None)


def _device(torch: Any, name: str) -> str:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name}: PyTorch knows no such device; use cpu or cuda") from None
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        raise ValueError(f"device={name}: PyTorch sees no such GPU here; use device=cpu")
    return str(device)


@contextmanager
def _threads(torch: Any, count: int | None) -> Iterator[None]:
    """Set the number of threads, which is one for the whole process, for the time of a call."""
    before = torch.get_num_threads()
    if count in (None, before):
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
