"""TensorRT. An engine runs on the kind of GPU and with the version that it was built for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.package import ModelPackage
from models.runtimes.engines import EngineOptions, Outputs
from models.runtimes.tensorrt_library import check_built_here, tensorrt_library, this_device


class TensorRtEngine:
    """Runs the package's engine file. PyTorch holds the tensors on the GPU."""

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Load the engine.

        Raises:
            ValueError: TensorRT, its libraries or the GPU isn't there, the engine was built for
                another GPU or version, or the file is broken.
        """
        kind, _, index = options.device.partition(":")
        if kind not in ("auto", "cuda") or not (index or "0").isdigit():
            raise ValueError(f"device={options.device}: TensorRT runs on a GPU; use cuda or cuda:1")
        if options.arithmetic != "float32":
            raise ValueError("tensorrt computes in what its engine was built for; use float32")
        artifact = package.artifact("tensorrt", options.precision)
        trt = tensorrt_library()
        place = int(index or 0)
        check_built_here(artifact.file, artifact.device, this_device(trt, place))
        import torch

        self.artifact = artifact.file
        self.device = f"cuda:{place}"
        self._torch = torch
        with torch.cuda.device(self.device):
            self._runtime: Any = trt.Runtime(trt.Logger(trt.Logger.ERROR))
            plan = package.path(artifact).read_bytes()
            self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:
                raise ValueError(f"{package.path(artifact)} is no engine that TensorRT loads")
            self._context: Any = self._engine.create_execution_context()
            self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._input = package.card.input.name
        self._outputs = [output.name for output in package.card.outputs]
        # Shapes of the profile: least, preferred, most.
        self._most = int(self._engine.get_tensor_profile_shape(self._input, 0)[2][0])

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch; more than the engine was built for goes in parts."""
        parts = [
            self._run(inputs[start : start + self._most])
            for start in range(0, len(inputs), self._most)
        ]
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def close(self) -> None:
        """Free the engine."""
        self._context = self._engine = self._runtime = None

    def _run(self, inputs: NDArray[np.uint8]) -> Outputs:
        torch, context = self._torch, self._context
        with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
            given = torch.from_numpy(inputs).to(self.device)
            context.set_input_shape(self._input, tuple(given.shape))
            context.set_tensor_address(self._input, given.data_ptr())
            made = []
            for name in self._outputs:
                shape = tuple(context.get_tensor_shape(name))
                output = torch.empty(shape, dtype=torch.float32, device=self.device)
                context.set_tensor_address(name, output.data_ptr())
                made.append(output)
            if not context.execute_async_v3(self._stream.cuda_stream):
                raise RuntimeError(f"TensorRT could not run {self.artifact}")
            self._stream.synchronize()
            return tuple(output.cpu().numpy() for output in made)
