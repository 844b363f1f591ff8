"""An Open Inference Protocol server: `sightline serve`, Triton, KServe, OpenVINO Model Server."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.package import ModelPackage
from models.runtimes.engines import EngineOptions, Outputs
from models.serving.client import ADDRESS, ModelClient


class RemoteEngine:
    """Has the package's network run by a server; pre- and postprocessing stay here."""

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Ask the server for the model.

        Raises:
            ValueError: no address, nothing that answers there, or another model than the package's.
        """
        if options.url is None:
            raise ValueError(f"the runtime remote needs the address of a model: url={ADDRESS}")
        # What the server decides may not look as if it were decided here.
        for name in ("device", "threads", "arithmetic", "precision"):
            if getattr(options, name) != getattr(EngineOptions(), name):
                raise ValueError(f"{name}: with the runtime remote that is the server's affair")
        self.artifact = options.url
        self.device = "remote"
        self._input = package.card.input.name
        self._outputs = [output.name for output in package.card.outputs]
        self._client = ModelClient(options.url)
        _compare(package, self._client)
        self._most = self._client.largest_batch()

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch, in pieces if the server takes only smaller ones."""
        step = self._most or len(inputs)
        parts = [
            self._client.infer({self._input: inputs[start : start + step]}, self._outputs)
            for start in range(0, len(inputs), step)
        ]
        if len(parts) == 1:
            return tuple(parts[0])
        return tuple(np.concatenate(tensors) for tensors in zip(*parts, strict=True))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _compare(package: ModelPackage, client: ModelClient) -> None:
    """Refuse a model that isn't the package's."""
    card = package.card
    wanted = {card.input.name: ("UINT8", [-1, *card.input.shape[1:]])}
    for output in card.outputs:
        sizes = [-1 if size == "batch" else size for size in output.shape]
        wanted[output.name] = ("FP32", sizes)
    have = {
        str(entry["name"]): (str(entry["datatype"]), [int(size) for size in entry["shape"]])
        for entry in (*client.metadata["inputs"], *client.metadata["outputs"])
    }
    for name, (kind, shape) in wanted.items():
        if name not in have:
            raise ValueError(
                f"{client.url} has no tensor '{name}', it has {', '.join(have)}: that is another "
                f"model than {package.folder}"
            )
        if have[name] != (kind, shape):
            raise ValueError(
                f"{client.url}: '{name}' is {have[name][0]} {have[name][1]} there and {kind} "
                f"{shape} in {package.folder}: that is another model"
            )
