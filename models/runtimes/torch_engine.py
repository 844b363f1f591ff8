"""PyTorch, eager: the reference that the other runtimes are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
        self._network = shipped_network(package).to(self.device)

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        torch = self._torch
        with torch.inference_mode(), _threads(torch, self._threads), self._arithmetic():
            outputs = self._network(torch.from_numpy(inputs).to(self.device))
        return tuple(output.float().cpu().numpy() for output in outputs)

    def close(self) -> None:
        """Free the network."""
        del self._network

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
