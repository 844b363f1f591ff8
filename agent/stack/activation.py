"""Which ClearML server this process uses, and how that was decided."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent.stack.environment import without_proxy
from agent.stack.home import find_home

_OWN_CONFS = ("~/clearml.conf", "~/trains.conf")


@dataclass(frozen=True)
class ActiveServer:
    """The ClearML server of this process.

    Attributes:
        url: Its API address; empty if none is configured.
        chosen_by: `CLEARML_API_HOST`, `CLEARML_CONFIG_FILE`, the path of a configuration file in
            the home folder, `stack`, or `nothing`.
        config_file: The `clearml.conf` that is read; None if there is none.
        is_local: Whether the address is this machine's own (loopback).
    """

    url: str
    chosen_by: str
    config_file: Path | None
    is_local: bool


def activate(home: Path | str | None = None) -> ActiveServer:
    """Have ClearML use the local stack, unless the user has named another server.

    Call it before `clearml` is imported: the SDK reads its configuration at import. In order:
    `CLEARML_API_HOST`, `CLEARML_CONFIG_FILE`, `~/clearml.conf`, the local stack. Only for the
    last one the environment changes: `CLEARML_CONFIG_FILE` is set to the stack's file.

    Args:
        home: The stack's state folder; see `find_home`.
    """
    active = active_server(home)
    if active.chosen_by == "stack":
        os.environ["CLEARML_CONFIG_FILE"] = str(active.config_file)
    if active.is_local:
        without_proxy(os.environ)
    return active


def active_server(home: Path | str | None = None) -> ActiveServer:
    """What `activate` would choose; changes nothing."""
    named = _variable("CLEARML_CONFIG_FILE", "TRAINS_CONFIG_FILE")
    named_file = Path(os.path.expandvars(named)).expanduser() if named else None
    host = _variable("CLEARML_API_HOST", "TRAINS_API_HOST")
    if host:
        return _server(host, "CLEARML_API_HOST", named_file)
    if named_file:
        return _server(_api_server(named_file), "CLEARML_CONFIG_FILE", named_file)
    for conf in _OWN_CONFS:
        path = Path(conf).expanduser()
        if path.exists():
            return _server(_api_server(path), str(path), path)
    conf_file = find_home(home).client_conf
    if conf_file.exists():
        return _server(_api_server(conf_file), "stack", conf_file)
    return _server("", "nothing", None)


def is_local(home: Path | str | None = None) -> bool:
    """Whether the server that this process uses has a loopback address."""
    return active_server(home).is_local


def _server(url: str, chosen_by: str, config_file: Path | None) -> ActiveServer:
    return ActiveServer(url, chosen_by, config_file, _is_loopback(url))


def _is_loopback(url: str) -> bool:
    host = (urlsplit(url).hostname or "") if "//" in url else ""
    return host == "localhost" or host == "::1" or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _variable(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def _api_server(conf: Path) -> str:
    """The `api_server` of a `clearml.conf`, without the parser, which takes a while to import."""
    try:
        text = conf.read_text(errors="replace")
    except OSError:
        return ""
    code = re.sub(r"(?m)^\s*(#|//).*$", "", text)
    found = re.search(r"""["']?\bapi_server["']?\s*[:=]\s*["']?([^"'\s,}#]+)""", code)
    return found[1] if found else ""
