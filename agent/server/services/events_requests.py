"""What the requests of the events service have in common: owners, selections, scroll ids."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..documents import MODELS, TASKS, Collection
from ..encoding import dumps, loads
from ..errors import ApiError, BadRequestError, NotFoundError
from ..events.selection import Selection
from ..registry import Call, Data
from .tasks_status import PUBLISHED

TOTAL = 10_000
"""Totals are not told beyond this, as the API's description says."""

MOST_OWNERS = 100
"""How many tasks may be compared in one call."""


def collection_of(call: Call) -> Collection:
    """Whose events a request is about: tasks', or models' if it says so."""
    return MODELS if call.flag("model_events") else TASKS


def owner_of(call: Call, key: str = "task") -> str:
    """The task or model that a request names, which must exist."""
    identity = call.need(key)
    collection = collection_of(call)
    if not call.db.exists(collection, identity):
        raise NotFoundError(collection.noun, identity)
    return identity


def owners_of(call: Call) -> dict[str, str]:
    """The names of the tasks or models that a request lists, by id; all of them must exist."""
    identities = list(dict.fromkeys(call.texts("tasks")))
    if len(identities) > MOST_OWNERS:
        raise BadRequestError(f"tasks: at most {MOST_OWNERS}, not {len(identities)}")
    collection = collection_of(call)
    for identity in identities:
        if not call.db.exists(collection, identity):
            raise NotFoundError(collection.noun, identity)
    names = call.db.names(collection, identities)
    return {identity: names.get(identity) or identity for identity in identities}


def unlock(call: Call, collection: Collection, identity: str) -> None:
    """Refuse to change events of what is published, unless the request allows that.

    Raises:
        ApiError: It is published.
    """
    document = call.db.require(collection, identity, heads=())
    if is_locked(document) and not call.flag("allow_locked"):
        raise ApiError(f"The {collection.noun} is published: id={identity}", subcode=110)


def is_locked(document: Data) -> bool:
    """Whether a task or a model is published."""
    return document.get("status") == PUBLISHED or document.get("ready") is True


def selection(items: list[Data]) -> Selection:
    """Metrics with their variants, from a request's list."""
    wanted: Selection = {}
    for item in items:
        metric = item.get("metric")
        if not isinstance(metric, str):
            continue
        variants = item.get("variants") or []
        if not isinstance(variants, list):
            raise BadRequestError("variants must be a list")
        wanted.setdefault(metric, set()).update(str(variant) for variant in variants)
    return wanted


def encode_scroll(state: Any) -> str:
    """A scroll id that holds where the next page begins."""
    return base64.urlsafe_b64encode(dumps(state).encode()).decode()


def decode_scroll(call: Call) -> Any:
    """What a request's scroll id holds, or None."""
    scroll = call.text("scroll_id")
    if not scroll:
        return None
    try:
        return loads(base64.urlsafe_b64decode(scroll.encode()))
    except (binascii.Error, ValueError) as error:
        raise ApiError(f"Invalid scroll id: {scroll[:100]}", subcode=51) from error


def numbers_scrolled(call: Call, length: int) -> list[int] | None:
    """A scroll id that holds so many whole numbers; None without a scroll id."""
    return numbers_of(decode_scroll(call), length)


def numbers_of(state: Any, length: int) -> list[int] | None:
    """A part of a scroll id that must be so many whole numbers, or None."""
    if state is None:
        return None
    if not (
        isinstance(state, list)
        and len(state) == length
        and all(type(number) is int and abs(number) < 2**63 for number in state)
    ):
        raise ApiError("Invalid scroll id", subcode=51)
    return state


def table_scrolled(call: Call) -> Data:
    """A scroll id that holds an object; an empty one without a scroll id."""
    state = decode_scroll(call)
    if state is None:
        return {}
    if not isinstance(state, dict):
        raise ApiError("Invalid scroll id", subcode=51)
    return state


def paged(rows: list[tuple[list[int], Data]], total: int, after: list[int] | None) -> Data:
    """A page of events, and the scroll id for the next one."""
    last = rows[-1][0] if rows else after
    return {
        "events": [event for _, event in rows],
        "returned": len(rows),
        "total": total,
        "scroll_id": encode_scroll(last) if last else None,
    }
