"""The HTTP side: the Open Inference Protocol, REST form, and a plain route for one picture.

See github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.serving.batching import Ticket
from models.serving.bodies import Bodies
from models.serving.metrics import CONTENT_TYPE
from models.serving.refusal import Refusal, bad_request
from models.serving.service import ServedModel, Service
from models.serving.tensors import VERSION, read_request, write_response

_log = logging.getLogger(__name__)
_LARGE = 1 << 16
"""JSON from this size on is read beside the event loop, bytes."""
_GONE = 499
T = TypeVar("T")
Answer = Callable[[Request, ServedModel, Ticket, float], Awaitable[Response]]


def build_app(service: Service, version: str) -> Starlette:
    """Make the ASGI application of a service.

    Args:
        service: closed when the application ends.
        version: of this distribution.
    """
    return _Routes(service, version).app()


class _Routes:
    def __init__(self, service: Service, version: str) -> None:
        self._service = service
        self._version = version
        self._timeout = service.options.timeout
        self._bodies = Bodies(service.options.max_bytes)

    def app(self) -> Starlette:
        def get(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
            return Route(path, answer, methods=["GET"])

        routes = [
            get("/v2", self._server),
            get("/v2/health/live", self._well),
            get("/v2/health/ready", self._well),
            get("/metrics", self._metrics),
            Route("/v2/repository/index", self._index, methods=["POST"]),
            Route("/predict", self._predict, methods=["POST"]),
        ]
        for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            routes += [
                get(path, self._model),
                get(f"{path}/ready", self._model_ready),
                Route(f"{path}/infer", self._infer, methods=["POST"]),
            ]
        handlers: Any = {HTTPException: _no_route, Refusal: _refused}
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=handlers)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(self._service.close)

    async def _server(self, request: Request) -> Response:
        extensions = ["binary_tensor_data", "model_repository"]
        return JSONResponse(
            {"name": "sightline", "version": self._version, "extensions": extensions}
        )

    async def _well(self, request: Request) -> Response:
        # Connections are taken only once all is loaded, and no more when the service ends.
        return Response()

    async def _metrics(self, request: Request) -> Response:
        return Response(self._service.metrics.text(), media_type=CONTENT_TYPE)

    async def _index(self, request: Request) -> Response:
        return JSONResponse(
            [
                {"name": name, "version": VERSION, "state": "READY", "reason": ""}
                for name in self._service.models
            ]
        )

    async def _model(self, request: Request) -> Response:
        return JSONResponse(self._service.metadata(self._find(request)))

    async def _model_ready(self, request: Request) -> Response:
        self._find(request)
        return Response()

    def _find(self, request: Request) -> ServedModel:
        name, version = request.path_params["model"], request.path_params.get("version", VERSION)
        model = self._service.models.get(name)
        if model is None:
            names = ", ".join(self._service.models)
            raise Refusal(404, f"no model '{name[:100]}' here; there are: {names}")
        if version != VERSION:
            raise Refusal(404, f"'{name}' has no version '{version[:100]}', it has: {VERSION}")
        return model

    async def _infer(self, request: Request) -> Response:
        return await self._counted(request, self._find(request), self._infer_answer)

    async def _predict(self, request: Request) -> Response:
        return await self._counted(request, self._service.pictures, self._predict_answer)

    async def _counted(self, request: Request, model: ServedModel, answer: Answer) -> Response:
        """Answer within the time limit, refusals too, and count it."""
        start = time.perf_counter()
        try:
            with self._service.batcher.ticket() as ticket:
                response = await answer(request, model, ticket, time.monotonic() + self._timeout)
        except Refusal as error:
            response = await _refused(request, error)
        except Exception:
            _log.exception("a request failed")
            response = _error(500, "the service failed; its log says why")
        self._service.metrics.answered(
            model.name, response.status_code, time.perf_counter() - start
        )
        return response

    async def _infer_answer(
        self, request: Request, model: ServedModel, ticket: Ticket, limit: float
    ) -> Response:
        header = _header_length(request)
        async with self._bodies.read(request, limit, self._full) as body:
            large = len(body if header is None else body[:header]) > _LARGE
            arguments = (body, header, model.inputs, model.outputs)
            if large:
                asked = await self._service.large_json(read_request, *arguments)
            else:
                asked = read_request(*arguments)
            if asked.timeout is not None:
                limit = min(limit, time.monotonic() + asked.timeout)
            tensors = await _in_time(request, model.infer(asked, ticket), limit)
            size = sum(array.nbytes for array in tensors.values())
            if size > _LARGE and not all(binary for _, binary in asked.outputs):
                done = await self._service.large_json(write_response, model.name, asked, tensors)
            else:
                done = write_response(model.name, asked, tensors)
        text, length = done
        if length is None:
            return Response(text, media_type="application/json")
        headers = {"Inference-Header-Content-Length": str(length)}
        return Response(text, media_type="application/octet-stream", headers=headers)

    async def _predict_answer(
        self, request: Request, model: ServedModel, ticket: Ticket, limit: float
    ) -> Response:
        threshold = _threshold(request)
        async with self._bodies.read(request, limit, self._full) as body:
            work = self._service.pictures.predict([body], threshold, ticket)
            tensors = dict(await _in_time(request, work, limit))
        del tensors["count"]  # of one picture
        answer = {name: array.tolist() for name, array in tensors.items()}
        return Response(json.dumps(answer), media_type="application/json")

    def _full(self) -> None:
        """Refuse before anything of the body is read."""
        batcher = self._service.batcher
        if batcher.length >= batcher.capacity:
            raise Refusal(503, f"overloaded: {batcher.length} pictures wait already; try again")


def _header_length(request: Request) -> int | None:
    text = request.headers.get("inference-header-content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise bad_request("Inference-Header-Content-Length: expected a number of bytes")
    return int(text)


def _threshold(request: Request) -> float | None:
    if strange := set(request.query_params) - {"threshold"}:
        raise bad_request(f"no parameter '{min(strange)[:100]}' here; there is: threshold")
    text = request.query_params.get("threshold")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise bad_request("threshold: expected a number from 0 to 1")
    return value


async def _in_time(request: Request, work: Awaitable[T], limit: float) -> T:
    """Wait for work as long as the client is there and the time limit isn't reached."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait(
            (task, gone),
            timeout=max(0.0, limit - time.monotonic()),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if task.done():
            return task.result()
        if gone.done():
            raise Refusal(_GONE, "the client has gone")
        raise Refusal(504, "the time limit is reached; the service is busy or the limit too low")
    finally:
        gone.cancel()
        if task.cancel():
            await asyncio.wait((task,))


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _error(error.status, str(error), _headers(error.status))


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "nothing is served at this address", 405: "another method is served here"}
    return _error(error.status_code, said.get(error.status_code, error.detail), error.headers)


def _headers(status: int) -> dict[str, str] | None:
    if status == 503:
        return {"Retry-After": "1"}
    # What is left of the body isn't read to its end.
    return {"Connection": "close"} if status in (408, 413, _GONE) else None


def _error(status: int, message: str, headers: Any = None) -> Response:
    return JSONResponse({"error": message}, status, headers)
