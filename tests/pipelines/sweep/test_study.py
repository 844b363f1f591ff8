"""Studies: the same choices whatever happens to the process that makes them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from typing import Any

import optuna
import pytest

from pipelines.sweep.options import SweepOptions
from pipelines.sweep.samplers import make_sampler, seed_of
from pipelines.sweep.space import Space, Value, different, parse_space
from pipelines.sweep.study import Direction, Outcome, Record, Study

TRIALS = 16
NUMBERS = {"x": "{low: 0, high: 1}", "rate": "{low: 1e-5, high: 1e-1, log: true}"}
CONDITIONS = NUMBERS | {
    "kind": "[plain, bent]",
    "bend": "{low: 1, high: 9, when: {kind: bent}}",
}
WHOLE = {"x": False, "rate": False, "kind": None, "bend": True}


def loss(drawn: Mapping[str, Value]) -> float:
    value = (float(drawn["x"]) - 0.3) ** 2 + abs(math.log10(float(drawn["rate"])) + 3)
    return value + 0.1 * float(drawn.get("bend", 3))


def cost(drawn: Mapping[str, Value]) -> float:
    return float(drawn["x"]) + float(drawn.get("bend", 0))


def outcome(drawn: Mapping[str, Value], objectives: int) -> Outcome:
    values = (loss(drawn), cost(drawn))[:objectives]
    # Optuna's CMA-ES, which is tried on numbers alone, knows no constraints.
    violations = {"cost<=5": cost(drawn) - 5} if "kind" in drawn else {}
    return Outcome("complete", values, violations)


def by_optuna(space: Space, options: SweepOptions, objectives: int) -> list[dict[str, Value]]:
    """What an uninterrupted study of Optuna's chooses; a proposal that was there is made anew."""
    study = optuna.create_study(study_name="sweep", directions=["minimize"] * objectives)
    chosen: list[dict[str, Value]] = []
    for number in range(TRIALS):
        before = copy.deepcopy(study)
        for attempt in range(10):
            study = copy.deepcopy(before)
            seed = seed_of(options.sampler_seed, number, attempt)
            study.sampler = make_sampler(options, seed)
            trial = study.ask()
            drawn = space.suggest(trial)
            if different(drawn) not in [different(other) for other in chosen]:
                break
        done = outcome(drawn, objectives)
        for name, violation in done.violations.items():
            trial.set_constraint(name, violation)
        study.tell(trial, list(done.values))
        chosen.append(drawn)
    return chosen


def written(record: Record) -> Record:
    """A record as it comes back from a server, where it lay as JSON."""
    return Record(
        record.number,
        json.loads(json.dumps(record.drawn)),
        json.loads(json.dumps(record.told)),
        record.outcome,
    )


SAMPLERS: list[tuple[dict[str, Any], dict[str, str], int]] = [
    ({"sampler": "tpe", "startup": 4}, CONDITIONS, 1),
    ({"sampler": "tpe", "startup": 4}, CONDITIONS, 2),
    ({"sampler": "cmaes", "population": 4}, NUMBERS, 1),
    ({"sampler": "nsga2", "population": 4}, CONDITIONS, 2),
    ({"sampler": "random"}, CONDITIONS, 1),
]


@pytest.mark.parametrize(("given", "entries", "objectives"), SAMPLERS)
def test_a_study_put_together_anew_before_each_choice_chooses_as_optuna_does(
    given: dict[str, Any], entries: dict[str, str], objectives: int
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = parse_space(entries, WHOLE)
    options = SweepOptions(**given)
    directions: list[Direction] = ["minimize"] * objectives
    records: list[Record] = []
    for number in range(TRIALS):
        study = Study(space, options, directions)
        study.restore([written(record) for record in records])
        drawn = study.ask()
        assert drawn is not None
        told = study.take_told()
        records.append(Record(number, drawn, told, outcome(drawn, objectives)))
    assert [record.drawn for record in records] == by_optuna(space, options, objectives)


@pytest.mark.parametrize(("given", "entries", "objectives"), SAMPLERS)
def test_with_trials_side_by_side_a_restart_changes_no_choice(
    given: dict[str, Any], entries: dict[str, str], objectives: int
) -> None:
    """Three at a time, ending in another order; the second run restarts while two are out."""
    runs = []
    for restarts in ((), (5, 6, 11)):
        space = parse_space(entries, WHOLE)
        study = Study(space, SweepOptions(**given), ["minimize"] * objectives)
        records: dict[int, Record] = {}
        out: list[int] = []
        for number in range(TRIALS):
            if number in restarts:
                study = Study(space, SweepOptions(**given), ["minimize"] * objectives)
                study.restore([written(record) for record in records.values()])
            drawn = study.ask()
            assert drawn is not None
            records[number] = Record(number, drawn, study.take_told(), None)
            out.append(number)
            if len(out) == 3:
                ended = out.pop(1)
                known = records[ended].drawn
                assert known is not None
                end = Outcome("failed") if ended % 5 == 4 else outcome(known, objectives)
                study.tell(ended, end)
                records[ended] = Record(ended, known, records[ended].told, end)
        runs.append([record.drawn for record in records.values()])
    assert runs[0] == runs[1]


def test_what_was_tried_uses_up_no_trial() -> None:
    space = parse_space({"kind": "[a, b]", "bend": "{low: 1, high: 3}"}, WHOLE)
    for sampler in ("tpe", "random", "grid", "nsga2"):
        study = Study(space, SweepOptions(sampler=sampler), ["minimize"])
        chosen = []
        while (drawn := study.ask()) is not None:
            study.tell(study.count - 1, Outcome("complete", (float(drawn["bend"]),)))
            chosen.append(different(drawn))
        assert len(chosen) == len(set(chosen)) == 6


def test_a_grid_knows_conditions_and_steps() -> None:
    entries = {"kind": "[plain, bent]", "bend": "{low: 1, high: 3, when: {kind: bent}}"}
    space = parse_space(entries | {"x": "{low: 0, high: 0.3, step: 0.1}"}, WHOLE)
    every = list(space.grid())
    assert len(every) == 4 * (1 + 3)
    assert sorted({one["x"] for one in every}) == [0.0, 0.1, 0.2, 0.3]


def test_numbers_that_are_missing_count_as_failed() -> None:
    space = parse_space(NUMBERS, WHOLE)
    study = Study(space, SweepOptions(), ["minimize"])
    study.restore([Record(2, {"x": 0.5, "rate": 1e-3}, (), Outcome("complete", (1.0,)))])
    assert study.count == 3
    states = [trial.state.name for trial in study.trials.get_trials(deepcopy=False)]
    assert states == ["FAIL", "FAIL", "COMPLETE"]


def test_the_median_pruner_ends_a_hopeless_trial_also_after_a_restart() -> None:
    options = SweepOptions(pruner="median", pruner_startup=2, pruner_warmup=0)
    space = parse_space(NUMBERS, WHOLE)
    drawn = {"x": 0.5, "rate": 1e-3}
    whole = [
        Record(n, {**drawn, "x": n / 10}, (), Outcome("complete", (1.0,), {}, {0: 2.0, 1: 1.0}))
        for n in range(3)
    ]
    study = Study(space, options, ["minimize"])
    study.restore([*whole, Record(3, drawn), Record(4, {**drawn, "x": 0.9})])
    study.report(3, 0, 1.5)
    assert not study.is_hopeless(3)
    study.report(4, 0, 9.0)
    assert study.is_hopeless(4)
    study.tell(4, Outcome("pruned", curve={0: 9.0}))
    assert study.trials.get_trials(deepcopy=False)[4].state.name == "PRUNED"
