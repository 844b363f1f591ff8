"""The installed packages against the lock file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from agent.doctor.findings import Finding, error, ok, skipped, warning

PROJECT = "sightline"
_LINE = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)\s*(?:;\s*([^\\#]+))?")
_SHOWN = 5


def check_packages(lock: Path) -> list[Finding]:
    """Compare what is installed with what the lock says, and say which extras are there.

    Args:
        lock: `requirements.lock`.
    """
    if not lock.is_file():
        return [skipped("packages", f"there is no {lock}: nothing to compare with")]
    locked = read_lock(lock.read_text(encoding="utf-8"))
    installed = installed_versions()
    findings = [_versions(locked, installed)]
    findings += _extras(locked, installed)
    return findings


def read_lock(text: str) -> dict[str, str]:
    """Read the version of each package that this machine needs, by its canonical name."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        name, version, condition = match.groups()
        try:
            applies = condition is None or Marker(condition.strip()).evaluate()
        except InvalidMarker:
            applies = True
        if applies:
            found[canonicalize_name(name)] = version
    return {str(name): version for name, version in found.items()}


def installed_versions() -> dict[str, str]:
    """Read the version of each installed package, by its canonical name."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a half-removed package has none
            found.setdefault(str(canonicalize_name(name)), distribution.version)
    return found


def _versions(locked: Mapping[str, str], installed: Mapping[str, str]) -> Finding:
    other = [
        f"{name} {installed[name]} (lock: {version})"
        for name, version in sorted(locked.items())
        if name in installed and not _same(installed[name], version)
    ]
    if other:
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        said = f"{len(other)} differ from the lock: {', '.join(other[:_SHOWN])}{more}"
        return warning("packages", said, "make install, or pip install -r requirements.lock")
    same = sum(name in installed for name in locked)
    return ok("packages", f"{same} installed, each in its locked version")


def _same(one: str, other: str) -> bool:
    """Compare versions as pip does; what comes after + names the build, as in 2.15.0+cpu."""
    try:
        return Version(Version(one).public) == Version(Version(other).public)
    except InvalidVersion:
        return one == other


def _extras(locked: Mapping[str, str], installed: Mapping[str, str]) -> list[Finding]:
    try:
        requirements = metadata.requires(PROJECT) or []
        extras = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return [
            error("install", f"{PROJECT} isn't installed here", "make install, or pip install -e .")
        ]
    base = _missing(requirements, "", installed)
    if base:
        said = f"packages that every stage needs are missing: {', '.join(base)}"
        return [error("install", said, "make install, or pip install -r requirements.lock")]
    states = {extra: _missing(requirements, extra, installed) for extra in extras if extra != "all"}
    whole = [extra for extra, missing in states.items() if not missing]
    without = [extra for extra, missing in states.items() if missing]
    said = f"extras here: {', '.join(whole) or 'none'}"
    said += f"; not here: {', '.join(without)}" if without else ""
    if without and {"train", "stack"} & set(without):
        advice = f'stages of those run elsewhere; to run them here: pip install "{PROJECT}[all]"'
        return [ok("install", f"{said} ({advice})")]
    return [ok("install", said)]


def _missing(requirements: list[str], extra: str, installed: Mapping[str, str]) -> list[str]:
    """The packages of an extra, or of the base, that aren't installed."""
    found = []
    for text in requirements:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        marker = wanted.marker
        in_base = marker is None or marker.evaluate({"extra": ""})
        applies = in_base if not extra else marker is not None and marker.evaluate({"extra": extra})
        if (
            applies
            and (extra == "" or not in_base)
            and canonicalize_name(wanted.name) not in installed
        ):
            found.append(wanted.name)
    return found
