"""Which requests are a browser's for a page, and who answers them."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from .. import requests
from ..credentials import Keys
from ..errors import ApiError
from ..registry import ACTIONS
from ..settings import Settings
from .application import Application
from .page import Page


class Door:
    """Tells a browser's requests for pages from API calls, and answers them.

    The SDK calls the API with GET as well, and `configuration.json` looks like the name of an
    action, so the address alone doesn't tell.
    """

    def __init__(self, settings: Settings, keys: Keys) -> None:
        """Make the door.

        Raises:
            ValueError: The folder of the web application holds none.
        """
        self._page = Page()
        self._application = Application(settings.webapp, keys) if settings.webapp else None

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for a page or a file of one."""
        if scope["method"] not in ("GET", "HEAD"):
            return False
        path: str = scope["path"]
        if path == "/" or self._page.has(path):
            return True
        if self._application and self._application.has(path):
            return True
        return not _is_call(path) and (
            "text/html" in requests.headers(scope).get("accept", "")
            or self._application is not None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that this door takes."""
        # The log-in link is the same, whatever else is served.
        if self._application and not scope["path"].startswith("/web/"):
            await self._application.answer(scope, send)
        else:
            await self._page.answer(scope, send)


def _is_call(path: str) -> bool:
    try:
        name, _ = requests.endpoint(path)
    except ApiError:
        return False
    service = name.partition(".")[0]
    return path.startswith(("/v", "/api/")) or any(
        known.startswith(f"{service}.") for known in ACTIONS
    )
