"""The file server: uploads, downloads with ranges, deletions.

A file appears under its name whole or not at all: it is written beside, flushed to the disk and
then renamed. Names are checked piece by piece, so nothing outside the folder can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import mimetypes
import os
import shutil
import stat
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from . import requests
from .api import respond
from .authentication import Authenticator
from .credentials import Keys
from .encoding import encode, loads
from .errors import ApiError, BadRequestError, UnauthorizedError
from .multipart import Parts
from .peer import peer_of
from .removals import was_removed
from .settings import Settings
from .store import Store
from .tickets import Tickets

log = logging.getLogger(__name__)

PREFIX = "/files"
"""Where files are served; the API has the rest of the addresses."""

DELETE_MANY = "/delete_many"
"""Where a list of files to delete is posted to, below `PREFIX`."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says when a file finds no room."""

_CHUNK = 1 << 20  # bytes read or written at once, each time in a thread


class _Download(FileResponse):
    chunk_size = _CHUNK


class FileServer:
    """The ASGI application that serves `/files`."""

    def __init__(self, settings: Settings, store: Store, keys: Keys) -> None:
        self._root = settings.files
        self._incoming = settings.incoming
        self._store = store
        self._authenticator = Authenticator(keys, cookies=settings.webapp is not None)
        self._tickets = Tickets(keys.signing_key)
        self._root.mkdir(parents=True, exist_ok=True)
        # What an earlier process was receiving when it ended is of no use to anyone.
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if not self._tickets.holds(scope):
                peer = peer_of(scope, requests.headers(scope))
                self._authenticator.caller(peer, self._store.reader())
            await self._answer(scope, receive, send)
        except UnauthorizedError as error:
            await _text(send, 401, error.message)
        except ApiError as error:
            await _text(send, error.code, error.message)
        except OSError as error:
            log.exception("%s %s failed", scope["method"], scope["path"])
            full = error.errno in _FULL and f"; make room on the disk of {self._root.parent}"
            said = f"the file server could not do that: {error.strerror}{full or ''}"
            await _text(send, 500, said)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].removeprefix(PREFIX)
        method = scope["method"]
        if method in ("POST", "PUT"):
            headers = requests.headers(scope)
            if method == "PUT":
                names = [await self._receive_whole(name, receive)]
            else:
                if name == DELETE_MANY and "json" in headers.get("content-type", ""):
                    await respond(send, 200, encode(await self._delete_many(receive)))
                    return
                names = await self._receive_parts(name, headers.get("content-type", ""), receive)
            await respond(send, 200, encode(names))
        elif method in ("GET", "HEAD"):
            await self._download(name, scope, receive, send)
        elif method == "DELETE":
            try:
                await asyncio.to_thread(self._delete, name)
            except ApiError as error:
                if error.code != 404 or not was_removed(self._store.reader(), name):
                    raise
            await _text(send, 200, "deleted")
        else:
            await _text(send, 405, f"{method} is not served here")

    async def _download(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        path, found = await asyncio.to_thread(self._found, name)
        if found is None:
            await _text(send, 404, f"no such file: {name}")
            return
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        answer = _Download(
            path,
            media_type=kind,
            stat_result=found,
            headers={
                "x-content-type-options": "nosniff",
                # An uploaded page must not act with the rights of this origin.
                "content-security-policy": "sandbox",
            },
        )
        await answer(scope, receive, send)

    async def _delete_many(self, receive: Receive) -> dict[str, Any]:
        """Delete the files of `urls`; what couldn't be is listed by the reason."""
        body = loads(b"".join([chunk async for chunk in _stream(receive)]) or b"{}")
        urls = body.get("urls") if isinstance(body, dict) else None
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise BadRequestError("urls must be a list of addresses")
        deleted: dict[str, str] = {}
        errors: dict[str, list[str]] = {}
        for url in urls:
            try:
                path = urlsplit(url).path
                name = unquote(path[len(PREFIX) :] if path.startswith(f"{PREFIX}/") else path)
                await asyncio.to_thread(self._delete, name)
                deleted[url] = name
            except (ApiError, ValueError, OSError) as error:
                reason = "not found" if getattr(error, "code", 0) == 404 else str(error)
                errors.setdefault(reason, []).append(url)
        return {"deleted": deleted, "errors": errors}

    async def _receive_whole(self, name: str, receive: Receive) -> str:
        upload = Upload(self._incoming)
        try:
            async for chunk in _stream(receive):
                await upload.write(chunk)
            return await upload.finish(self._path(unquote(name)), self._root)
        finally:
            await upload.discard()

    async def _receive_parts(self, base: str, kind: str, receive: Receive) -> list[str]:
        parts = Parts(kind)
        names: list[str] = []
        upload: Upload | None = None
        try:
            async for chunk in _stream(receive):
                for event, value in parts.feed(chunk):
                    if event == "begin":
                        target = f"{base}/{unquote(value.decode('utf-8', 'surrogateescape'))}"
                        path = self._path(target)
                        upload = Upload(self._incoming)
                    elif event == "data" and upload is not None:
                        await upload.write(value)
                    elif event == "end" and upload is not None:
                        names.append(await upload.finish(path, self._root))
                        upload = None
            if not parts.complete:
                raise BadRequestError("the upload is cut short")
        finally:
            if upload is not None:
                await upload.discard()
        if not names:
            raise BadRequestError("the upload holds no file")
        return names

    def _path(self, name: str) -> Path:
        """The place of a name below the root.

        Raises:
            BadRequestError: The name tries to leave the root, or can't be a file's name.
        """
        pieces = [piece for piece in name.split("/") if piece]
        if not pieces:
            raise BadRequestError("a file needs a name")
        for piece in pieces:
            if piece in (".", "..") or any(ord(letter) < 32 for letter in piece):
                raise BadRequestError(f"not a file name: {name!r}")
            if len(os.fsencode(piece)) > 255:
                raise BadRequestError(f"a name of more than 255 bytes: {piece[:60]!r}...")
        if len(os.fsencode(name)) > 3000:
            raise BadRequestError("the name is too long")
        return self._root.joinpath(*pieces)

    def _found(self, name: str) -> tuple[Path, os.stat_result | None]:
        """The file of a name.

        The SDK quotes names with other than ASCII letters twice in some addresses and once in
        others; uploads are unquoted, so a name that isn't there is tried unquoted too.
        """
        path = self._path(name)
        found = _regular(path)
        if found is None and "%" in name:
            path = self._path(unquote(name))
            found = _regular(path)
        return path, found

    def remove(self, name: str, asked: float) -> None:
        """Delete a file that shall go, unless another has been put there since that was asked."""
        try:
            _path, found = self._found(name)
            if found is not None and found.st_mtime <= asked:
                self._delete(name)
        except (ApiError, OSError) as error:
            log.warning("%s stays: %s", name, error)

    def _delete(self, name: str) -> None:
        path, found = self._found(name)
        if found is None:
            raise ApiError(f"no such file: {name}", code=404)
        path.unlink()
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                break


class Upload:
    """One file on its way in."""

    def __init__(self, incoming: Path) -> None:
        self._beside = incoming / uuid.uuid4().hex
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._placed = False

    async def write(self, chunk: bytes) -> None:
        """Take more of the file; it goes to the disk in large pieces, off the event loop."""
        self._waiting.append(chunk)
        self._size += len(chunk)
        if self._size >= _CHUNK:
            await asyncio.to_thread(self._flush)

    async def finish(self, path: Path, root: Path) -> str:
        """Put the file in its place, safe on the disk; returns its name below the root."""
        await asyncio.to_thread(self._publish, path, root)
        return f"/{path.relative_to(root).as_posix()}"

    async def discard(self) -> None:
        """Forget the file, unless it has been put in its place."""
        if self._file is not None:
            self._file.close()
        if not self._placed:
            await asyncio.to_thread(self._beside.unlink, missing_ok=True)

    def _flush(self) -> BinaryIO:
        if self._file is None:
            self._file = self._beside.open("wb", buffering=0)
        for chunk in self._waiting:
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        self._waiting.clear()
        self._size = 0
        return self._file

    def _publish(self, path: Path, root: Path) -> None:
        with self._flush() as file:
            os.fsync(file.fileno())
        self._file = None
        try:
            # A deletion may take away a folder that became empty between these two steps.
            for last in (False, True):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self._beside.replace(path)
                    self._placed = True
                    break
                except FileNotFoundError:
                    if last:
                        raise
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise BadRequestError(f"a folder or a file is in the way of {path.name!r}") from error
        _sync_folders(path.parent, root)


def _sync_folders(folder: Path, root: Path) -> None:
    """Make the names of a new file and of its folders safe on the disk."""
    while True:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder == root:
            return
        folder = folder.parent


def _regular(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError, ValueError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            return found
    return None


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("the client went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _text(send: Send, code: int, message: str) -> None:
    await respond(send, code, message.encode("utf-8", "replace"), b"text/plain; charset=utf-8")
