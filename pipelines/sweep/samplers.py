"""Optuna's samplers and pruners as a sweep's options ask for them."""

from __future__ import annotations

import hashlib
import warnings

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from pipelines.sweep.options import SweepOptions

STATEFUL = frozenset({"cmaes", "nsga2"})
"""Samplers that note with the trials what they have learned; the others only read the trials."""


def seed_of(seed: int, number: int, attempt: int = 0) -> int:
    """The seed of one choice: a function of the sweep's seed and the trial, and of nothing else."""
    digest = hashlib.sha256(f"{seed}/{number}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def make_sampler(options: SweepOptions, seed: int) -> BaseSampler:
    """Make the sampler for one choice; a grid's has nothing to choose."""
    if options.sampler == "tpe":
        return optuna.samplers.TPESampler(n_startup_trials=options.startup or 10, seed=seed)
    if options.sampler == "cmaes":
        return optuna.samplers.CmaEsSampler(
            n_startup_trials=options.startup or 1,
            popsize=options.population,
            seed=seed,
            # Without one of its own the options that it can't handle would have an unseeded one.
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            warn_independent_sampling=False,
        )
    if options.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=options.population or 50, seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def make_pruner(options: SweepOptions, epochs: int | None) -> BasePruner:
    """Make the pruner.

    Args:
        options: of the sweep.
        epochs: steps of a whole trial, if every trial has as many.
    """
    warmup, startup = options.pruner_warmup, options.pruner_startup
    least = max(1, warmup)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if options.pruner == "median":
            return optuna.pruners.MedianPruner(startup, warmup)
        if options.pruner == "percentile":
            return optuna.pruners.PercentilePruner(options.percentile, startup, warmup)
        if options.pruner == "hyperband":
            return optuna.pruners.HyperbandPruner(
                min_resource=least,
                max_resource=epochs or "auto",
                reduction_factor=options.reduction,
            )
        if options.pruner == "halving":
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=least, reduction_factor=options.reduction
            )
    return optuna.pruners.NopPruner()
