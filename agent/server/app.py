"""The whole server as one ASGI application: the API, files at `/files`, pages for browsers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from . import credentials, removals, services
from .api import Api, respond
from .envelope import failure
from .errors import ApiError
from .files import PREFIX, FileServer
from .origins import Doorkeeper
from .services.workers import forget_silent
from .settings import API_VERSION, Settings
from .store import Store
from .watchdog import Watchdog
from .web.door import Door

_REMOVALS_SECONDS = 1.0
_USES_SECONDS = 5.0

log = logging.getLogger(__name__)


def build(settings: Settings) -> ASGIApp:
    """Open the state folder and build the application over it.

    Raises:
        ValueError: The state can't be used; the message says why.
    """
    services.load()
    settings.state.mkdir(parents=True, exist_ok=True)
    keys = credentials.load(settings.credentials, settings.state / "signing.key")
    store = Store(settings.database, power_safe=settings.power_safe)
    api = Api(settings, store, keys)
    files = FileServer(settings, store, keys)
    pages = Door(settings, keys)
    watchdog = Watchdog(settings.non_responsive_after)

    async def watch() -> None:
        while True:
            await asyncio.sleep(watchdog.interval)
            try:
                await api.write(watchdog.run)
                await api.write(forget_silent)
            except Exception:
                log.exception("the watchdog stumbled")

    async def note_uses() -> None:
        while True:
            await asyncio.sleep(_USES_SECONDS)
            try:
                if keys.uses.waiting:
                    await api.write(lambda call: keys.uses.write(call.db))
            except Exception:
                log.exception("uses of keys could not be noted")

    async def remove_files() -> None:
        while True:
            await asyncio.sleep(_REMOVALS_SECONDS)
            try:
                while gone := removals.waiting(store.reader()):
                    for name, asked in gone:
                        await asyncio.to_thread(files.remove, name, asked)
                    names = [name for name, _ in gone]
                    await api.write(partial(removals.finish, names=names))
            except Exception:
                log.exception("files could not be deleted")

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        await api.write(services.prepare)
        tasks = [asyncio.create_task(work()) for work in (watch, note_uses, remove_files)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            try:
                await api.write(lambda call: keys.uses.write(call.db))
            finally:
                api.close()
                store.close()

    doorkeeper = Doorkeeper(settings.host, settings.names)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(running(), receive, send)
            return
        try:
            doorkeeper.check(scope)
        except ApiError as error:
            await respond(send, error.code, failure(scope["path"][:100], API_VERSION, error))
            return
        if scope["path"] == PREFIX or scope["path"].startswith(f"{PREFIX}/"):
            await files(scope, receive, send)
        elif pages.takes(scope):
            await pages(scope, receive, send)
        else:
            await api(scope, receive, send)

    return door


async def _live(
    running: contextlib.AbstractAsyncContextManager[None], receive: Receive, send: Send
) -> None:
    """Enter when the server starts, leave when it ends, and say so as ASGI wants it."""
    await receive()
    try:
        async with running:
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except BaseException as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})
