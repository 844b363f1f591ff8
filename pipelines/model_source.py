"""The MODEL of a command: a folder or zip on this disk, or a model of the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.run import ModelCopy


@contextmanager
def opened_model(reference: str, project: str = "Sightline") -> Iterator[ModelCopy]:
    """Have a model package's folder on this disk for a while; the server is asked only if needed.

    Args:
        reference: a folder, a zip, an id, or a name in the registry.
        project: where a name without one is looked for.

    Raises:
        ValueError: there is no such model.
    """
    from components.run.references import on_disk
    from components.run.tracked_models import fetch_model

    if on_disk(reference) is None:
        from agent.stack import activate
        from components.run.start import connect

        activate()
        try:
            connect()
        except ValueError as error:
            raise ValueError(
                f"'{reference}' is no file or folder here, and a name or id needs a server: {error}"
            ) from None
    with tempfile.TemporaryDirectory(prefix="sightline-model-") as scratch:
        yield fetch_model(reference, project, Path(scratch))
