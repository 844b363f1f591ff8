"""`sightline server backup` and `sightline server restore`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def server() -> None:
    """Back up the embedded server, and restore it."""


def _run(action: str, file: Path) -> None:
    import subprocess
    import sys

    from agent.stack.home import find_home

    home = find_home()
    if action == "restore":
        home.create()
    done = subprocess.run(
        [sys.executable, "-m", "agent.server.backup", action, str(file.absolute()),
         "--state", str(home.server), "--credentials", str(home.credentials)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise click.ClickException(done.stderr.strip() or f"{action} failed")
    click.echo(f"{file}: {done.stdout.strip()}")


@server.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write everything the server holds to FILE (.tar, or .tar.gz): tasks, files, keys.

    The server may run meanwhile. Keep FILE as you keep a password: the keys are in it.
    """
    _run("save", file)


@server.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Put a backup in place. The stack must be down, and without a state of its own.

    FILE is checked before anything is touched. An older backup is brought up to date by the next
    `sightline up`.
    """
    _run("restore", file)
