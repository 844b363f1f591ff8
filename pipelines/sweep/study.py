"""The study of a sweep: what was tried and how it ended, and what to try next.

It lies in memory. What it takes to have it again, on any machine, are the trials: what each was
given, which results were known when it was chosen, and how it ended. Every choice is made with a
sampler of its own, seeded from the sweep's seed and the trial's number, so a study that was put
together again chooses as one that never ended.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study as OptunaStudy
from optuna.trial import TrialState, create_trial

from pipelines.sweep.options import SweepOptions
from pipelines.sweep.samplers import STATEFUL, make_pruner, make_sampler, seed_of
from pipelines.sweep.space import Space, Value, different, first_unseen

_NAME = "sweep"
"""Hyperband hashes the study's name, so it is always the same."""
_ATTEMPTS = 10
"""How often a sampler may propose what was there before; then it is a random new one."""

Direction = Literal["minimize", "maximize"]
End = Literal["complete", "pruned", "failed"]
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    end: End
    values: tuple[float, ...] = ()
    """Of the objectives; empty unless it is complete."""
    violations: Mapping[str, float] = field(default_factory=dict)
    """By how much it misses each constraint; 0 or less if it keeps it."""
    curve: Mapping[int, float] = field(default_factory=dict)
    """What the pruner has seen of it, by step."""


@dataclass(frozen=True)
class Record:
    """A trial as it can be read back."""

    number: int
    drawn: Mapping[str, Value] | None
    """None if all that is known of it is that it was there."""
    told: Sequence[int] = ()
    """Trials whose ends became known after the trial before this one was chosen, in order."""
    outcome: Outcome | None = None
    """None while it waits or runs."""


