"""Whether a list of tags, kept as JSON, holds one."""

from __future__ import annotations

from ..encoding import dumps


def has_tag(sql: str) -> str:
    """SQL for "the JSON list of texts `sql` holds a text", which is bound as `tag_text`.

    Inside a JSON text a quote is always escaped, so a comma followed by a bare quote can only
    begin an element; the list's opening bracket is replaced by such a comma.
    """
    return f"(COALESCE({sql}, '[]') <> '[]' AND instr(',' || substr({sql}, 2), ?) > 0)"


def tag_text(tag: str) -> str:
    """A tag as `has_tag` looks for it."""
    return f",{dumps(tag)}"
