"""What the service does with a checked request, whatever brought it."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.families import family
from models.preprocessing import Placement
from models.reporting import Image
from models.runtimes import Predictor
from models.serving.batching import Batcher, Ticket
from models.serving.metrics import Metrics
from models.serving.options import ServeOptions
from models.serving.pictures import decode_picture
from models.serving.refusal import Refusal, bad_request
from models.serving.tensors import VERSION, InferRequest, TensorSpec, datatype

Tensors = Mapping[str, NDArray[Any]]
T = TypeVar("T")
PICTURES = "_pictures"
"""Ends the name of the model that takes encoded pictures."""


class ServedModel(ABC):
    """One model as the protocol knows it."""

    def __init__(
        self, name: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        self.name = name
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    @abstractmethod
    async def infer(self, request: InferRequest, ticket: Ticket) -> Tensors:
        """Compute the outputs.

        Raises:
            Refusal: it can't.
        """


class Service:
    """A predictor behind a queue, with threads that decode."""

    def __init__(self, predictor: Predictor, options: ServeOptions) -> None:
        """Run batches of many sizes once, since runtimes compile for a size when it first comes.

        Args:
            predictor: used by the service alone.
            options: of the service.
        """
        self.options = options
        self.predictor = predictor
        self.card = predictor.package.card
        shape = self.card.input.shape[1:]
        for size in _sizes(options.batch):
            predictor.engine(np.zeros((size, *shape), np.uint8))
        self.metrics = Metrics(lambda: float(self.batcher.length))
        self.batcher = Batcher(
            predictor.engine,
            options.batch,
            options.max_wait_ms / 1000,
            options.queue,
            self.metrics.ran,
        )
        threads = max(2, min(8, os.cpu_count() or 1))
        self._decoding = ThreadPoolExecutor(threads, "decode")
        # Apart, so that what is done doesn't wait behind the pictures of others.
        self._finishing = ThreadPoolExecutor(threads, "results")
        # JSON is read by one thread at a time anyway, and takes many times its size in memory.
        self._json = ThreadPoolExecutor(1, "json")
        self.tensors = TensorModel(self, options.name)
        self.pictures = PictureModel(self, options.name + PICTURES)
        self.models: dict[str, ServedModel] = {m.name: m for m in (self.tensors, self.pictures)}

    def metadata(self, model: ServedModel) -> dict[str, Any]:
        """Describe a model as the protocol does."""
        return {
            "name": model.name,
            "versions": [VERSION],
            "platform": f"sightline_{self.predictor.runtime}",
            "inputs": [spec.metadata() for spec in model.inputs],
            "outputs": [spec.metadata() for spec in model.outputs],
            "parameters": {
                "family": self.card.family,
                "artifact": self.predictor.engine.artifact,
                "classes": list(self.card.class_names),
                "threshold": self.card.threshold.value,
            },
        }

    async def decode(self, work: Callable[..., T], *arguments: Any) -> T:
        """Decode something in a thread kept for that."""
        return await _in(self._decoding, work, *arguments)

    async def finish(self, work: Callable[..., T], *arguments: Any) -> T:
        """Make results in a thread kept for that."""
        return await _in(self._finishing, work, *arguments)

    async def large_json(self, work: Callable[..., T], *arguments: Any) -> T:
        """Read or write much JSON in the thread kept for that."""
        return await _in(self._json, work, *arguments)

    def close(self) -> None:
        """Finish what waits, then end all threads and free the network."""
        ended = self.batcher.close(self.options.timeout)
        for pool in (self._decoding, self._finishing, self._json):
            pool.shutdown()
        if ended:
            self.predictor.close()


async def _in(pool: ThreadPoolExecutor, work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)


def _sizes(most: int) -> list[int]:
    """Batch sizes to run before the first request: small ones, powers of two, the largest."""
    return sorted({*range(1, min(most, 16) + 1), *(1 << i for i in range(most.bit_length())), most})


class TensorModel(ServedModel):
    """Takes the network's input, gives the network's outputs."""

    def __init__(self, service: Service, name: str) -> None:
        card = service.card
        image = TensorSpec(card.input.name, "UINT8", (-1, *card.input.shape[1:]))
        outputs = [
            TensorSpec(
                output.name, "FP32", tuple(-1 if size == "batch" else size for size in output.shape)
            )
            for output in card.outputs
        ]
        super().__init__(name, [image], outputs)
        self._batcher = service.batcher

    async def infer(self, request: InferRequest, ticket: Ticket) -> Tensors:
        """Run the network."""
        if request.threshold is not None:
            raise bad_request(
                f"parameters.threshold: '{self.name}' gives raw tensors; ask "
                f"'{self.name}{PICTURES}' for results"
            )
        (inputs,) = request.inputs.values()
        self._batcher.reserve(ticket, len(inputs))
        outputs = await self._batcher.run(ticket, inputs)
        return dict(zip([spec.name for spec in self.outputs], outputs, strict=True))


class PictureModel(ServedModel):
    """Takes JPEG and PNG files, gives the family's results."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        card = service.card
        self._family = family(card.family)
        self._postprocess = self._family.postprocessor(card)
        empty = self._family.result_tensors(card, [])
        outputs = [
            TensorSpec(name, datatype(array), (-1, *array.shape[1:]))
            for name, array in empty.items()
        ]
        super().__init__(name, [TensorSpec("picture", "BYTES", (-1,))], outputs)

    async def infer(self, request: InferRequest, ticket: Ticket) -> Tensors:
        """Predict."""
        return await self.predict(request.inputs["picture"].tolist(), request.threshold, ticket)

    async def predict(
        self, files: Sequence[bytes], threshold: float | None, ticket: Ticket
    ) -> Tensors:
        """Decode pictures, run them and make results of the outputs.

        Args:
            files: contents of JPEG or PNG files.
            threshold: least confidence; None takes the package's own.
            ticket: of the request.

        Returns:
            What the family's `result_tensors` gives.

        Raises:
            Refusal: a picture that is none, or the queue is full.
        """
        service = self._service
        service.batcher.reserve(ticket, len(files))
        decoded = await asyncio.gather(
            *(service.decode(self._decode, place, file) for place, file in enumerate(files))
        )
        inputs = np.concatenate([one for one, _ in decoded])
        outputs = await service.batcher.run(ticket, inputs)
        placements = [placement for _, placement in decoded]
        return await service.finish(self._results, outputs, placements, threshold)

    def _decode(self, place: int, file: bytes) -> tuple[NDArray[np.uint8], Placement]:
        try:
            image: Image = decode_picture(file, self._service.options.max_megapixels * 1e6)
        except Refusal as error:
            raise Refusal(error.status, f"picture {place}: {error}") from None
        inputs, placements = self._service.card.preprocessing([image])
        return inputs, placements[0]

    def _results(
        self,
        outputs: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> Tensors:
        found = self._postprocess(outputs, placements, threshold)
        return self._family.result_tensors(self._service.card, found)
