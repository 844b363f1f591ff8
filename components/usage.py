"""What `python -m components.<stage> --help` says: every option, its type, default and meaning."""

from __future__ import annotations

import textwrap

from pydantic import BaseModel

from components.options import Option, encode, options_of, tables_of

_WIDTH = 100
_INDENT = "      "


def describe_options(config: type[BaseModel]) -> str:
    """List all options of a config grouped by table, with types, defaults and meanings."""
    groups: dict[str, list[Option]] = {}
    for option in options_of(config):
        groups.setdefault(option.name.rpartition(".")[0], []).append(option)
    about = tables_of(config)
    blocks = []
    for table, options in groups.items():
        lines = []
        if table:
            title = " ".join(about[table].split()).rstrip(".")
            lines.append(f"{table}: {title}" if title else table)
        lines += [_describe(option) for option in options]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _describe(option: Option) -> str:
    if option.required:
        default = "needed"
    elif option.default is None or option.default == "":
        default = "default: none"
    else:
        default = f"default: {encode(option.default)}"
    head = f"  {option.name}  <{option.expected}>  {default}"
    if not option.description:
        return head
    text = textwrap.fill(
        option.description, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
    )
    return f"{head}\n{text}"
