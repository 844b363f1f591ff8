"""A sweep as it is asked for, and as it was checked.

A sweep's file is the recipe of the pipeline `train-eval` with two things more: what to search
(`space`), and how (the options of `SweepOptions`). The stage options of the recipe hold for every
trial, those of the later stages for what is done with the best ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any

from components.option_types import members
from components.options import (
    Layer,
    OptionError,
    command_line_layer,
    configure,
    encode,
    nearest,
    options_of,
    read_yaml,
)
from components.registry import stage
from models.families import family
from pipelines import recipe
from pipelines.parameters import RunOptions
from pipelines.recipe import Plan, Recipe
from pipelines.sweep.objectives import (
    Constraint,
    Objective,
    parse_constraints,
    parse_objectives,
)
from pipelines.sweep.options import SweepOptions
from pipelines.sweep.space import Space, entry_text, flat_space, parse_space, texts

STAGE = "train"
PIPELINE = "train-eval"
PREFIX = "space."
"""Before a searched option's name, on a command line and under `Args/`."""
_OWN = tuple(SweepOptions.model_fields)


@dataclass(frozen=True)
class Base:
    """A task whose clones the trials are."""

    id: str
    stage: str
    """Empty if it isn't one of our stages."""
    values: Mapping[str, str]
    """Its options."""
    types: Mapping[str, str]
    """Their types as ClearML holds them, where it does."""


