"""What all `get_all` and `get_all_ex` actions share: filter, order, page or scroll, project."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .. import projection, query, references, tree
from ..documents import Collection
from ..encoding import dumps, loads
from ..errors import ApiError, BadRequestError
from ..query import Where
from ..registry import Call, Data
from ..store import Document

_NOT_FILTERS = {
    "only_fields", "order_by", "page", "page_size", "size", "scroll_id", "refresh_scroll",
}  # fmt: skip


def listing(
    call: Call, collection: Collection, key: str, where: Where | None = None, *, ex: bool = False
) -> Data:
    """The documents that a `get_all` request asks for.

    Args:
        call: The request.
        collection: Where to look.
        key: The name for the list in the answer.
        where: The condition, if it is more than the request's filters.
        ex: Show what references name instead of ids: see `references`.

    Returns:
        The list under `key`, and a `scroll_id` when the request scrolls.
    """
    only = projection.names(call.body.get("only_fields"))
    return page(call, collection, key, where or filters(call, collection), only, ex=ex)


def page(
    call: Call,
    collection: Collection,
    key: str,
    where: Where,
    only: list[str] | None,
    *,
    ex: bool = False,
) -> Data:
    """The same, with a condition and a projection of the caller's."""
    offset, limit, scrolls = _window(call)
    documents = _documents(call, collection, where, projection.heads(only), offset, limit)
    if ex:
        shown = references.expand(call.db, collection, documents, only)
    else:
        shown = [projection.project(collection, each, only) for each in documents]
    answer: Data = {key: shown}
    if scrolls:
        answer["scroll_id"] = _scroll_id(offset + len(documents))
    return answer


def _documents(
    call: Call,
    collection: Collection,
    where: Where,
    heads: set[str] | None,
    offset: int,
    limit: int,
) -> list[Document]:
    order_by, turned = call.body.get("order_by"), False
    if offset >= _FAR:
        total = call.db.count(collection, where.sql, where.values)
        turned = offset > total // 2
        if turned:  # counted from the end, fewer come before it
            limit = min(limit, total - offset)
            offset = total - offset - limit
    if turned and limit <= 0:
        return []
    found = call.db.select(
        collection,
        where.sql,
        where.values,
        order=query.compile_order(collection, order_by, backwards=turned),
        limit=limit,
        offset=offset,
        heads=heads,
    )
    return found[::-1] if turned else found


_FAR = 5000
"""Rows before a page from which on it pays to count them all first."""


def filters(call: Call, collection: Collection) -> Where:
    """The condition that a request's filters make."""
    return filters_of(call, collection, call.body)


def filters_of(call: Call, collection: Collection, criteria: Data) -> Where:
    """The condition that some filters make, those of a request or of a part of one."""
    wanted = {name: value for name, value in criteria.items() if name not in _NOT_FILTERS}
    if wanted.get("project") and wanted.get("include_subprojects"):
        wanted["project"] = tree.widened(call.db, wanted["project"])
    where = query.compile_filters(collection, wanted)
    if criteria.get("allow_public") is False:
        where.add(f"json_extract({collection.table}.doc, '$.company') <> ''")
    return where


def seen(call: Call, where: Where) -> Where:
    """Leave out what is hidden, unless the request asks for it or names where to look."""
    if not call.flag("search_hidden") and not any(
        call.body.get(name) for name in ("id", "project", "parent", "task")
    ):
        tree.hide(where)
    return where


def _window(call: Call) -> tuple[int, int, bool]:
    """Where to start, how many, and whether the request scrolls."""
    scroll = call.text("scroll_id")
    if scroll or call.body.get("size") is not None:
        size = call.integer("size", 500)
        if size < 1:
            raise BadRequestError("size must be at least 1")
        start = _scrolled(scroll) if scroll else 0
        if call.flag("refresh_scroll"):
            return 0, max(start, size), True
        return start, size, True
    if call.body.get("page_size") is None and call.body.get("page") is None:
        return 0, -1, False
    page, size = call.integer("page", 0), call.integer("page_size", 500)
    if page < 0 or size < 1:
        raise BadRequestError("page must be at least 0 and page_size at least 1")
    return page * size, size, False


def _scroll_id(position: int) -> str:
    return base64.urlsafe_b64encode(dumps({"next": position}).encode()).decode()


def _scrolled(scroll_id: str) -> int:
    try:
        value: Any = loads(base64.urlsafe_b64decode(scroll_id.encode()))
        return max(0, int(value["next"]))
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise ApiError(f"Invalid scroll id: {scroll_id[:100]}", subcode=51) from error
