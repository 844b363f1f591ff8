"""Tables of tasks and models as CSV: prepared by one call, fetched by another.

The web application prepares a download with the filters of its table and then lets the browser
follow a link, which can carry no more than an id.
"""

from __future__ import annotations

import csv
import io
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .. import query, references
from ..documents import MODELS, TASKS, Collection
from ..encoding import dumps
from ..errors import ApiError, BadRequestError
from ..projection import heads
from ..query import Where
from ..registry import Attachment, Call, Data, Mode, action
from .listing import filters, seen

_ENTITIES = {"task": TASKS, "model": MODELS}
_KEPT_SECONDS = 900
_MOST = 200
"""Downloads that are kept prepared; beyond that the oldest goes."""


@dataclass
class _Prepared:
    """A download that waits to be fetched."""

    at: float
    user: str
    collection: Collection
    where: Where
    order: str
    columns: list[Data]


_waiting: dict[str, _Prepared] = {}


@action("organization.prepare_download_for_get_all", mode=Mode.WRITE)
def prepare_download_for_get_all(call: Call) -> Data:
    """Note what a download shall hold; returns the id to fetch it by."""
    kind = call.need("entity_type")
    if kind not in _ENTITIES:
        raise BadRequestError("entity_type must be task or model")
    if call.text("download_type", "csv") != "csv":
        raise BadRequestError("download_type must be csv")
    collection = _ENTITIES[kind]
    columns = call.tables("field_mappings") or [
        {"field": name} for name in call.texts("only_fields")
    ]
    if not columns or not all(isinstance(column.get("field"), str) for column in columns):
        raise BadRequestError("give the fields of the table in only_fields or field_mappings")
    oldest = time.monotonic() - _KEPT_SECONDS
    for identity in [key for key, each in _waiting.items() if each.at < oldest]:
        del _waiting[identity]
    while len(_waiting) >= _MOST:
        del _waiting[next(iter(_waiting))]
    identity = uuid.uuid4().hex
    _waiting[identity] = _Prepared(
        time.monotonic(),
        call.user.id,
        collection,
        seen(call, filters(call, collection)),
        query.compile_order(collection, call.body.get("order_by")),
        columns,
    )
    return {"prepare_id": identity}


@action("organization.download_for_get_all", mode=Mode.SCAN)
def download_for_get_all(call: Call) -> Attachment:
    """The prepared table as CSV."""
    prepared = _waiting.get(call.need("prepare_id"))
    if prepared is None or prepared.user != call.user.id:
        raise ApiError(f"Invalid prepare id: {call.need('prepare_id')[:100]}", subcode=51)
    fields = [column["field"] for column in prepared.columns]
    found = call.db.select(
        prepared.collection,
        prepared.where.sql,
        prepared.where.values,
        order=prepared.order,
        heads=heads(fields),
    )
    shown = references.expand(call.db, prepared.collection, found, fields)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([column.get("name") or column["field"] for column in prepared.columns])
    table.writerows([_cell(document, column) for column in prepared.columns] for document in shown)
    return Attachment(
        f"{prepared.collection.table}.csv", "text/csv; charset=utf-8", text.getvalue().encode()
    )


def _cell(document: Data, column: Data) -> str:
    """What stands in a column: the value, or the text that the column maps it to."""
    value: Any = document
    for key in column["field"].split("."):
        value = value.get(key.replace("%2E", ".")) if isinstance(value, dict) else None
    text = "" if value is None else value if isinstance(value, str) else _text(value)
    for pair in _pairs(column):
        if pair.get("key") == text:
            return str(pair.get("value"))
    return text


def _pairs(column: Data) -> Iterator[Data]:
    listed = column.get("values")
    yield from (
        (pair for pair in listed if isinstance(pair, dict)) if isinstance(listed, list) else ()
    )


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])
    return dumps(value)
