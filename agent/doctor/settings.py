"""The settings that ClearML's SDK would use here, read by the SDK's own rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.doctor.findings import Finding, error
from agent.stack.activation import ActiveServer, active_server
from agent.stack.credentials import Credentials
from agent.stack.home import find_home


@dataclass(frozen=True)
class Settings:
    """How this process would use ClearML.

    Attributes:
        api: URL of the API.
        chosen_by: What named it, in words.
        files: URL of the file server; empty if nothing names it.
        output: Where tasks of this machine put models and artifacts; mostly `files`.
        keys: The key pair; None if there is none.
        token: A session token in place of a key pair; empty if there is none.
        cache: Folder of what the SDK downloads.
        verify: Whether certificates are checked.
        is_local: Whether the server is on this machine.
        is_stack: Whether the server is the local stack's.
    """

    api: str
    chosen_by: str
    files: str
    output: str
    keys: Credentials | None
    token: str
    cache: Path
    verify: bool
    is_local: bool
    is_stack: bool

    def __repr__(self) -> str:
        """Without the token, so that it can't get into a log."""
        return f"Settings(api={self.api!r}, chosen_by={self.chosen_by!r}, keys={self.keys!r})"


def read_settings(home: Path | str | None = None) -> Settings | Finding:
    """Read them, or say why there are none.

    Args:
        home: The stack's state folder; see `find_home`.
    """
    active = active_server(home)
    if active.chosen_by == "nothing":
        return error(
            "server",
            "no ClearML server is configured",
            "start the local one with `sightline up`, or write ~/clearml.conf with `clearml-init`",
        )
    if not (active.chosen_by == "CLEARML_API_HOST" or (active.config_file or Path()).is_file()):
        return error(
            "server",
            f"{active.chosen_by} names {active.config_file}, and there is no such file",
            "correct the variable, or unset it to use ~/clearml.conf or the local stack",
        )
    return _by_the_sdk(active, home)


def _by_the_sdk(active: ActiveServer, home: Path | str | None) -> Settings | Finding:
    from agent.stack import activate

    activate(home)  # the SDK reads its configuration once, so this has to come first
    from clearml.backend_api.session import Session
    from clearml.backend_api.session.defs import (
        ENV_ACCESS_KEY,
        ENV_AUTH_TOKEN,
        ENV_HOST_VERIFY_CERT,
        ENV_SECRET_KEY,
    )
    from clearml.backend_config.errors import ConfigurationError
    from clearml.config import config_obj, get_cache_dir
    from clearml.config.defs import DEV_DEFAULT_OUTPUT_URI

    try:
        api = str(Session.get_api_server_host())
        access = ENV_ACCESS_KEY.get(default=config_obj.get("api.credentials.access_key", ""))
        secret = ENV_SECRET_KEY.get(default=config_obj.get("api.credentials.secret_key", ""))
        output = DEV_DEFAULT_OUTPUT_URI.get() or config_obj.get(
            "sdk.development.default_output_uri", ""
        )
        verify = ENV_HOST_VERIFY_CERT.get(default=config_obj.get("api.verify_certificate", True))
        cache = Path(str(get_cache_dir()))
    except ConfigurationError as problem:
        return error(
            "server",
            str(problem).split("\n")[0],
            f"correct {active.config_file}, or write it anew with `clearml-init`",
        )
    if not api.startswith(("http://", "https://")):
        said = f"'{api}' is no URL (named by {_in_words(active, home)})"
        return error("server", said, f"write http://{api} or https://{api}")
    try:
        files = str(Session.get_files_server_host())
    except ValueError:  # it is guessed from the port 8080 of the web application, or can't be
        files = ""
    return Settings(
        api=api,
        chosen_by=_in_words(active, home),
        files=files,
        output=str(output or files).rstrip("/"),
        keys=Credentials(str(access), str(secret)) if access and secret else None,
        token=str(ENV_AUTH_TOKEN.get() or ""),
        cache=cache,
        verify=str(verify).lower() not in ("false", "0", "no", "off"),
        is_local=active.is_local,
        is_stack=active.chosen_by == "stack",
    )


def _in_words(active: ActiveServer, home: Path | str | None) -> str:
    if active.chosen_by == "stack":
        return f"the local stack in {find_home(home).root}"
    return active.chosen_by
