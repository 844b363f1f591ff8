"""The state folder: where it is and what lies where in it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.stack.errors import StackError

HOME_VARIABLE = "SIGHTLINE_HOME"
HOME_NAME = ".sightline"
_LEAST_FREE_BYTES = 50_000_000
"""Under this the server's database can't even begin."""


@dataclass(frozen=True)
class StackHome:
    """Paths inside one state folder; making the object touches nothing on disk."""

    root: Path

    @property
    def server(self) -> Path:
        """The embedded server's database and files."""
        return self.root / "server"

    @property
    def agents(self) -> Path:
        """One folder an agent: its HOME, TMPDIR, configuration and code."""
        return self.root / "agents"

    @property
    def logs(self) -> Path:
        """What the server and the agents print."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """What the ClearML SDK downloads: datasets, models, artifacts."""
        return self.root / "cache"

    @property
    def credentials(self) -> Path:
        """The key pair of the server, mode 0600."""
        return self.root / "credentials.json"

    @property
    def client_conf(self) -> Path:
        """The `clearml.conf` for scripts on this machine, mode 0600."""
        return self.root / "clearml.conf"

    @property
    def state(self) -> Path:
        """What was started, and on which port."""
        return self.root / "stack.json"

    @property
    def lock(self) -> Path:
        """Held while a command changes the stack."""
        return self.root / "lock"

    def create(self) -> None:
        """Make the folder, readable by its owner only.

        Raises:
            StackError: The folder can't be made or written, or its disk is all but full.
        """
        with disk_errors(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.root.stat().st_uid == os.getuid():
                self.root.chmod(0o700)
            for folder in (self.server, self.agents, self.logs, self.cache):
                folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not ignore.exists():  # the folder must never end up in a commit or a task's diff
                ignore.write_text("*\n")
            with tempfile.TemporaryFile(dir=self.root) as probe:
                probe.write(b"0" * 4096)
            free = shutil.disk_usage(self.root).free
        if free < _LEAST_FREE_BYTES:
            raise StackError(
                f"the disk of the state folder {self.root} has only {free // 10**6} MB left; free "
                f"some space, or set {HOME_VARIABLE} to a folder on another disk"
            )


def find_home(home: Path | str | None = None) -> StackHome:
    """Find the state folder: the argument, `$SIGHTLINE_HOME`, or `.sightline` in the project.

    The project is the nearest folder upwards with a `.git`, else the working directory.

    Args:
        home: The folder, when the caller names it.
    """
    named = home or os.environ.get(HOME_VARIABLE)
    if named:
        return StackHome(Path(named).expanduser().absolute())
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            return StackHome(folder / HOME_NAME)
    return StackHome(here / HOME_NAME)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk answers into one line that names the folder and the way out.

    Raises:
        StackError: In place of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StackError(
                f"the disk of the state folder {path} is full; free some space, "
                f"or set {HOME_VARIABLE} to a folder on another disk"
            ) from error
        raise StackError(
            f"can't write the state folder {path}: {error.strerror or error}; "
            f"make it writable, or set {HOME_VARIABLE} to another folder"
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: readers see the old text or the new, never half.

    Raises:
        StackError: The disk refused.
    """
    with disk_errors(path.parent):
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
