"""Options of a sweep itself; the trials' options are those of the stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.options import Options

Sampler = Literal["tpe", "cmaes", "nsga2", "random", "grid"]
Pruner = Literal["none", "median", "percentile", "hyperband", "halving"]


class SweepOptions(Options):
    """Options of a sweep."""

    trials: int = Field(20, ge=1, le=100_000)
    """Trials to run, those that fail or are pruned among them."""
    parallel: int = Field(0, ge=0, le=1000)
    """Trials at a time; 0: one for each agent that serves their queues."""
    queues: tuple[str, ...] = ()
    """Queues of the trials, which go where an agent is free; queue.gpu unless given."""
    base: str = ""
    """Task whose clones the trials are, by id; the stage train as it is in this code unless
    given. Its options hold where nothing else is said here."""
    objectives: tuple[str, ...] = ()
    """What to look for: `max NAME` or `min NAME` of figures that a trial reports, as
    `max val/accuracy`, or `title/series` of a curve, whose last point counts; the family's own
    figure on validation unless given."""
    constraints: tuple[str, ...] = ()
    """Limits that a good trial keeps, as `latency_ms<=20` or `val/recall>=0.9`."""
    sampler: Sampler = "tpe"
    """How trials are chosen: `tpe` for most, `cmaes` for numbers alone, `nsga2` for several
    objectives, `random`, `grid` for every combination."""
    sampler_seed: int = Field(0, ge=0)
    """Seed of the choice; with the same one and the same history it is the same."""
    startup: int | None = Field(None, ge=1)
    """Random trials before `tpe` or `cmaes` learns; Optuna's number (10, 1) unless given."""
    population: int | None = Field(None, ge=2)
    """Trials of a generation of `cmaes` or `nsga2`; Optuna's number unless given."""
    pruner: Pruner = "none"
    """How hopeless trials are told while they run, from the curve of the objective."""
    pruner_startup: int = Field(5, ge=1)
    """Whole trials that `median` and `percentile` wait for."""
    pruner_warmup: int = Field(1, ge=0)
    """Steps (epochs) of a trial before it can be pruned."""
    percentile: Annotated[float, Field(gt=0, lt=100)] = 25.0
    """`percentile` keeps a trial that is among so many percent."""
    reduction: int = Field(3, ge=2)
    """`hyperband` and `halving` keep one trial of so many at each rung."""
    hours: float | None = Field(None, gt=0)
    """Hours that the sweep may run; then its trials are told to end, and count as they are."""
    trial_minutes: float | None = Field(None, gt=0)
    """Minutes that a trial may run; then it is told to end, and counts as it is."""
    trial_iterations: int | None = Field(None, ge=1)
    """Iterations (epochs) that a trial may report; then it is told to end, and counts as it is."""
    best: int = Field(0, ge=0, le=100)
    """How many of the best trials go on through tune, evaluate, export, quantize, benchmark and
    publish, each as a pipeline."""
