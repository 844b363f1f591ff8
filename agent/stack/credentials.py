"""The key pair of the local server: made once, kept private, printed on request."""

from __future__ import annotations

import getpass
import json
import secrets
from dataclasses import dataclass

from agent.stack.errors import StackError
from agent.stack.home import StackHome, disk_errors, write_private


@dataclass(frozen=True)
class Credentials:
    """A ClearML key pair."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Without the secret, so that it can't get into a log."""
        return f"Credentials(access_key={self.access_key!r}, secret_key='****')"


def load_or_make_credentials(home: StackHome) -> Credentials:
    """Read the stack's credentials, or make them at the first start (mode 0600)."""
    if not home.credentials.exists():
        made = {
            "access_key": secrets.token_hex(10).upper(),
            "secret_key": secrets.token_urlsafe(36),
            "user": _user_name(),
        }
        write_private(home.credentials, json.dumps(made, indent=1) + "\n")
    return load_credentials(home)


def _user_name() -> str:
    """The login name, under which the server's user appears."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        return "sightline"


def load_credentials(home: StackHome) -> Credentials:
    """Read the stack's credentials.

    Raises:
        StackError: There are none, or the file is damaged.
    """
    if not home.credentials.exists():
        raise StackError(f"no credentials in {home.root}; make a stack with: sightline up")
    with disk_errors(home.root):
        text = home.credentials.read_text()
        # A file that was copied or restored from a backup may have lost its mode.
        home.credentials.chmod(0o600)
    try:
        data = json.loads(text)
        return Credentials(str(data["access_key"]), str(data["secret_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"{home.credentials} is damaged; delete it and run: sightline down && sightline up"
        ) from error


def environment_lines(url: str, credentials: Credentials) -> str:
    """Shell lines with which any ClearML script uses the server.

    They can't carry `report_use_subprocess: false` (CLEARML.md, section 0), so prefer the
    configuration file where there is a choice.
    """
    values = {
        "CLEARML_API_HOST": url,
        "CLEARML_WEB_HOST": url,
        "CLEARML_FILES_HOST": f"{url}/files",
        "CLEARML_API_ACCESS_KEY": credentials.access_key,
        "CLEARML_API_SECRET_KEY": credentials.secret_key,
    }
    return "\n".join(f"export {name}={value}" for name, value in values.items()) + "\n"
