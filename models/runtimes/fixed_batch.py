"""A network that takes a fixed number of pictures, used with any number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.runtimes.engines import Engine, Outputs


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
        parts = []
        for start in range(0, len(inputs), self._batch):
            part = inputs[start : start + self._batch]
            count = len(part)
            if count < self._batch:
                full = np.zeros((self._batch, *part.shape[1:]), np.uint8)
                full[:count] = part
                part = full
            parts.append([output[:count] for output in self._engine(part)])
        if len(parts) == 1:
            return tuple(parts[0])
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def close(self) -> None:
        """Free what the engine holds."""
        self._engine.close()
