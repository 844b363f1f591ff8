"""What the stages' work on a model or a dataset comes to, the same for every task family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.reporting import Image


@dataclass(frozen=True)
class Rejected:
    """A file or annotation that was set aside, and why."""

    item: str
    reason: str


@dataclass(frozen=True)
class Preparation:
    """What `Family.prepare` made: a dataset folder that training never has to doubt."""

    classes: Sequence[str]
    pictures: dict[str, int]
    """Pictures by split: train, val, test."""
    rejected: Sequence[Rejected]
    statistics: dict[str, Any]
    """JSON-able figures about the data, also stored in `dataset.json`."""
    previews: Sequence[tuple[str, Image]] = field(default_factory=tuple)
    """Named pictures with their annotations drawn in."""


@dataclass(frozen=True)
class TrainingOutcome:
    """What `Family.train` made."""

    package: Path
    """Folder of the model package with the best weights."""
    metrics: dict[str, float]
    """Validation figures of the best epoch."""
    best_epoch: int
    epochs: int
    """Epochs done in all, those before a resume included."""
    seconds: float
    """Training time in all, those before a resume included."""
    interrupted: bool = False
    """True when a stop request (Ctrl-C) ended training early."""


@dataclass(frozen=True)
class Checkpoints:
    """Where training finds the checkpoint to go on from, and whom it tells about new ones."""

    folder: Path
    resume: Path | None
    saved: Callable[[Path], None]
    """Called with the file of each new last checkpoint; it may upload it before it returns."""
    stop_requested: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one split."""

    split: str
    threshold: float
    values: dict[str, float]
    """Names as `mAP50`; the stage prefixes them with the split."""
    per_class: Sequence[dict[str, Any]]
    """One row a class, the same keys in each."""
    details: dict[str, Any] = field(default_factory=dict)
    """Further JSON-able tables, by name. The model's card draws `charts` (a list of what
    `models.model_card.charts.curves` takes, each with a `title`) and `confusion`."""


@dataclass(frozen=True)
class Audit:
    """The mistakes of one model on one split, and the labels that are likely wrong."""

    split: str
    pictures: int
    """Pictures looked at."""
    mistakes: Sequence[dict[str, Any]]
    """One JSON-able row for each, the worst first, the same keys in each; `kind` says which."""
    suspects: Sequence[dict[str, Any]]
    """One JSON-able row for each label that is likely wrong, the likeliest first; likewise."""


@dataclass(frozen=True)
class Tuning:
    """The threshold picked on validation."""

    threshold: float
    metric: str
    value: float
    """At the thresholds."""
    per_class: dict[str, float] = field(default_factory=dict)
    """By class name, for the classes that have a threshold of their own."""
    postprocessing: Mapping[str, Any] = field(default_factory=dict)
    """What else was fitted on validation, by its name in the package's `postprocessing`."""
