"""The API's door: reads a request, finds its action, runs it where it belongs, answers."""

from __future__ import annotations

import asyncio
import gzip
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.types import Receive, Scope, Send

from . import contract, requests
from .authentication import Authenticator
from .credentials import Keys, User
from .envelope import failure, success
from .errors import ApiError, BadRequestError
from .peer import peer_of
from .registry import ACTIONS, Action, Attachment, Call, Data, Mode
from .settings import API_VERSION, Settings
from .store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

_LARGE = 256 * 1024  # bytes; larger bodies are read, and larger answers written, off the event loop
_PACKED = 64 * 1024  # bytes; larger answers are packed for clients that can unpack them
_NOBODY = User("", "", "")


class Api:
    """The ASGI application that serves `service.action` calls."""

    def __init__(self, settings: Settings, store: Store, keys: Keys) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._authenticator = Authenticator(keys, cookies=settings.webapp is not None)
        self._writing = ThreadPoolExecutor(1, "writer")
        self._reading = ThreadPoolExecutor(3, "reader")

    def close(self) -> None:
        """Finish what is under way and let no more in."""
        self._writing.shutdown()
        self._reading.shutdown()

    async def write(self, work: Callable[[Call], T]) -> T:
        """Do the server's own housekeeping in the writer's transaction."""
        call = Call(
            "server.housekeeping", {}, self._store.writer, self._keys.user, self._settings,
            self._keys,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writing, self._transaction, work, call)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name, version = scope["path"][:100], API_VERSION
        code, answer = 200, b""
        cookies: list[str] = []
        try:
            name, version = requests.endpoint(scope["path"])
            found = await self._answer(name, version, scope, receive, cookies)
            if isinstance(found, Attachment):
                await respond(send, 200, found.content, found.kind.encode(), _saved_as(found))
                return
            answer = found
        except ApiError as error:
            code, answer = error.code, failure(name, version, error)
        except (OverflowError, UnicodeError, RecursionError) as error:
            refused = BadRequestError(f"a value is out of range or not a text: {error}")
            code, answer = 400, failure(name, version, refused)
        except sqlite3.OperationalError as error:
            fault = _fault(error)
            if fault.code == 500:
                log.exception("%s failed", name)
            code, answer = fault.code, failure(name, version, fault)
        except Exception as error:
            log.exception("%s failed", name)
            fault = ApiError(f"General error: {type(error).__name__}: {error}", code=500)
            code, answer = 500, failure(name, version, fault)
        more = [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        if len(answer) > _PACKED and requests.takes_gzip(scope):
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._reading, gzip.compress, answer, 1)
            more += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        await respond(send, code, answer, more=more)

    async def _answer(
        self, name: str, version: str, scope: Scope, receive: Receive, cookies: list[str]
    ) -> bytes | Attachment:
        headers = requests.headers(scope)
        raw = await requests.body(receive, self._settings.max_body)
        found = ACTIONS.get(name)
        if found is None:
            raise ApiError(f"Unknown action {name}", subcode=0)
        reader = self._store.reader()
        peer = peer_of(scope, headers)
        user = _NOBODY
        if not found.public:
            user = self._authenticator.caller(peer, reader)
        loop = asyncio.get_running_loop()
        parse = (raw, headers, scope.get("query_string", b""), self._settings.max_body)
        if len(raw) > _LARGE:
            body, batch = await loop.run_in_executor(
                self._reading, lambda: requests.arguments(*parse)
            )
        else:
            body, batch = requests.arguments(*parse)
        if batch is None:
            contract.check(name, body)
        call = Call(
            name,
            body,
            reader,
            user,
            self._settings,
            self._keys,
            batch,
            headers.get("x-clearml-worker") or headers.get("x-trains-worker"),
            peer.client[0],
            version,
            peer,
            cookies,
        )
        if found.mode is Mode.READ:
            return _written(name, version, found.handler(call))
        if found.mode is Mode.SCAN:
            return await loop.run_in_executor(self._reading, self._scan, found, call, version)
        call.db = self._store.writer
        data = await loop.run_in_executor(self._writing, self._transaction, found.handler, call)
        for finish in call.after:
            finish()
        return _written(name, version, data)

    def _scan(self, found: Action, call: Call, version: str) -> bytes | Attachment:
        call.db = self._store.reader()
        return _written(found.name, version, found.handler(call))

    def _transaction(self, work: Callable[[Call], T], call: Call) -> T:
        connection = call.db.connection
        connection.execute("BEGIN")
        try:
            result = work(call)
            connection.execute("COMMIT")
        except BaseException:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error:
                log.exception("rollback failed")
            raise
        return result


_TOO_MUCH = {
    "user-defined function": "a pattern takes too long to match",  # see matching.py
    "Expression tree is too large": "a filter holds too many conditions",
    "too many SQL variables": "a filter holds too many values",
}
"""What the database says when it is the request that goes too far, and what we say then."""


def _fault(error: sqlite3.OperationalError) -> ApiError:
    for sign, reason in _TOO_MUCH.items():
        if sign in str(error):
            return BadRequestError(reason)
    return ApiError(f"General error: {error}", code=500)


def _written(name: str, version: str, data: Data | Attachment) -> bytes | Attachment:
    return data if isinstance(data, Attachment) else success(name, version, data)


def _saved_as(file: Attachment) -> list[tuple[bytes, bytes]]:
    return [(b"content-disposition", f'attachment; filename="{file.name}"'.encode())]


async def respond(
    send: Send,
    code: int,
    answer: bytes,
    kind: bytes = b"application/json",
    more: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send a whole answer. Head and body leave in one write: the loop joins them."""
    await send(
        {
            "type": "http.response.start",
            "status": code,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(answer)).encode()),
                (b"x-content-type-options", b"nosniff"),
                *more,
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer})
