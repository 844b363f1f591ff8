"""How a browser logs in, and what else only web pages ask for.

Four ways lead in: a link that works once (`sightline open`), being a process of the user who runs
the server, a key and its secret typed into the page, and for ClearML's web application a cookie
that one of these has set.
"""

from __future__ import annotations

import secrets
import time
from http.cookies import SimpleCookie

from ..authentication import COOKIE
from ..credentials import User
from ..errors import BadRequestError, UnauthorizedError
from ..registry import Call, Data, action
from ..tickets import Tickets

CODE_SECONDS = 600
"""How long a link waits to be followed."""

TOKEN_SECONDS = 14 * 24 * 3600
"""How long a browser stays logged in without coming by."""

_MOST_CODES = 1000
_codes: dict[str, tuple[float, User]] = {}
"""Codes that were made and not used yet: until when they hold, and for whom."""


@action("web.create_code")
def create_code(call: Call) -> Data:
    """A code with which a browser logs in as the caller, once and soon."""
    now = time.monotonic()
    for code in [code for code, (ends, _) in _codes.items() if ends < now][:_MOST_CODES]:
        del _codes[code]
    while len(_codes) >= _MOST_CODES:
        del _codes[next(iter(_codes))]
    code = secrets.token_urlsafe(24)
    _codes[code] = (now + CODE_SECONDS, call.user)
    return {"code": code, "seconds": CODE_SECONDS}


@action("web.login", public=True)
def login(call: Call) -> Data:
    """A token for a browser: for a code, or for being this user's.

    Raises:
        UnauthorizedError: The code is used, too old or wrong; or no code came, and this user's
            browser it isn't.
    """
    code = call.text("code")
    if code is None:
        if not (call.peer.from_own_page and call.peer.is_this_user):
            raise UnauthorizedError("log in with a key and its secret, or with: sightline open")
        return _let_in(call, call.keys.user)
    ends, user = _codes.pop(code, (0.0, call.user))
    if ends < time.monotonic():
        raise UnauthorizedError("this link was used already or is too old; get one: sightline open")
    return _let_in(call, user)


def _let_in(call: Call, user: User) -> Data:
    token = call.keys.token(user, TOKEN_SECONDS)
    if call.settings.webapp is not None:
        call.cookies.append(cookie(call, token))
    return {"token": token, "user": {"id": user.id, "name": user.name}}


def cookie(call: Call, token: str, seconds: int = TOKEN_SECONDS) -> str:
    """The `Set-Cookie` line that keeps a token for ClearML's web application."""
    jar: SimpleCookie = SimpleCookie()
    jar[COOKIE] = token
    jar[COOKIE].update({"path": "/", "max-age": str(seconds), "samesite": "Strict"})
    jar[COOKIE]["httponly"] = True
    if call.peer.scheme == "https":
        jar[COOKIE]["secure"] = True
    return jar[COOKIE].OutputString()


@action("web.get_ticket")
def get_ticket(call: Call) -> Data:
    """A ticket with which a browser fetches one file by a plain link, for a minute."""
    path = call.need("path")
    if not path.startswith("/files/"):
        raise BadRequestError("path must begin with /files/")
    return {"ticket": Tickets(call.keys.signing_key).make(path)}


@action("login.supported_modes", public=True)
def supported_modes(call: Call) -> Data:
    """How one may log in, and whether the caller is in already."""
    authenticated = _is_in(call)
    if not authenticated and call.settings.webapp is not None:
        authenticated = call.peer.from_own_page and call.peer.is_this_user
        if authenticated:
            _let_in(call, call.keys.user)
    return {
        "authenticated": authenticated,
        "basic": {"enabled": True, "guest": {"enabled": False}},
        "sso": {},
        "sso_providers": [],
        "server_errors": {"missed_es_upgrade": False, "es_connection_error": False},
    }


def _is_in(call: Call) -> bool:
    kind, _, token = call.peer.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = call.peer.cookies.get(COOKIE, "") if call.settings.webapp is not None else ""
    try:
        return bool(token) and bool(call.keys.user_of(token.strip()))
    except UnauthorizedError:
        return False


@action("login.logout", "auth.logout")
def logout(call: Call) -> Data:
    """Have the browser forget the web application's cookie."""
    call.cookies.append(cookie(call, "", 0))
    return {}