class Study:
    """The trials of one sweep, by number from 0 on."""

    def __init__(
        self,
        space: Space,
        options: SweepOptions,
        directions: Sequence[Direction],
        epochs: int | None = None,
    ) -> None:
        """Begin without any trial.

        Args:
            space: what to search.
            options: of the sweep.
            directions: `maximize` or `minimize` for each objective.
            epochs: steps of a whole trial, if every trial has as many.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._options = options
        self._directions = list(directions)
        self._pruner = make_pruner(options, epochs)
        self._begin()

    def _begin(self) -> None:
        self._storage: BaseStorage = InMemoryStorage()
        self._optuna = optuna.create_study(
            storage=self._storage,
            study_name=_NAME,
            directions=self._directions,
            pruner=self._pruner,
        )
        self._seen: set[str] = set()
        self._told: list[int] = []

    @property
    def trials(self) -> OptunaStudy:
        """The trials as Optuna's plots take them."""
        return self._optuna

    @property
    def count(self) -> int:
        """How many trials there are."""
        return len(self._optuna.get_trials(deepcopy=False))

    def restore(self, records: Sequence[Record]) -> None:
        """Put the study together again from trials as they can be read back.

        Args:
            records: of all trials, in any order; numbers that are missing count as failed.
        """
        known = {one.number: one for one in records}
        whole = [known.get(n) or Record(n, None, (), Outcome("failed")) for n in _up_to(known)]
        self._begin()
        if self._options.sampler not in STATEFUL or not self._replayed(whole):
            self._begin()
            for one in whole:
                self._add(one)
        for one in whole:
            if one.outcome is not None and not self._is_finished(one.number):
                self.tell(one.number, one.outcome)
        # The next trial's record says what became known since the last one's.
        last = {number for one in whole for number in one.told}
        ended = [one.number for one in whole if one.outcome is not None]
        self._told = [number for number in ended if number not in last]

    def _replayed(self, records: Sequence[Record]) -> bool:
        """Choose every trial again, to have what the sampler has learned; False if it can't be."""
        known = {one.number: one for one in records}
        for one in records:
            for number in one.told:
                outcome = known[number].outcome if number in known else None
                if number < self.count and not self._is_finished(number):
                    self.tell(number, outcome or Outcome("failed"))
            drawn = self.ask()
            if drawn is None or (
                one.drawn is not None and different(drawn) != different(one.drawn)
            ):
                return False
        return True

    def _add(self, one: Record) -> None:
        drawn = one.drawn or {}
        ended = one.outcome
        trial = create_trial(
            state=_STATES[ended.end] if ended else TrialState.RUNNING,
            values=_values(ended) if ended else None,
            params=dict(drawn),
            distributions=self._space.distributions(drawn),
            intermediate_values=dict(ended.curve) if ended else None,
            constraints=dict(ended.violations) if ended and ended.end != "failed" else None,
        )
        self._optuna.add_trial(trial)
        self._seen.add(different(drawn))

    def ask(self) -> dict[str, Value] | None:
        """Choose the next trial, which is numbered `count`.

        Returns:
            Its values by option; None if everything was tried.
        """
        number = self.count
        if self._options.sampler == "grid":
            return self._take(number, next(iter(first_unseen(self._space, self._seen)), None))
        for attempt in range(_ATTEMPTS):
            # A study can't forget a proposal, so one that isn't taken is made in a copy.
            study = copy.deepcopy(self._optuna)
            study.sampler = make_sampler(
                self._options, seed_of(self._options.sampler_seed, number, attempt)
            )
            drawn = self._space.suggest(study.ask())
            if different(drawn) not in self._seen:
                self._keep(study, drawn)
                return drawn
        unseen = first_unseen(self._space, self._seen) if self._space.count() is not None else []
        if not unseen:
            return None
        chance = random.Random(seed_of(self._options.sampler_seed, number, _ATTEMPTS))  # noqa: S311
        return self._take(number, chance.choice(unseen))

    def _take(self, number: int, drawn: dict[str, Value] | None) -> dict[str, Value] | None:
        if drawn is None:
            return None
        study = copy.deepcopy(self._optuna)
        study.sampler = make_sampler(self._options, seed_of(self._options.sampler_seed, number))
        study.enqueue_trial(drawn)
        self._space.suggest(study.ask())
        self._keep(study, drawn)
        return drawn

    def _keep(self, study: OptunaStudy, drawn: Mapping[str, Value]) -> None:
        self._optuna = study
        # Optuna has no public door to a study's storage.
        self._storage = study._storage
        self._seen.add(different(drawn))

    def take_told(self) -> list[int]:
        """List the trials whose ends became known since this was asked last."""
        told, self._told = self._told, []
        return told

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in how a trial ended; the first word counts."""
        if self._is_finished(number):
            return
        for step, value in outcome.curve.items():
            self.report(number, step, value)
        if outcome.end != "failed":
            for name, value in outcome.violations.items():
                # As Trial.set_constraint writes it, but a trial may be another process's.
                self._storage.set_trial_system_attr(self._id(number), f"constraints:{name}", value)
        self._optuna.sampler = make_sampler(
            self._options, seed_of(self._options.sampler_seed, number)
        )
        values = list(outcome.values) if outcome.end == "complete" else None
        self._optuna.tell(number, values=values, state=_STATES[outcome.end])
        self._told.append(number)

    def report(self, number: int, step: int, value: float) -> None:
        """Take in a point of a trial's curve."""
        self._storage.set_trial_intermediate_value(self._id(number), step, value)

    def is_hopeless(self, number: int) -> bool:
        """Tell whether the pruner would end a trial after what was reported of it."""
        trial = self._storage.get_trial(self._id(number))
        return self._pruner.prune(self._optuna, trial)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(_NAME)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _is_finished(self, number: int) -> bool:
        return self._storage.get_trial(self._id(number)).state.is_finished()


def _values(outcome: Outcome) -> list[float] | None:
    """What Optuna notes as a trial's values; of a pruned one, the last point of its curve."""
    if outcome.end == "complete":
        return list(outcome.values)
    if outcome.end == "pruned" and outcome.curve:
        return [outcome.curve[max(outcome.curve)]]
    return None


def _up_to(known: Mapping[int, Record]) -> range:
    return range(max(known, default=-1) + 1)


def is_whole(values: Sequence[float | None]) -> bool:
    """Tell whether every objective has a finite value."""
    return all(value is not None and math.isfinite(value) for value in values)
