"""What the server is told at its start."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

SERVER_VERSION = "2.0.0"
"""The version of ClearML Server whose behaviour clients may expect; they switch features by it."""

API_VERSION = "2.31"
"""The newest API version that we say we speak."""


@dataclass(frozen=True)
class Settings:
    """Settings of one server.

    Attributes:
        state: The folder that holds the database, the files and the keys.
        credentials: The file with the credentials of the first user.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        non_responsive_after: Seconds without a sign of life after which a running task is stopped.
        power_safe: Wait for the disk at each commit, so that a power cut loses nothing either.
        names: Further names by which clients reach a server that listens on loopback.
        webapp: The folder of ClearML's web application, built; None serves our own light page.
        restart: Start again after a death that nobody asked for.
        max_body: Bytes of an API request, after decompression, that are accepted.
        started: When it was started, in seconds since the epoch.
    """

    state: Path
    credentials: Path
    host: str = "127.0.0.1"
    port: int = 8008
    non_responsive_after: float = 7200.0
    power_safe: bool = False
    names: tuple[str, ...] = ()
    restart: bool = False
    webapp: Path | None = None
    max_body: int = 256 * 1024 * 1024
    started: float = field(default_factory=time.time)

    @property
    def database(self) -> Path:
        """The database file."""
        return self.state / "server.db"

    @property
    def files(self) -> Path:
        """The folder that the file server serves."""
        return self.state / "files"

    @property
    def incoming(self) -> Path:
        """The folder for uploads under way; on the same file system as `files`."""
        return self.state / "incoming"
