"""A stage's only door to the outside, as a local folder or as a ClearML task."""

from components.run.door import (
    Champion,
    DatasetCopy,
    DatasetRef,
    ModelCopy,
    ModelRef,
    Run,
    SupersededError,
)
from components.run.local import LocalRun

__all__ = [
    "Champion",
    "DatasetCopy",
    "DatasetRef",
    "LocalRun",
    "ModelCopy",
    "ModelRef",
    "Run",
    "SupersededError",
]
