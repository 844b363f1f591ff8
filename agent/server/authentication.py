"""Finding out who sent a request: by token, credentials, or the web application's cookie."""

from __future__ import annotations

import hmac

from .credentials import Keys, User, basic, digest
from .documents import CREDENTIALS
from .errors import BadCredentialsError, UnauthorizedError
from .peer import Peer
from .store import Session

COOKIE = "clearml_token_basic"
"""The cookie in which ClearML's web application keeps its token."""


class Authenticator:
    """Checks what a request says about its sender."""

    def __init__(self, keys: Keys, *, cookies: bool = False) -> None:
        """Make one.

        Args:
            keys: What tokens and credentials are checked against.
            cookies: Whether the cookie counts. Cookies go to all ports of a machine, so only where
                the web application needs them.
        """
        self._keys = keys
        self._cookies = cookies

    def caller(self, peer: Peer, db: Session) -> User:
        """The user behind a request.

        Raises:
            UnauthorizedError: It doesn't say, or what it says is not good.
        """
        header = peer.headers.get("authorization", "")
        token = peer.cookies.get(COOKIE) if self._cookies and not header else None
        if token and peer.may_use_cookie:
            return self._keys.user_of(token)
        return self.user(header, db, peer.client[0])

    def user(self, header: str, db: Session, address: str) -> User:
        """The user behind an `Authorization` header: a bearer token, or a basic key and secret.

        Raises:
            UnauthorizedError: The header is missing, or what it holds is not good.
        """
        kind, _, value = header.strip().partition(" ")
        if kind.lower() == "bearer":
            return self._keys.user_of(value.strip())
        if kind.lower() == "basic":
            key, secret = basic(value.strip())
            if self._keys.matches(key, secret):
                self._keys.uses.note(key, address)
                return self._keys.user
            fixed = self._keys.fixed(key, secret)
            if fixed is not None:
                return fixed.user
            made = db.get(CREDENTIALS, key)
            if made is not None and hmac.compare_digest(made["digest"], digest(secret)):
                self._keys.uses.note(key, address)
                return User(made["user"], made["user_name"], made["company"])
            raise BadCredentialsError
        raise UnauthorizedError("missing credentials")
