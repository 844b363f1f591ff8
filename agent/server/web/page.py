"""The light page: served at the server's root when no web application was given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from starlette.types import Scope, Send

from .assets import Answer, Assets, respond

PREFIX = "/web/"
"""Where the page's own files lie; all other addresses of it are one and the same document."""

_PLOTLY = "plotly.min.js"
_FRAME = "plot.html"

_LOCKED = {
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-frame-options": "SAMEORIGIN",
}

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script or style that isn't a file of ours."""

_FRAME_POLICY = (
    "default-src 'none'; script-src {origin}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {origin}; sandbox allow-scripts"
)
"""For the frame that draws plots: an origin of its own, without a way to ask for anything.

Plotly writes styles into its elements, which the page's policy doesn't allow. What a task puts
into a plot so meets neither the page's token nor its document.
"""


class Page:
    """Answers browsers with the light page."""

    def __init__(self) -> None:
        self._files = Assets(Path(__file__).parent / "page")
        plotly = importlib.util.find_spec("plotly")
        places = plotly.submodule_search_locations if plotly else None
        self._plotly = Assets(Path(places[0]) / "package_data") if places else None

    def has(self, path: str) -> bool:
        """Whether this address is a file of the page's own."""
        return path.startswith(PREFIX) or path in ("/favicon.ico", "/favicon.svg")

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer a GET or HEAD request."""
        path: str = scope["path"]
        if not self.has(path):
            await self.file("index.html", scope, send)
        elif path.startswith(PREFIX):
            await self.file(path.removeprefix(PREFIX), scope, send)
        else:
            await self.file("favicon.svg", scope, send)

    async def file(self, name: str, scope: Scope, send: Send) -> None:
        """Answer with a file of the page."""
        files = self._plotly if name == _PLOTLY else self._files
        found = files.find(name) if files else None
        if files is None or found is None:
            await respond(scope, send, Answer(b"no such file\n", "text/plain", {}, 404))
            return
        await files.send(found, scope, send, _headers(name, scope))


def _headers(name: str, scope: Scope) -> dict[str, str]:
    if not name.endswith(".html"):
        return {}
    if name != _FRAME:
        return {**_LOCKED, "content-security-policy": _PAGE_POLICY}
    # Inside a sandbox 'self' means nothing, so the address is spelled out.
    policy = _FRAME_POLICY.format(origin=origin_of(scope))
    return {"referrer-policy": "no-referrer", "content-security-policy": policy}


def origin_of(scope: Scope) -> str:
    """The address at which the client reaches this server: `http://127.0.0.1:8008`."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode(
        "latin-1"
    )
    if not host or any(letter in host for letter in " ;,'\"\t"):
        address, port = scope.get("server") or ("127.0.0.1", 0)
        host = f"{address}:{port}"
    return f"{scope.get('scheme', 'http')}://{host}"
