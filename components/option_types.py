"""What the text of an option means to its type, and how its type is said to people."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_LISTS = (list, tuple, set, frozenset, Sequence)
_NOTHING = ("none", "null")


def members(annotation: Any) -> list[Any]:
    """Take a union apart, through `Annotated`; a plain type is its only member."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for part in get_args(annotation) for m in members(part)]
    return [annotation]


def _is_list(member: Any) -> bool:
    return (get_origin(member) or member) in _LISTS


def _is_table(member: Any) -> bool:
    origin = get_origin(member) or member
    return origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, BaseModel))


def _is_text(member: Any) -> bool:
    return member is str or (isinstance(member, type) and issubclass(member, Path))


def decode(given: Any, annotation: Any) -> Any:
    """Turn text into what pydantic then checks against `annotation`; the rest passes through.

    Raises:
        ValueError: text that should be JSON and isn't.
    """
    if not isinstance(given, str):
        return given
    parts = members(annotation)
    text = given.strip()
    if type(None) in parts:
        if not text:
            return None
        if text.lower() in _NOTHING and not any(_is_text(m) for m in parts):
            return None
    if text[:1] in ("[", "{") and any(_is_list(m) or _is_table(m) for m in parts):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"expected {expected(annotation)}, but {error}") from None
    if any(_is_text(m) for m in parts):
        return given
    for member in parts:
        choices = _choices(member)
        if text in choices:
            return choices[text]
    lists = [m for m in parts if _is_list(m)]
    if lists and ("," in text or len(parts) - (type(None) in parts) == len(lists)):
        return [item.strip() for item in text.split(",")] if text else []
    return text


def _choices(member: Any) -> dict[str, Any]:
    if get_origin(member) is Literal:
        return {str(choice): choice for choice in get_args(member)}
    if isinstance(member, type) and issubclass(member, Enum):
        return {str(choice.value): choice for choice in member}
    return {}


def expected(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Say in a few words what may be given, as `number > 0` or `linear|cosine`."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        found = [
            m for item in more for m in (item.metadata if isinstance(item, FieldInfo) else [item])
        ]
        return expected(inner, [*metadata, *found])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        said = " or ".join(expected(part, metadata) for part in parts)
        return said + " (empty: none)" if len(parts) < len(get_args(annotation)) else said
    if choices := _choices(annotation):
        return "|".join(choices)
    origin = get_origin(annotation) or annotation
    if _is_list(annotation):
        items = [a for a in get_args(annotation) if a is not Ellipsis]
        same = items and all(item == items[0] for item in items)
        of = f" of {expected(items[0])}" if same else ""
        several = origin is tuple and Ellipsis not in get_args(annotation) and items
        return f"list{f' of {len(items)}' if several else ''}{of}{_limits(metadata)}"
    if _is_table(annotation):
        return "table (JSON)"
    names = {bool: "true|false", int: "whole number", float: "number", str: "text", Path: "path"}
    name = names.get(origin, getattr(origin, "__name__", str(origin)))
    return name + _limits(metadata)


def _limits(metadata: Sequence[Any]) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found: dict[str, Any] = {}
    for item in metadata:
        for key in (*signs, "multiple_of", "min_length", "max_length", "pattern"):
            value = getattr(item, key, None)
            if value is not None:
                found[key] = f"{value:g}" if isinstance(value, float) else value
    said = []
    if "ge" in found and "le" in found:
        said.append(f"{found.pop('ge')} to {found.pop('le')}")
    said += [f"{sign} {found[key]}" for key, sign in signs.items() if key in found]
    if "multiple_of" in found:
        said.append(f"a multiple of {found['multiple_of']}")
    if found.get("min_length") == 1:
        said.append("not empty")
    elif "min_length" in found:
        said.append(f"at least {found['min_length']} long")
    if "max_length" in found:
        said.append(f"at most {found['max_length']} long")
    if "pattern" in found:
        said.append(f"like {found['pattern']}")
    return " " + ", ".join(said) if said else ""
