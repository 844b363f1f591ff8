"""The metadata of models and queues: named entries with a type and a value."""

from __future__ import annotations

from .. import clock
from ..documents import Collection
from ..errors import BadRequestError
from ..registry import Call, Data


def as_map(items: list[Data]) -> dict[str, Data]:
    """A list of entries, keyed by their names."""
    entries: dict[str, Data] = {}
    for item in items:
        key = item.get("key")
        if not isinstance(key, str):
            raise BadRequestError("a metadata entry needs a key")
        entries[key] = {name: item[name] for name in ("key", "type", "value") if name in item}
    return entries


def edit_metadata(call: Call, collection: Collection, identity: str) -> Data:
    """Add or change entries, or replace them all with `replace_metadata`."""
    document = call.db.require(collection, identity, heads=())
    entries = as_map(call.tables("metadata"))
    if not call.flag("replace_metadata"):
        entries = {**document.get("metadata", {}), **entries}
    _save(call, collection, identity, entries)
    return {"updated": 1}


def delete_metadata(call: Call, collection: Collection, identity: str) -> Data:
    """Remove the entries named in `keys`."""
    entries = dict(call.db.require(collection, identity, heads=()).get("metadata", {}))
    gone = [entries.pop(key) for key in call.texts("keys") if key in entries]
    if gone:
        _save(call, collection, identity, entries)
    return {"updated": int(bool(gone))}


def _save(call: Call, collection: Collection, identity: str, entries: dict[str, Data]) -> None:
    now = clock.now()
    call.db.patch(
        collection, identity, {"metadata": entries, "last_update": now, "last_change": now}
    )
