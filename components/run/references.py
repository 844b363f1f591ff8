"""How datasets and models are named: by id, project, name and version, or as a path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class DatasetReference:
    """A dataset by name."""

    project: str | None
    name: str
    version: str | None
    """None for the latest."""

    @classmethod
    def parse(cls, text: str) -> DatasetReference:
        """Read `name`, `project/name`, `project/name@version` or `project/name@latest`."""
        path, _, version = text.strip().partition("@")
        project, _, name = path.rpartition("/")
        if not name:
            raise ValueError(f"dataset '{text}': expected an id, project/name@version or a folder")
        return cls(project or None, name, None if version in ("", "latest") else version)


def is_id(text: str) -> bool:
    """Tell whether a text looks like a ClearML id."""
    return bool(_ID.fullmatch(text))


def on_disk(reference: str) -> Path | None:
    """Return the path that a reference names, if it lies on this disk.

    Raises:
        ValueError: the reference can only be a path, and nothing is there.
    """
    if is_id(reference):
        return None
    path = Path(reference).expanduser()
    if reference and path.exists():
        return path
    if path.is_absolute() or reference.startswith((".", "~")) or path.suffix == ".zip":
        raise ValueError(f"{reference}: there is no such file or folder on this machine")
    return None


def not_found(kind: str, reference: str, known: Sequence[str]) -> ValueError:
    """Make the error for a reference that leads nowhere, with the nearest names there are."""
    lower = {name.lower(): name for name in known}
    near = [lower[n] for n in difflib.get_close_matches(reference.lower(), list(lower), 3, 0.4)]
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif known:
        hint = f"there are: {', '.join(sorted(known)[:5])}"
    else:
        hint = f"there is no {kind} yet"
    return ValueError(f"no {kind} '{reference}'; {hint}")


def version_key(version: str) -> tuple[Any, ...]:
    """Order versions by their numbers: 1.9.0, 1.10.0-rc1, 1.10.0."""
    release, _, draft = version.partition("-")
    return _numbers(release), draft == "", _numbers(draft)


def _numbers(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"[.+]", text)
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts)


def next_version(versions: Sequence[str]) -> str:
    """Return the version after the greatest one: its last number plus one."""
    if not versions:
        return "1.0.0"
    last = max(versions, key=version_key)
    head, digits = re.fullmatch(r"(.*?)(\d*)", last, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{head}{int(digits) + 1}" if digits else f"{last}.1"