@dataclass(frozen=True)
class Sweep:
    """What to sweep. Values are text."""

    recipe: Recipe
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the sweep; those left out have their defaults."""
    space: Mapping[str, str] = field(default_factory=dict)
    """What to search, by option."""

    def parameters(self) -> dict[str, str]:
        """All that goes under `Args/`, but for what keeps its default."""
        space = {f"{PREFIX}{name}": entry for name, entry in self.space.items()}
        return {**self.recipe.parameters, **self.options, **space}

    def with_parameters(self, values: Mapping[str, str]) -> Sweep:
        """Take in parameters as a controller's task holds them."""
        space = {n.removeprefix(PREFIX): v for n, v in values.items() if n.startswith(PREFIX)}
        rest = {n: v for n, v in values.items() if not n.startswith(PREFIX)}
        options = {name: rest.pop(name) for name in _OWN if name in rest}
        return Sweep(self.recipe.with_parameters(rest), options, space)


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that was checked."""

    sweep: Sweep
    options: SweepOptions
    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    run: RunOptions
    fixed: Mapping[str, str]
    """Options of every trial that differ from the base's or the template's."""
    plan: Plan | None
    """Of the whole pipeline; None if the trials aren't of one of our stages."""

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of the trials."""
        if self.options.queues:
            return tuple(dict.fromkeys(self.options.queues))
        return (self.plan.queue(STAGE) if self.plan else self.run.queue_cpu,)

    @property
    def epochs(self) -> int | None:
        """Steps of a whole trial, if all have as many and it can be known."""
        if self.options.trial_iterations:
            return self.options.trial_iterations
        if self.plan is None or "epochs" in self.space.names:
            return None
        found = {o.name: o.default for o in options_of(_config(self.plan.recipe.family))}
        given = str(self.fixed.get("epochs") or found.get("epochs"))
        return int(given) if given.isdigit() else None


def is_sweep(path: Path) -> bool:
    """Tell whether a file says what to search, and so is no recipe of a pipeline.

    Raises:
        OptionError: it can't be read.
    """
    return any(name == "space" or _is_space(str(name)) for name in read_yaml(path))


def read_sweep(path: Path | None, arguments: Sequence[str] = ()) -> Sweep:
    """Read a sweep's file and override it with `key=value` arguments.

    Raises:
        OptionError: a wrong file, or one line for each unknown name.
    """
    layers = [command_line_layer(arguments)]
    if path is not None:
        layers.insert(0, Layer(str(path), read_yaml(path)))
    options: dict[str, str] = {}
    space: dict[str, str] = {}
    rest = [Layer("", {"pipeline": PIPELINE})]
    for layer in layers:
        values = dict(layer.values)
        table = values.pop("space", None) or {}
        if not isinstance(table, dict):
            raise OptionError(f"space: expected a table of options, got '{table}'")
        table |= {n.removeprefix(PREFIX): values.pop(n) for n in list(values) if _is_space(n)}
        names = stage(STAGE).option_names(str(values.get("family") or "") or _family_of(rest))
        space |= {name: entry_text(entry) for name, entry in flat_space(table, names).items()}
        options |= {name: encode(values.pop(name)) for name in _OWN if name in values}
        if values.get("pipeline") not in (None, PIPELINE):
            raise OptionError(f"pipeline={values['pipeline']}: a sweep is one of {PIPELINE}")
        rest.append(Layer(layer.source, values))
    try:
        found = recipe.recipe_of(rest, path.stem if path is not None else "sweep")
    except OptionError as error:
        raise OptionError(_with_own_names(str(error))) from None
    # A trial that broke would break again: it costs only itself, unless the user says otherwise.
    parameters = {"retries": "0", **found.parameters}
    return Sweep(replace(found, parameters=parameters), options, space)


def _is_space(name: str) -> bool:
    return name.startswith(PREFIX)


def _family_of(layers: Sequence[Layer]) -> str:
    named = [str(layer.values["family"]) for layer in layers if layer.values.get("family")]
    return named[-1] if named else Recipe(PIPELINE).family


def _with_own_names(message: str) -> str:
    """Name an option of the sweep where a wrong name is nearest to one."""
    lines = []
    for line in message.split("\n"):
        head, quote, tail = line.partition("unknown parameter '")
        name = tail.partition("'")[0]
        near = nearest(name, _OWN) if quote else None
        lines.append(f"{head}unknown parameter '{name}', did you mean '{near}'?" if near else line)
    return "\n".join(lines)


def check(sweep: Sweep, base: Base | None = None, draft: bool = False) -> SweepPlan:
    """Check all of a sweep that can be checked without a server. Loads no torch.

    Args:
        sweep: what is asked for.
        base: the task that `base` names, if it does.
        draft: values that are needed may still be missing.

    Raises:
        OptionError: one line for each mistake.
    """
    problems: list[str] = []
    options = SweepOptions()
    try:
        given = {n: v for n, v in sweep.options.items() if v != ""}
        options = configure(SweepOptions, [Layer("", given)])
    except OptionError as error:
        problems += str(error).split("\n")
    foreign = base is not None and base.stage != STAGE
    asked = (
        sweep.recipe if base is None or foreign else _based(sweep.recipe, base, set(sweep.space))
    )
    plan: Plan | None = None
    try:
        run, plan = _checked(asked, foreign, draft)
    except OptionError as error:
        problems += str(error).split("\n")
        run = RunOptions()
    objectives: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    space = Space(())
    try:
        objectives = parse_objectives(options.objectives, _default_figure(asked, foreign))
        constraints = parse_constraints(options.constraints)
    except OptionError as error:
        problems += str(error).split("\n")
    try:
        kinds = _kinds(base.types, base.values) if base and foreign else _stage_kinds(asked.family)
        space = parse_space(sweep.space, kinds)
    except (OptionError, ValueError) as error:
        problems += str(error).split("\n")
    problems += _against(options, objectives, constraints, space, foreign)
    fixed = dict(plan.options[STAGE]) if plan else {}
    if plan and not problems:
        problems += _refused(space, fixed)
    if problems:
        raise OptionError("\n".join(dict.fromkeys(problems)))
    return SweepPlan(
        replace(sweep, recipe=asked), options, space, objectives, constraints, run, fixed, plan
    )


def _checked(asked: Recipe, foreign: bool, draft: bool) -> tuple[RunOptions, Plan | None]:
    if not foreign:
        plan = recipe.check(asked, draft)
        return plan.run, plan
    strange = [name for name in asked.parameters if name not in RunOptions.model_fields]
    strange = [name for name in strange if asked.parameters[name] != ""] + list(asked.stages)
    if strange:
        raise OptionError(
            f"{strange[0]}: the base is no training of ours, so say it in the base itself"
        )
    own = {n: v for n, v in asked.parameters.items() if n in RunOptions.model_fields and v != ""}
    return configure(RunOptions, [Layer("", own)]), None


def _based(asked: Recipe, base: Base, searched: set[str]) -> Recipe:
    """Take the base's options for all that isn't said or searched."""
    values = {option: value for option, value in base.values.items() if option not in searched}
    name = base.values.get("family") or asked.family
    asked = replace(asked, family=name)
    parameters, options = dict(asked.parameters), dict(asked.stages.get(STAGE, {}))
    known = {o.name: o for o in options_of(_config(name))}
    for parameter in asked.known_parameters().values():
        for target in parameter.targets:
            if target.stage == STAGE and values.get(target.option):
                said = parameters.get(parameter.name)
                alone = len(parameter.targets) == 1 or parameter.name == "dataset"
                if said in (None, "") and alone:
                    parameters[parameter.name] = values[target.option]
    taken = {
        target.option
        for parameter in asked.known_parameters().values()
        for target in parameter.targets
        if target.stage == STAGE and parameters.get(parameter.name)
    }
    for option, value in values.items():
        same = option in known and not known[option].required
        if same and encode(known[option].default) == value:
            continue
        if option in known and option not in taken and option not in options:
            options[option] = value
    options.pop("family", None)
    return replace(asked, parameters=parameters, stages={**asked.stages, STAGE: options})


def _default_figure(asked: Recipe, foreign: bool) -> str:
    if foreign:
        return ""
    try:
        return f"val/{family(asked.family).primary_metric}"
    except ValueError:
        return ""


def _against(
    options: SweepOptions,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    space: Space,
    foreign: bool,
) -> Iterator[str]:
    """Find what doesn't go together."""
    several = len(objectives) > 1
    if several and options.pruner != "none":
        yield f"pruner={options.pruner}: with several objectives no trial is hopeless; use none"
    if several and options.sampler == "cmaes":
        yield "sampler=cmaes: it knows one objective only; use tpe or nsga2"
    if options.sampler == "cmaes" and space.dimensions:
        numbers = [one for one in space if not one.choices and not one.when]
        if len(numbers) < 2:
            yield "sampler=cmaes: it wants two or more ranges without conditions; use tpe"
        if constraints:
            yield "sampler=cmaes: it knows no constraints; use tpe or nsga2"
    if options.sampler == "grid":
        for one in space:
            if one.count() is None:
                yield f"space.{one.name}: sampler=grid needs a step, or choices"
    if options.best and foreign:
        yield "best: the base is no training of ours, so its trials can't go on"


