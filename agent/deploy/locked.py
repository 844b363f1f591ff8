"""The part of the lock file that some extras need, with its hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from agent.deploy.plan import DeployError

_PACKAGE = re.compile(r"^([A-Za-z0-9][\w.-]*)==")


@dataclass(frozen=True)
class _Locked:
    """A package of the lock: its lines, and who wants it."""

    lines: tuple[str, ...]
    wanted_by: frozenset[str]


def locked_for(lock: str, pyproject: str, extras: Iterable[str]) -> str:
    """Cut a lock file to what the base and some extras need.

    The file's own `via` comments say who needs what, so nothing is resolved anew and no version
    can differ.

    Args:
        lock: Text of `requirements.lock`.
        pyproject: Text of `pyproject.toml`.
        extras: Names of extras.

    Raises:
        DeployError: There is no such extra, or the lock lacks a package.
    """
    project = tomllib.loads(pyproject)["project"]
    optional = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    for extra in extras:
        if extra not in optional:
            raise DeployError(f"there is no extra '{extra}'; there are: {', '.join(optional)}")
        wanted += optional[extra]
    packages = _read(lock)
    needed: set[str] = set()
    rest = [_name(one) for one in wanted]
    while rest:
        name = rest.pop()
        if name in needed:
            continue
        if name not in packages:
            raise DeployError(f"requirements.lock has no {name}: make lock")
        needed.add(name)
        rest += [other for other, found in packages.items() if name in found.wanted_by]
    return "".join(line + "\n" for name in sorted(needed) for line in packages[name].lines)


def _read(lock: str) -> dict[str, _Locked]:
    packages: dict[str, _Locked] = {}
    block: list[str] = []
    for line in [*lock.splitlines(), ""]:
        if block and not line.startswith(" "):
            match = _PACKAGE.match(block[0])
            if match:
                comments = [one.strip(" #") for one in block if one.startswith("    #")]
                via = (one.removeprefix("via").strip() for one in comments)
                # A package may have a version for each range of Pythons.
                before = packages.get(_name(match[1]), _Locked((), frozenset()))
                packages[_name(match[1])] = _Locked(
                    (*before.lines, *(one for one in block if not one.startswith("    #"))),
                    before.wanted_by | {_name(one) for one in via if one},
                )
            block = []
        if line and (block or _PACKAGE.match(line)):
            block.append(line)
    return packages


def _name(requirement: str) -> str:
    """The canonical name at the start of a requirement."""
    match = re.match(r"[A-Za-z0-9][\w.-]*", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""
