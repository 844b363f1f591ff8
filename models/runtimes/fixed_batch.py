"""A network that takes a fixed number of pictures, used with any number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.runtimes.engines import Engine, Outputs, StreamingEngine


class FixedBatch:
    """Fills batches up with black pictures, and runs larger ones in parts."""

    def __init__(self, engine: Engine, batch: int) -> None:
        """Wrap an engine that takes `batch` pictures at once, neither more nor fewer."""
        self.artifact = engine.artifact
        self.device = engine.device
        self._engine = engine
        self._batch = batch

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run a batch of any size but 0."""
        parts = [
            self._filled(inputs[start : start + self._batch])
            for start in range(0, len(inputs), self._batch)
        ]
        engine = self._engine
        found = engine.stream(parts) if isinstance(engine, StreamingEngine) else map(engine, parts)
        outputs = [np.concatenate(same) for same in zip(*found, strict=True)]
        return tuple(output[: len(inputs)] for output in outputs)

    def _filled(self, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if len(part) == self._batch:
            return part
        full = np.zeros((self._batch, *part.shape[1:]), np.uint8)
        full[: len(part)] = part
        return full

    def close(self) -> None:
        """Free what the engine holds."""
        self._engine.close()