def _config(name: str) -> Any:
    return stage(STAGE).config_type(name)


def _stage_kinds(name: str) -> dict[str, bool | None]:
    """Tell for each option of the stage whether it takes whole numbers, any, or none."""
    found: dict[str, bool | None] = {}
    for option in options_of(_config(name)):
        kinds = [kind for kind in members(option.annotation) if kind is not NoneType]
        found[option.name] = False if float in kinds else True if int in kinds else None
    # A trial's data, family and name are those of the sweep.
    return {n: kind for n, kind in found.items() if n not in ("family", "dataset", "name")}


def _kinds(types: Mapping[str, str], values: Mapping[str, str]) -> dict[str, bool | None]:
    return {name: _kind(types.get(name, ""), value) for name, value in values.items()}


def _kind(said: str, value: str) -> bool | None:
    if said in ("int", "float"):
        return said == "int"
    for number, whole in ((int, True), (float, False)):
        try:
            number(value)
        except ValueError:
            continue
        return whole
    return None


def _refused(space: Space, fixed: Mapping[str, str]) -> Iterator[str]:
    """Have the stage itself check the ends of every range and every choice."""
    twice = [name for name in space.names if name in fixed]
    for name in twice:
        yield f"space.{name}: it is searched, and {STAGE}.{name}={fixed[name]} is given too"
    seen = set()
    for name, drawn in space.probes() if not twice else ():
        given = texts(drawn)
        try:
            stage(STAGE).configure(Layer("", {"dataset": "-", **fixed, **given}))
        except OptionError as error:
            for line in str(error).split("\n"):
                # What goes wrong for another option's sake is said when that one's turn comes.
                option = line.split(":")[0]
                about = line.partition(": ")[2] if option == name else line
                other = option in given and option != name
                if not other and line not in seen:
                    seen.add(line)
                    yield f"space.{name}: {about}"
