"""Users: who there is, and what each has set for the web application."""

from __future__ import annotations

from typing import Any

from .. import clock, projection
from ..credentials import User
from ..documents import MODELS, TASKS, USERS
from ..errors import ApiError, BadRequestError
from ..query import Where
from ..references import COMPANY_NAME
from ..registry import Call, Data, Mode, action
from .listing import filters, listing, page

_SETTABLE = ("name", "given_name", "family_name", "avatar")
_HIDDEN = ("preferences",)
"""What only its owner is shown."""


def ensure(call: Call, user: User, role: str = "admin") -> None:
    """Make a user known who comes from the credentials file or a list of fixed users."""
    if call.db.exists(USERS, user.id):
        call.db.patch(USERS, user.id, {"name": user.name, "company": user.company})
        return
    given, _, family = user.name.partition(" ")
    call.db.insert(
        USERS,
        {
            "id": user.id,
            "name": user.name,
            "given_name": given,
            "family_name": family,
            "company": user.company,
            "role": role,
            "created": clock.now(),
        },
    )


def _shown(user: Data) -> Data:
    kept = {name: value for name, value in user.items() if name not in _HIDDEN}
    return {**kept, "company": {"id": user.get("company", ""), "name": COMPANY_NAME}}


def _settings() -> Data:
    """How many rows the web application may ask for at once when it downloads a table."""
    return {"max_download_items": 1000}


@action("users.get_current_user")
def get_current_user(call: Call) -> Data:
    """The caller."""
    known = call.db.get(USERS, call.user.id, heads=()) or {
        "id": call.user.id, "name": call.user.name, "company": call.user.company, "role": "user",
    }  # fmt: skip
    return {"user": _shown(known), "settings": _settings(), "getting_started": None}


@action("users.get_by_id")
def get_by_id(call: Call) -> Data:
    """One user."""
    return {"user": _shown(call.db.require(USERS, call.need("user"), heads=()))}


@action("users.get_all", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """Users by filter."""
    return _visible(listing(call, USERS, "users"))


@action("users.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Users by filter, also those who have made something in some projects."""
    where = filters(call, USERS)
    if call.body.get("active_in_projects") is not None:
        projects = call.texts("active_in_projects")
        active: set[str] = set()
        for collection in (TASKS, MODELS):
            made = Where(collection).add("user IS NOT NULL")
            if projects:
                made.among("project", projects)
            rows = call.db.listed(collection, "DISTINCT user", f"WHERE {made.sql}", made.values)
            active.update(row[0] for row in rows)
        where.among("id", active)
    only = projection.names(call.body.get("only_fields"))
    answer = _visible(page(call, USERS, "users", where, only))
    if only is None:
        answer["users"] = [_shown(user) for user in answer["users"]]
    return answer


def _visible(answer: Data) -> Data:
    for user in answer["users"]:
        for name in _HIDDEN:
            user.pop(name, None)
    return answer


@action("users.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a user, who needs credentials to log in."""
    identity, name = call.need("id"), call.need("name")
    if not identity or not name.strip():
        raise BadRequestError("a user needs an id and a name")
    if call.db.exists(USERS, identity):
        raise ApiError(f"Value combination already exists: user id={identity}", subcode=1)
    call.db.insert(
        USERS,
        {
            "id": identity,
            "company": call.text("company") or call.user.company,
            "role": "user",
            "created": clock.now(),
            **_given(call),
        },
    )
    return {}


def _given(call: Call) -> Data:
    return {key: call.text(key) for key in _SETTABLE if call.body.get(key) is not None}


@action("users.update", mode=Mode.WRITE)
def update(call: Call) -> Data:
    """Change how a user is called or looks."""
    fields = _given(call)
    if "name" in fields and not fields["name"].strip():
        raise BadRequestError("name: a user needs a name")
    call.db.require(USERS, call.need("user"), heads=())
    call.db.patch(USERS, call.need("user"), fields)
    return {"updated": int(bool(fields)), "fields": fields}


@action("users.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a user; what they made stays."""
    identity = call.need("user")
    if identity in (call.user.id, call.keys.user.id):
        raise ApiError(f"User can't be deleted: id={identity} is in use", subcode=2)
    call.db.require(USERS, identity, heads=())
    call.db.delete(USERS, identity)
    call.db.run("DELETE FROM credentials WHERE user = ?", (identity,))
    return {"deleted": 1}


@action("users.get_preferences")
def get_preferences(call: Call) -> Data:
    """What the caller has set for the web application."""
    user = call.db.get(USERS, call.user.id, heads={"preferences"}) or {}
    return {"preferences": user.get("preferences", {})}


@action("users.set_preferences", mode=Mode.WRITE)
def set_preferences(call: Call) -> Data:
    """Set some of the caller's preferences; objects are merged, the rest is kept.

    A name with dots sets one value inside.
    """
    given = call.table("preferences")
    if given is None:
        raise BadRequestError("preferences is missing")
    if not call.db.exists(USERS, call.user.id):
        ensure(call, call.user, role="user")
    user = call.db.require(USERS, call.user.id, heads={"preferences"})
    kept: Data = user.get("preferences") or {}
    for name, value in given.items():
        kept = _merged(kept, _nested(name.split("."), value))
    call.db.patch(USERS, call.user.id, {"preferences": kept})
    return {"updated": 1}


def _nested(path: list[str], value: Any) -> Data:
    for name in reversed(path):
        value = {name: value}
    return value if isinstance(value, dict) else {}


def _merged(old: Data, new: Data) -> Data:
    result = dict(old)
    for name, value in new.items():
        before = result.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = _merged(before, value)
        result[name] = value
    return result
