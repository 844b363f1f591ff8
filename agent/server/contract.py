"""What each action may be given: the fields' types and which must be there.

`contract.txt` is drawn from the request schemas of the SDK (`tests/agent/server/test_contract.py`
writes it anew) so that the server needn't load the SDK. We are as lenient as clients need: null
stands for an absent field, a lone value for a list of one, `1.0` for `1`, and texts of a query
string for numbers and booleans. Names that aren't listed are the handler's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .errors import BadRequestError

_PATH = Path(__file__).with_name("contract.txt")
_FLAGS = {"true", "false", "1", "0"}
_LISTED = {"tasks.get_all parent"}
"""Filters that are a text by the schemas, for which clients give lists of choices too."""
_SAYS = {
    "text": "a text",
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "table": "an object",
}


@cache
def _contract() -> dict[str, dict[str, str]]:
    """Field kinds by action; a required field's kind ends in `!`, a list's in `*`.

    A kind such as `asc|desc` is a text that must be one of these.
    """
    contract = {}
    for line in _PATH.read_text(encoding="utf-8").splitlines():
        name, *fields = line.split()
        contract[name] = dict(field.rsplit(":", 1) for field in fields)
    return contract


def actions() -> frozenset[str]:
    """The actions that the SDK's schemas declare."""
    return frozenset(_contract())


def check(action: str, body: Mapping[str, Any]) -> None:
    """Refuse a body whose fields have the wrong type, or lacks one that must be there.

    Raises:
        BadRequestError: It names the first such field.
    """
    # The `_ex` actions take what the plain ones take, and more: a list of ids in place of one.
    lenient = action.endswith("_ex")
    for name, kind in _contract().get(action.removesuffix("_ex"), {}).items():
        value = body.get(name)
        if value is None:
            if kind.endswith("!") and name not in body and not lenient:
                raise BadRequestError(f"{name} is missing")
            continue
        kind = kind.rstrip("!")
        if kind.endswith("*"):
            kind = kind.rstrip("*")
            if isinstance(value, list):
                if not all(item is None or _is(item, kind, listed=True) for item in value):
                    raise BadRequestError(f"{name} must be a list, each item {_says(kind)}")
                continue
            if kind == "any" or not _is(value, kind, listed=True):
                raise BadRequestError(f"{name} must be a list")
        elif isinstance(value, list) and f"{action.removesuffix('_ex')} {name}" in _LISTED:
            if not all(item is None or isinstance(item, str) for item in value):
                raise BadRequestError(f"{name} must be a text, or a list of texts")
        elif not _is(value, kind):
            raise BadRequestError(f"{name} must be {_says(kind)}")


def _says(kind: str) -> str:
    return _SAYS.get(kind) or f"one of {kind.replace('|', ', ')}"


def _is(value: Any, kind: str, *, listed: bool = False) -> bool:
    if kind == "any":
        return True
    if "|" in kind:
        # In a list there may be markers such as `__$not`, and `-x` for leaving x out.
        return isinstance(value, str) and (
            value.removeprefix("-" if listed else "") in kind.split("|")
            or (listed and value.startswith("__$"))
        )
    if kind == "text":
        return isinstance(value, str)
    if kind == "table":
        return isinstance(value, dict)
    if kind == "flag":
        return isinstance(value, (bool, int)) or (
            isinstance(value, str) and value.lower() in _FLAGS
        )
    if isinstance(value, str):
        return _is_number(value)
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
