"""A stage's only door to the outside, as a local folder or as a ClearML task."""

from components.run.door import (
    DatasetCopy,
    DatasetRef,
    ModelCopy,
    ModelRef,
    Run,
    SupersededError,
)
from components.run.local import LocalRun

__all__ = [
    "DatasetCopy",
    "DatasetRef",
    "LocalRun",
    "ModelCopy",
    "ModelRef",
    "Run",
    "SupersededError",
]
