"""Cutting a document down to the fields a request names in `only_fields`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .documents import OUTLINE, Collection
from .errors import BadRequestError
from .store import Document


def names(only_fields: Any) -> list[str] | None:
    """Read `only_fields`: a name or a list of dotted names; None when nothing is asked for."""
    if only_fields is None or only_fields == []:
        return None
    listed = [only_fields] if isinstance(only_fields, str) else only_fields
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise BadRequestError("only_fields must be a list of field names")
    return listed


def heads(only_fields: list[str] | None) -> set[str] | None:
    """The top-level fields that a projection needs; None for all."""
    if only_fields is None or any(name.startswith("-") for name in only_fields):
        return None
    return {name.partition(".")[0] for name in only_fields}


def project(collection: Collection, document: Document, only_fields: list[str] | None) -> Document:
    """Keep the named fields, and the id.

    A name that goes into an absent field leaves the object that would hold it (`runtime.version`
    gives `runtime: {}`): the SDK counts on that. Names after a `-` are left out instead.
    """
    if only_fields is None or any(name.startswith("-") for name in only_fields):
        document.pop(OUTLINE, None)
    if only_fields is None:
        return complete(collection, document, collection.objects)
    excluded = [name[1:] for name in only_fields if name.startswith("-")]
    if excluded:
        shown = complete(collection, document, collection.objects)
        for name in excluded:
            _drop(shown, name.split("."))
        return shown
    result: Document = {"id": document["id"]}
    for name in only_fields:
        _copy(document, result, name.split("."))
    return complete(collection, result, collection.objects & heads_of(only_fields))


def heads_of(only_fields: Iterable[str]) -> set[str]:
    """The top-level fields of dotted names."""
    return {name.partition(".")[0] for name in only_fields}


def complete(collection: Collection, document: Document, wanted: Iterable[str]) -> Document:
    """Add the empty objects and lists that clients read without asking whether they are there."""
    for name in wanted:
        document.setdefault(name, {})
    return document


def _copy(source: Any, target: dict[str, Any], path: list[str]) -> None:
    key, rest = path[0].replace("%2E", "."), path[1:]
    if not isinstance(source, dict) or key not in source:
        return
    value = source[key]
    if not rest:
        target[key] = value
    elif isinstance(value, dict):
        below = target.setdefault(key, {})
        if below is not value:
            _copy(value, below, rest)
    elif isinstance(value, list):
        below = target.setdefault(key, [{} for _ in value])
        for item, kept in zip(value, below, strict=False):
            if isinstance(kept, dict) and kept is not item:
                _copy(item, kept, rest)


def _drop(document: Any, path: list[str]) -> None:
    for key in path[:-1]:
        document = document.get(key) if isinstance(document, dict) else None
    if isinstance(document, dict) and path[-1] != "id":
        document.pop(path[-1], None)
