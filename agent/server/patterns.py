r"""Regular expressions in filters, and the cheaper SQL that many of them amount to.

Clients ask for `^exact\ name$` all the time. Such a pattern is an equality and a pattern without
any operator is a substring; only the rest is matched row by row with `re`.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import regex

from .errors import BadRequestError

_LIMIT = 10_000  # characters; longer ones are a mistake or an attack
_PLAIN = re.compile(r"(\^?)((?:[^\\.^$*+?{}\[\]|()]|\\[^A-Za-z0-9])+)(\$?)", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_SORTED_BY = 200  # characters of a text that count where it is sorted
_BLIND = "(?i)"  # at the beginning of a pattern: it's blind to case, as `fold` makes it
_FOLDED = re.compile(r"\(\?i:([\x00-\x7f]*)\)", re.DOTALL)  # LIKE folds ASCII letters only
_BRANCHES = re.compile(  # parts that may be left out, flags, escapes of more than one letter
    r"[|]|\(\?(?!:)|\)[*+?{]|\\[A-Za-z0-9](?<![dDwWsSbBAZnrtfv])"
)
_PIECES = re.compile(
    r"(?:(?P<plain>\\[^A-Za-z0-9]|[^\\.^$*+?{}\[\]()])|\(\?:|\\.|\[\^?\]?(?:\\.|[^\]])*\]|.)"
    r"(?P<repeat>[*+?]|\{[^}]*\})?",
    re.DOTALL,
)
_TELLING = 2  # characters that a text must hold before it is worth looking for them first
_SPECIAL = re.compile(r"[!%_]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def compare(sql: str, pattern: str) -> tuple[str, list[Any]]:
    """SQL for "the text `sql` matches the pattern somewhere" and the values it needs.

    Raises:
        BadRequestError: The pattern is not a regular expression.
    """
    if len(pattern) > _LIMIT:
        raise BadRequestError(f"pattern longer than {_LIMIT} characters")
    if pattern.startswith(_BLIND):
        _check(pattern)
        pattern = f"(?i:{pattern.removeprefix(_BLIND)})"
    folded = _FOLDED.fullmatch(pattern)
    plain = _PLAIN.fullmatch(folded[1] if folded else pattern)
    if plain and folded and not plain[1] and not plain[3]:
        return f"{sql} LIKE ? ESCAPE '!'", [anywhere(_ESCAPED.sub(r"\1", plain[2]))]
    plain = None if folded else plain
    if plain:
        start, text, end = plain[1], _ESCAPED.sub(r"\1", plain[2]), plain[3]
        if start and end:
            return f"{sql} = ?", [text]
        if start:
            return f"substr({sql}, 1, ?) = ?", [len(text), text]
        if not end:
            return f"instr({sql}, ?) > 0", [text]
    _check(pattern)
    needed = literal(folded[1] if folded else pattern)
    if len(needed) < _TELLING:
        return f"matches(?, {sql})", [pattern]
    # Most texts lack what the pattern spells out; looking for that is far quicker.
    held = f"{sql} LIKE ? ESCAPE '!'" if folded else f"instr({sql}, ?) > 0"
    found = anywhere(needed) if folded else needed
    return f"CASE WHEN {held} THEN matches(?, {sql}) ELSE 0 END", [found, pattern]


def _check(pattern: str) -> None:
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise BadRequestError(f"not a regular expression: {pattern!r}: {error}") from error


def literal(pattern: str) -> str:
    """The longest text that all matches of a pattern hold, as far as that is plain to see."""
    if _BRANCHES.search(pattern):
        return ""
    runs, run = [""], ""
    for piece in _PIECES.finditer(pattern):
        plain, repeat = piece["plain"], piece["repeat"] or ""
        text = _ESCAPED.sub(r"\1", plain) if plain else ""
        if repeat[:1] in ("*", "?", "{"):  # perhaps not there at all
            text = ""
        run += text
        if not text or repeat:
            runs.append(run)
            run = ""
    return max([*runs, run], key=len)


def anywhere(text: str) -> str:
    """A text for `LIKE ? ESCAPE '!'` that matches where it stands anywhere, in either case."""
    return "%" + _SPECIAL.sub(r"!\g<0>", text) + "%"


def fold(pattern: str) -> str:
    """The same pattern, blind to case, unless it is anchored at both ends (an exact lookup)."""
    if (pattern.startswith("^") and pattern.endswith("$")) or pattern.startswith("(?"):
        return pattern
    return f"(?i:{pattern})"


def natural(value: Any) -> str | None:
    """A text that sorts as people read `value`: numbers by their size, before other texts."""
    if value is None:
        return None
    key = as_key(str(value))
    if isinstance(key, str):
        return f"~{key}"
    bits: int = struct.unpack(">q", struct.pack(">d", key + 0.0))[0]
    # The bits of a float sort as whole numbers do; those of a negative one the other way round.
    return f"{bits + 2**63 if bits >= 0 else -bits:020}"


def as_key(text: str) -> float | str:
    """What SQLite sorts as people read a text: a number if it is one, else a text.

    SQLite puts all numbers before all texts. Numbers inside a text count by their size too.
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if number == number:
        return number
    padded = _DIGITS.sub(lambda digits: f"{len(digits[0].lstrip('0')):04}{digits[0]}", text)
    return padded.casefold()[:_SORTED_BY]
