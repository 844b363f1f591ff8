"""Finding out who sent a request."""

from __future__ import annotations

import hmac

from .credentials import Keys, User, basic, digest
from .documents import CREDENTIALS
from .errors import UnauthorizedError
from .store import Session


class Authenticator:
    """Checks `Authorization` headers."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def user(self, header: str, db: Session) -> User:
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
                return self._keys.user
            fixed = self._keys.fixed(key, secret)
            if fixed is not None:
                return fixed.user
            made = db.get(CREDENTIALS, key)
            if made is not None and hmac.compare_digest(made["digest"], digest(secret)):
                return User(made["user"], made["user_name"], made["company"])
            raise UnauthorizedError("invalid credentials")
        raise UnauthorizedError("missing credentials")
