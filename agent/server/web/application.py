"""ClearML's own web application (Apache-2.0), served from a folder with its built files.

The official `clearml/server` image has that folder. What the application asks a server for besides
the API and its own files is written here: `configuration.json`, which says where the API and the
file server are, and `credentials.json`, the keys with which it logs in where no password is asked
for; only a process of the user who runs this server is told them.
"""

from __future__ import annotations

import re
from pathlib import Path

from starlette.types import Scope, Send

from .. import requests
from ..credentials import Keys
from ..encoding import dumps
from ..peer import Peer, peer_of
from .assets import Answer, Assets, respond
from .page import origin_of

API_PREFIX = "/api"
"""Before the API's addresses, as the application is used to."""

_NESTED = ("", "html", "build", "dist")
_NO_STORE = {"cache-control": "no-store"}
_LOCKED = {"x-frame-options": "SAMEORIGIN", "referrer-policy": "same-origin"}
_FILE_NAME = re.compile(r"/[^/]*\.[A-Za-z0-9]{1,12}$")


def locate(folder: Path) -> Path:
    """The folder with the application's `index.html`: the given one, or a usual one inside it.

    Raises:
        ValueError: There is none.
    """
    for name in _NESTED:
        if (folder / name / "index.html").is_file():
            return (folder / name).resolve()
    raise ValueError(
        f"{folder}: no index.html in it, so it isn't a built web application; README.md, "
        '"ClearML\'s web application", says how to get one'
    )


class Application:
    """Answers browsers with the files of a built single-page application."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._files = Assets(locate(folder))
        self._keys = keys

    def has(self, path: str) -> bool:
        """Whether this address is a file of the application's, or one that is written for it."""
        return path.endswith(_WRITTEN) or self._files.find(path) is not None

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer a GET or HEAD request: a file, or the document for an address of a page."""
        path: str = scope["path"]
        if path.endswith("/configuration.json"):
            await respond(scope, send, _json(self._configuration(origin_of(scope))))
            return
        if path.endswith("/credentials.json"):
            peer = peer_of(scope, requests.headers(scope))
            await respond(scope, send, _json(self._credentials(peer)))
            return
        found = self._files.find(path)
        if found is None and _FILE_NAME.search(path) and not _wants_page(scope):
            # A script that isn't there must not be answered with a page.
            await respond(scope, send, Answer(b"no such file\n", "text/plain", {}, 404))
            return
        document = found or self._files.find("index.html")
        if document is None:
            gone = b"the web application's index.html has gone\n"
            await respond(scope, send, Answer(gone, "text/plain", {}, 404))
            return
        await self._files.send(document, scope, send, _LOCKED)

    def _configuration(self, origin: str) -> dict[str, object]:
        return {
            "apiBaseUrl": API_PREFIX,
            "fileBaseUrl": f"{origin}/files",
            "displayedServerUrls": {"apiServer": origin, "filesServer": f"{origin}/files"},
            "productName": "clearml",
            "companyID": self._keys.user.company,
            "communityServer": False,
            "enterpriseServer": False,
            "demo": False,
            # Nobody is let in by a name alone.
            "onlyPasswordLogin": True,
            "loginFallback": "error",
            "loginNotice": "User name: the access key. Password: the secret key. "
            "`sightline credentials` shows both; `sightline open` logs in by itself.",
            # Calls to outside addresses.
            "hideUpdateNotice": True,
            "updateCheck": False,
            "showSurvey": False,
            "displayTips": False,
            "GTM_ID": None,
            "useFilesProxy": False,
        }

    def _credentials(self, peer: Peer) -> dict[str, str]:
        # Whoever could read the credentials file may have them here; nobody else.
        place = peer.headers.get("sec-fetch-site", "same-origin")
        trusted = place == "same-origin" and peer.is_this_user
        return {
            "userKey": self._keys.access_key if trusted else "",
            "userSecret": self._keys.secret_key if trusted else "",
            "companyID": self._keys.user.company,
        }


_WRITTEN = ("/configuration.json", "/credentials.json")


def _json(value: dict[str, object] | dict[str, str]) -> Answer:
    return Answer(dumps(value).encode(), "application/json", _NO_STORE)


def _wants_page(scope: Scope) -> bool:
    return "text/html" in requests.headers(scope).get("accept", "")
