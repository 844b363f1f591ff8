"""One way to use a model package, whatever runs it: RGB pictures in, the family's results out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.families import Postprocessor, family
from models.package import ModelPackage
from models.package.card import Precision
from models.preprocessing import Placement
from models.reporting import Image
from models.runtimes.engines import (
    RUNTIMES,
    Engine,
    EngineOptions,
    Outputs,
    StreamingEngine,
    load_engine,
)


class Predictor:
    """A model package ready to predict. Not to be called from two threads at once."""

    def __init__(
        self, package: ModelPackage, runtime: str, engine: Engine, batch_size: int = 8
    ) -> None:
        """Join a package with what runs it; `load_predictor` does it all.

        Args:
            package: gives pre- and postprocessing.
            runtime: the runtime's name.
            engine: runs the network.
            batch_size: most pictures that go through the network at once.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: expected at least 1")
        self.package = package
        self.runtime = runtime
        self.engine = engine
        self.batch_size = batch_size
        # Asked once, not for each call: of a protocol `isinstance` looks at every member.
        self._streaming = engine if isinstance(engine, StreamingEngine) else None
        self._preprocessing = package.card.preprocessing
        kind = family(package.card.family)
        entry = RUNTIMES.get(runtime)
        fused = entry is not None and entry.fused
        self._postprocess: Postprocessor = (
            kind.fused(package.card).place if fused else kind.postprocessor(package.card)
        )

    def __call__(self, images: Sequence[Image], threshold: float | None = None) -> list[Any]:
        """Predict.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes.
            threshold: least confidence of a result; None takes the package's own, 0 cuts nothing.

        Returns:
            The family's result for each picture (`Detections` for detection).

        Raises:
            ValueError: an image is none, or the threshold isn't between 0 and 1.
        """
        starts = range(0, len(images), self.batch_size)
        chunks = (images[start : start + self.batch_size] for start in starts)
        return [one for several in self.stream(chunks, threshold) for one in several]

    def stream(
        self, batches: Iterable[Sequence[Image] | None], threshold: float | None = None
    ) -> Generator[list[Any], None, None]:
        """Predict batch after batch; a runtime set for throughput works on several at once.

        Args:
            batches: pictures as for a call, at most `batch_size` each; made as they are asked for.
                None is no batch: results of what is under way are wanted before more is.
            threshold: as for a call.

        Yields:
            The family's results for each batch, in order.

        Raises:
            ValueError: an image is none, or the threshold isn't between 0 and 1.
        """
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold={threshold}: expected a number from 0 to 1")
        if self._streaming is None:
            for batch in batches:
                if batch is not None:
                    outputs, places = self.raw(batch)
                    yield self._postprocess(outputs, places, threshold)
            return
        placements: deque[list[Placement]] = deque()
        for outputs in self._streaming.stream(self._inputs(batches, placements)):
            yield self._postprocess(outputs, placements.popleft(), threshold)

    def _inputs(
        self, batches: Iterable[Sequence[Image] | None], placements: deque[list[Placement]]
    ) -> Iterator[NDArray[np.uint8] | None]:
        """Prepare batches as they are asked for."""
        for batch in batches:
            if batch is None:
                yield None
                continue
            inputs, places = self._preprocessing(batch)
            placements.append(places)
            yield inputs

    def raw(self, images: Sequence[Image]) -> tuple[Outputs, list[Placement]]:
        """Run pictures through the network as one batch, without postprocessing.

        Returns:
            The output tensors in the order of `model.json`, and where each picture lies in the
            network's input.
        """
        inputs, placements = self._preprocessing(images)
        return self.engine(inputs), placements

    def close(self) -> None:
        """Free what the runtime holds."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load_predictor(
    package: Path | str | ModelPackage,
    runtime: str = "torch",
    device: str = "auto",
    threads: int | None = None,
    *,
    batch_size: int = 8,
    arithmetic: Literal["float32", "bfloat16"] = "float32",
    precision: Precision | None = None,
    url: str | None = None,
    mode: Literal["latency", "throughput"] = "latency",
    compiled: bool = False,
) -> Predictor:
    """Make a model package ready to predict.

    Args:
        package: folder of the package, or the package.
        runtime: what runs it, one of `RUNTIMES`.
        device: see `EngineOptions`.
        threads: CPU threads; None leaves it to the runtime.
        batch_size: most pictures that go through the network at once.
        arithmetic: what the network computes in.
        precision: which artifact of the runtime's format to run; None takes the first.
        url: for the runtime remote; see `EngineOptions`.
        mode: `throughput` for many pictures at once; openvino's.
        compiled: let torch compile the network.

    Raises:
        ValueError: a damaged package, or a runtime, library, device or artifact that isn't there.
    """
    if not isinstance(package, ModelPackage):
        package = ModelPackage.load(package)
    options = EngineOptions(
        device=device,
        threads=threads,
        arithmetic=arithmetic,
        precision=precision,
        url=url,
        mode=mode,
        compiled=compiled,
    )
    return Predictor(package, runtime, load_engine(package, runtime, options), batch_size)
