"""Who may call: the credentials file, the signing key, and the tokens made with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt

from .errors import BadCredentialsError, BadTokenError
from .settings import API_VERSION, SERVER_VERSION
from .uses import Uses

TOKEN_SECONDS = 30 * 24 * 3600
"""How long a token holds unless a shorter time is asked for."""

ROLES = ("admin", "superuser", "user", "annotator")
"""What a user may be."""


@dataclass(frozen=True)
class User:
    """Who is calling."""

    id: str
    name: str
    company: str


@dataclass(frozen=True)
class FixedUser:
    """A further user from the credentials file, who signs in with a name and a password."""

    username: str
    password: str
    user: User
    role: str


@dataclass(frozen=True)
class Keys:
    """The first user's credentials, the further users, the key that signs tokens, what is used."""

    access_key: str
    secret_key: str
    user: User
    signing_key: str
    users: tuple[FixedUser, ...] = ()
    uses: Uses = field(default_factory=Uses, compare=False)

    def fixed(self, username: str, password: str) -> FixedUser | None:
        """The further user of this name and password."""
        found = None
        for known in self.users:
            same_name = hmac.compare_digest(username.encode(), known.username.encode())
            same_word = hmac.compare_digest(password.encode(), known.password.encode())
            if same_name and same_word:
                found = known
        return found

    def matches(self, access_key: str, secret_key: str) -> bool:
        """Whether these are the first user's credentials; takes the same time for any guess."""
        same_key = hmac.compare_digest(access_key.encode(), self.access_key.encode())
        same_secret = hmac.compare_digest(secret_key.encode(), self.secret_key.encode())
        return same_key and same_secret

    def token(self, user: User, expires_in: float | None = None) -> str:
        """A signed token. The SDK reads the versions and the feature set out of it."""
        lifetime = min(expires_in or TOKEN_SECONDS, TOKEN_SECONDS)
        claims = {
            "exp": int(time.time() + lifetime),
            "auth_type": "Bearer",
            "api_version": API_VERSION,
            "server_version": SERVER_VERSION,
            "server_build": "sightline",
            "feature_set": "basic",
            "env": "local",
            "identity": {
                "user": user.id,
                "user_name": user.name,
                "company": user.company,
                "company_name": "sightline",
                "role": "admin",
            },
        }
        return jwt.encode(claims, self.signing_key, algorithm="HS256")

    def user_of(self, token: str) -> User:
        """The user that a token was made for.

        Raises:
            BadTokenError: It is forged, expired or not a token.
        """
        try:
            claims = _claims(token, self.signing_key)
            identity = claims["identity"]
            user = User(identity["user"], identity["user_name"], identity["company"])
            expired = not claims["exp"] > time.time()
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise BadTokenError(error) from error
        if expired:
            raise BadTokenError("Signature has expired")
        return user


@lru_cache(maxsize=1024)
def _claims(token: str, signing_key: str) -> dict[str, Any]:
    """What a token says, its signature checked; a client sends the same one with each call."""
    claims: dict[str, Any] = jwt.decode(
        token, signing_key, algorithms=["HS256"], options={"require": ["exp"], "verify_exp": False}
    )
    return claims


def digest(secret: str) -> str:
    """What is kept of a secret that only its owner knows."""
    return hashlib.sha256(secret.encode()).hexdigest()


def basic(header: str) -> tuple[str, str]:
    """The key and the secret in the part of an `Authorization` header after `Basic`.

    Raises:
        BadCredentialsError: It can't be read.
    """
    try:
        key, colon, secret = base64.b64decode(header, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise BadCredentialsError from error
    if not colon:
        raise BadCredentialsError
    return key, secret


def load(credentials: Path, signing_key: Path) -> Keys:
    """Read the credentials file and the signing key, making (0600) the one that's absent.

    Raises:
        ValueError: The credentials file can't be read or lacks a key.
    """
    if not credentials.exists():
        made = {
            "access_key": secrets.token_hex(10).upper(),
            "secret_key": secrets.token_urlsafe(36),
            "user": "sightline",
        }
        write_private(credentials, json.dumps(made, indent=2) + "\n")
    if not signing_key.exists():
        write_private(signing_key, secrets.token_hex(32))
    try:
        found = json.loads(credentials.read_text())
        access_key, secret_key = str(found["access_key"]), str(found["secret_key"])
        name = str(found.get("user") or "sightline")
        listed = list(found.get("users") or [])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{credentials}: expected JSON with access_key, secret_key and user ({error!r})"
        ) from error
    company = uuid.uuid5(uuid.NAMESPACE_URL, "sightline:company").hex
    user = _user(name, name, company)
    users = tuple(_fixed(credentials, entry, company) for entry in listed)
    names = [name, *(known.username for known in users)]
    if len(set(names)) < len(names):
        raise ValueError(f"{credentials}: users: each needs a name of its own")
    return Keys(access_key, secret_key, user, signing_key.read_text().strip(), users)


def _user(username: str, name: str, company: str) -> User:
    return User(uuid.uuid5(uuid.NAMESPACE_URL, f"sightline:user:{username}").hex, name, company)


def _fixed(credentials: Path, entry: Any, company: str) -> FixedUser:
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(key), str) and entry[key] for key in ("username", "password")
    ):
        raise ValueError(f"{credentials}: users: each needs a username and a password")
    role = entry.get("role") or "user"
    if role not in ROLES:
        raise ValueError(f"{credentials}: users: role must be one of {', '.join(ROLES)}")
    name = str(entry.get("name") or entry["username"])
    return FixedUser(
        entry["username"], entry["password"], _user(entry["username"], name, company), role
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; nobody sees it half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
