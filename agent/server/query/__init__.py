"""The query language of `get_all`: a request's filters become one SQL condition.

What is understood, for any known field and any dotted name below it:

- a list: any of the values; `None` in it matches an absent field. Names such as `-x` or the pair
  `"__$not", "x"` exclude. `__$and`/`__$or` (and first of all `__$all`/`__$any`) say how those that
  follow are joined; groups are joined by "and".
- `[low, high]` on a number, either may be null: a closed range.
- a text: a regular expression for names and comments, a comparison such as `>=2026-01-01` for
  dates, otherwise equality.
- `_any_`, `_or_`, `_all_`, `_and_`: `{fields, pattern}` or `{fields, datetime}` over many fields; a
  list, of tags for example, matches if one of its items does.
- `search_text`: a text anywhere in name, id, comment or tags.
- `filters`: by field, `{"any": {"include": [...], "exclude": [...]}, "all": {...}}`.

Keys that name no field of the collection are ignored, as clients send several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..documents import Collection
from .fields import add_field
from .many import MULTI, add_filters, add_multi, add_search
from .paths import compile_order
from .tags import has_tag, tag_text
from .where import Where

__all__ = ["Where", "compile_filters", "compile_order", "has_tag", "tag_text"]


def compile_filters(collection: Collection, filters: Mapping[str, Any]) -> Where:
    """Turn the filters of a `get_all` request into a condition.

    Raises:
        BadRequestError: A filter has a value that can't be understood.
    """
    where = Where(collection)
    for key, value in filters.items():
        if value is None:
            continue
        if key in MULTI:
            add_multi(where, MULTI[key], key, value)
        elif key == "search_text":
            add_search(where, value)
        elif key == "filters":
            add_filters(where, value)
        elif key.partition(".")[0] in collection.fields:
            add_field(where, key, value)
    return where
