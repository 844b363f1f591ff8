"""The stages by name. Nothing heavy is imported until a stage is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.stage import Stage

STAGES = {
    "ingest": "components.ingest",
    "prepare": "components.prepare",
    "train": "components.train",
    "baseline": "components.baseline",
    "tune": "components.tune",
    "evaluate": "components.evaluate",
    "audit": "components.audit",
    "export": "components.export",
    "quantize": "components.quantize",
    "benchmark": "components.benchmark",
    "predict": "components.predict",
    "read": "components.read",
    "publish": "components.publish",
}
"""Name to module, in the order in which a pipeline runs them; `audit` and `predict` are for people,
and in no pipeline; `read` is in one of its own."""


def stage(name: str) -> Stage[Any, Any]:
    """Load a stage by name.

    Raises:
        ValueError: no such stage.
    """
    if name not in STAGES:
        raise ValueError(f"no stage '{name}'; there are: {', '.join(STAGES)}")
    found: Stage[Any, Any] = importlib.import_module(STAGES[name]).STAGE
    return found
