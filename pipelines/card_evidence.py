"""What runs of `evaluate` and `benchmark` have kept about a model, for its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.model_card import Evidence


def evidence_of(evaluation: str, benchmark: str, models: Sequence[str]) -> Evidence:
    """Read the records of runs, each given by its task id or its folder; empty for none.

    Args:
        evaluation: run of `evaluate`.
        benchmark: run of `benchmark`.
        models: ids of the model and of those it was made from.

    Raises:
        ValueError: there is no such run, it kept something else, or it measured another model.
    """
    from components.run.references import is_id
    from models.model_card import read_evidence

    record = _artifact(evaluation, "evaluation") if evaluation else None
    pictures = None
    if evaluation:
        try:
            pictures = _artifact(evaluation, "pictures")
        except ValueError:  # a run of an earlier version
            pictures = None
    timed = _artifact(benchmark, "benchmark") if benchmark else None
    # Paths of this machine tell others nothing.
    pages = {"evaluated by": evaluation, "benchmarked by": benchmark}
    pages = {what: run for what, run in pages.items() if is_id(run)}
    return read_evidence(record, pictures, timed, pages, models=models)


def _artifact(reference: str, name: str) -> Path:
    from components.run.references import on_disk

    folder = on_disk(reference)
    if folder is None:
        from agent.stack import activate
        from components.run.start import connect

        activate()
        try:
            connect()
        except ValueError as error:
            raise ValueError(
                f"'{reference}' is no folder here, and a task's id needs a server: {error}"
            ) from None
        from components.run.tracked import fetch_artifact

        return fetch_artifact(reference, name)
    found = folder / "artifacts" / f"{name}.json"
    if not found.is_file():
        raise ValueError(f"{reference}: no folder of a run with the artifact '{name}'")
    return found
