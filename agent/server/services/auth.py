"""Tokens and credentials."""

from __future__ import annotations

import secrets

from .. import clock
from ..credentials import ROLES, digest
from ..documents import CREDENTIALS, USERS
from ..errors import ApiError, BadRequestError, UnauthorizedError
from ..registry import Call, Data, Mode, action
from .web import cookie


@action("auth.login", "auth.create_token")
def login(call: Call) -> Data:
    """A token for the caller, whose credentials or older token were checked at the door."""
    seconds = call.number("expiration_sec")
    if seconds is not None and seconds <= 0:
        raise BadRequestError("expiration_sec must be more than 0")
    token = call.keys.token(call.user, seconds)
    if call.settings.webapp is not None:
        call.cookies.append(cookie(call, token))
    return {"token": token}


@action("auth.validate_token")
def validate_token(call: Call) -> Data:
    """Whether a token is good, and whose it is; if it isn't, why."""
    try:
        user = call.keys.user_of(call.need("token"))
    except UnauthorizedError as error:
        return {"valid": False, "msg": error.message}
    return {"valid": True, "msg": "OK", "user": user.id, "company": user.company}


@action("auth.edit_user", mode=Mode.WRITE)
def edit_user(call: Call) -> Data:
    """Change a user's role; only an administrator may, and always the one whose server it is."""
    role = call.text("role")
    identity = call.text("user") or call.user.id
    call.db.require(USERS, identity)
    mine = (call.db.get(USERS, call.user.id) or {}).get("role")
    if mine != "admin" and call.user.id != call.keys.user.id:
        raise ApiError("only an administrator may change a role", code=403, subcode=20)
    if role is None:
        return {"updated": 0, "fields": {}}
    if role not in ROLES:
        raise BadRequestError(f"role must be one of {', '.join(ROLES)}")
    call.db.patch(USERS, identity, {"role": role})
    return {"updated": 1, "fields": {"role": role}}


@action("auth.create_credentials", mode=Mode.WRITE)
def create_credentials(call: Call) -> Data:
    """Make another key and secret for the caller. The secret is told once and not kept."""
    key, secret = secrets.token_hex(10).upper(), secrets.token_urlsafe(36)
    label = call.text("label")
    call.db.insert(
        CREDENTIALS,
        {
            "id": key,
            "digest": digest(secret),
            "label": label,
            "user": call.user.id,
            "user_name": call.user.name,
            "company": call.user.company,
            "created": clock.now(),
        },
    )
    return {"credentials": {"access_key": key, "secret_key": secret, "label": label}}


@action("auth.get_credentials")
def get_credentials(call: Call) -> Data:
    """The caller's keys, without their secrets, with their last uses."""
    made = call.db.select(CREDENTIALS, "user = ?", (call.user.id,))
    listed: list[Data] = [{"access_key": item["id"], "label": item.get("label")} for item in made]
    if call.user == call.keys.user:
        listed.insert(0, {"access_key": call.keys.access_key, "label": "first user"})
    for item in listed:
        at, address = call.keys.uses.of(call.db, item["access_key"]) or (None, None)
        item.update(last_used=at, last_used_from=address)
    return {"credentials": listed}


@action("auth.edit_credentials", mode=Mode.WRITE)
def edit_credentials(call: Call) -> Data:
    """Change the label of a key of the caller."""
    key = call.need("access_key")
    found = call.db.get(CREDENTIALS, key)
    if found is None or found["user"] != call.user.id:
        return {"updated": 0}
    call.db.patch(CREDENTIALS, key, {"label": call.text("label")})
    return {"updated": 1}


@action("auth.revoke_credentials", mode=Mode.WRITE)
def revoke_credentials(call: Call) -> Data:
    """Take a key of the caller away."""
    key = call.need("access_key")
    found = call.db.get(CREDENTIALS, key)
    if found is None or found["user"] != call.user.id:
        return {"revoked": 0}
    call.db.delete(CREDENTIALS, key)
    call.db.run("DELETE FROM key_uses WHERE key = ?", (key,))
    return {"revoked": 1}
