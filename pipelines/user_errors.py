"""A user's mistake is one line on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

P = ParamSpec("P")


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Show a user's mistake, and a full disk, as a line without a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from components.failure import full_disk, is_users

        try:
            command(*args, **kwargs)
        except ValueError as error:
            if not (is_users(error) or _is_ours(error)):
                raise
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if line := full_disk(error):
                raise click.ClickException(line) from error
            raise

    return wrapped


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say in one line that a place which a user named can't be written.

    Raises:
        ValueError: it can't.
    """
    from components.failure import full_disk

    try:
        yield
    except OSError as error:
        if full_disk(error):
            raise
        where = error.filename2 or error.filename
        inside = f"{where}: " if where and Path(where) != place else ""
        raise ValueError(f"{place} can't be written: {inside}{error.strerror or error}") from error


def _is_ours(error: BaseException) -> bool:
    """Tell whether code of this folder or of the stack has raised an error."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = Path(frames[-1].filename).resolve() if frames else Path()
    home = Path(__file__).resolve().parent
    return any(place.is_relative_to(folder) for folder in (home, home.parent / "agent"))
