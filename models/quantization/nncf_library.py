"""NNCF, quiet and without telemetry."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from models.runtimes.engines import library


@contextmanager
def nncf_library() -> Iterator[Any]:
    """Import NNCF for the time of the context.

    Raises:
        ValueError: it isn't installed.
    """
    # It sends usage events unless it takes itself to be tested; it asks once, at its import.
    os.environ.setdefault("NNCF_CI", "1")
    # Compiling its rounding for PyTorch may take longer than the minute it allows itself.
    os.environ.setdefault("NNCF_EXTENSION_LOAD_TIMEOUT", "0")
    nncf = library("nncf", "export", "quantisation")
    from nncf.common.logging import track_progress

    class Unseen(track_progress.Progress):  # type: ignore[misc]
        """No progress bars: stages have their own."""

        def __init__(self, *columns: Any, **options: Any) -> None:
            super().__init__(*columns, **{**options, "disable": True})

    with ExitStack() as stack:
        stack.enter_context(patch.object(track_progress, "Progress", Unseen))
        logger = logging.getLogger("nncf")
        level = logger.level
        stack.callback(logger.setLevel, level)
        logger.setLevel(logging.ERROR)
        yield nncf
