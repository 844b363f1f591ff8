"""A recipe: which pipeline to run with which parameters and stage options, all checked.

A recipe file is YAML of a few lines, and `key=value` arguments override it. There are settings
(`pipeline`, `family`, `project`, `name`), pipeline parameters (`epochs`, `data.source`) and stage
options (`train.optimizer.lr`). On the controller's task the parameters are `Args/` entries and the
rest is the configuration object "Recipe", so that a clone of the task is the same run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

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
from components.registry import STAGES, stage
from components.told import family_told
from models.families import DEFAULT_FAMILY
from pipelines.graph import GRAPHS, Graph, graph
from pipelines.parameters import Parameter, RunOptions, parameters

RECIPE = "Recipe"
"""Configuration object of a controller's task that holds everything but the parameters."""
_SETTINGS = ("pipeline", "family", "project", "name")
_FROM_EARLIER = "filled in by an earlier stage"
_LATER = "filled in by whoever starts it"


@dataclass(frozen=True)
class Recipe:
    """What to run. Values are text; their types are the stages'."""

    pipeline: str
    family: str = ""
    """The pipeline's, or what the data on this disk are for, unless given."""
    project: str = "Sightline"
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name without dots; those left out have their defaults."""
    stages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Stage options that no parameter stands for, by stage and dotted name."""

    def __post_init__(self) -> None:
        """Fill in the family.

        Raises:
            ValueError: the pipeline is for another one.
        """
        own = GRAPHS[self.pipeline].family if self.pipeline in GRAPHS else None
        if own and self.family not in ("", own):
            raise ValueError(f"family={self.family}: pipeline {self.pipeline} is for {own}")
        if not self.family:
            object.__setattr__(self, "family", own or DEFAULT_FAMILY)

    @property
    def graph(self) -> Graph:
        """The pipeline's graph."""
        return graph(self.pipeline)

    def known_parameters(self) -> dict[str, Parameter]:
        """The parameters that this pipeline has."""
        return parameters(self.graph, self.family)

    def values(self) -> dict[str, str]:
        """Every parameter's value, defaults included."""
        known = self.known_parameters()
        return {name: self.parameters.get(name, one.default) for name, one in known.items()}

    def with_parameters(self, values: Mapping[str, str]) -> Recipe:
        """Take in parameters as a controller's task holds them."""
        return replace(self, parameters=dict(values))

    def to_yaml(self) -> str:
        """Write everything but the parameters."""
        settings = {name: getattr(self, name) for name in _SETTINGS}
        stages = {name: dict(options) for name, options in self.stages.items() if options}
        content = {**settings, **({"stages": stages} if stages else {})}
        return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Read what `to_yaml` wrote, or what a user has made of it.

        Raises:
            OptionError: it isn't that.
        """
        try:
            content = yaml.load(text, yaml.BaseLoader)  # noqa: S506 (only text comes out)
            stages = content.pop("stages", None) or {}
            settings = {name: str(content.pop(name)) for name in _SETTINGS if name in content}
            options = {
                name: {option: encode(value) for option, value in table.items()}
                for name, table in stages.items()
            }
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise OptionError(f"Recipe: {' '.join(str(error).split())}") from None
        if content or "pipeline" not in settings:
            wrong = f"unknown entry '{next(iter(content))}'" if content else "no 'pipeline' in it"
            raise OptionError(f"Recipe: {wrong}; it holds {', '.join(_SETTINGS)} and stages")
        try:
            return cls(stages=options, **settings)  # type: ignore[arg-type]  # settings are text
        except ValueError as error:
            raise OptionError(f"Recipe: {error}") from None


@dataclass(frozen=True)
class Plan:
    """A recipe that was checked."""

    recipe: Recipe
    run: RunOptions
    options: Mapping[str, Mapping[str, str]]
    """Options of each stage that differ from its defaults, but for what earlier stages fill in."""

    def queue(self, name: str) -> str:
        """The queue of a stage."""
        return str(getattr(self.run, f"queue_{stage(name).needs}"))

    @property
    def queues(self) -> dict[str, list[str]]:
        """The queues of the stages, each with the stages that go there."""
        found: dict[str, list[str]] = {}
        for name in self.recipe.graph.stages:
            found.setdefault(self.queue(name), []).append(name)
        return found

    @property
    def agents_at_once(self) -> dict[str, tuple[str, int]]:
        """Stages that run on several agents: the queue, and how many."""
        counts = {name: int(values.get("nodes") or 1) for name, values in self.options.items()}
        return {name: (self.queue(name), count) for name, count in counts.items() if count > 1}


def read_recipe(path: Path | None, arguments: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and override it with `key=value` arguments.

    Raises:
        OptionError: a wrong file, or one line for each unknown name.
    """
    layers = [command_line_layer(arguments)]
    if path is not None:
        layers.insert(0, Layer(str(path), read_yaml(path)))
    return recipe_of(layers, path.stem if path is not None else None)


def recipe_of(layers: Sequence[Layer], name: str | None) -> Recipe:
    """Make a recipe of layers of settings, parameters and options, nested or with dotted names.

    Args:
        layers: later ones override earlier ones.
        name: of the recipe, unless a layer gives one.

    Raises:
        OptionError: one line for each unknown name.
    """
    settings: dict[str, str] = {}
    for layer in layers:
        settings |= {n: str(layer.values[n]) for n in _SETTINGS if layer.values.get(n)}
    if "pipeline" not in settings:
        raise OptionError(f"pipeline is needed: one of {', '.join(GRAPHS)}")
    if name is not None:
        settings.setdefault("name", name)
    told = {n: v for layer in layers for n, v in _flat_text(layer.values).items()}
    try:
        if "family" not in settings and graph(settings["pipeline"]).family is None:
            settings["family"] = family_told(told) or DEFAULT_FAMILY
        recipe = Recipe(**settings)  # type: ignore[arg-type]  # settings are text
        known = recipe.known_parameters()
    except ValueError as error:
        raise OptionError(str(error)) from None
    values: dict[str, str] = {}
    stages: dict[str, dict[str, str]] = {}
    problems = []
    for layer in layers:
        given = {name: v for name, v in layer.values.items() if name not in _SETTINGS}
        for name, value in _flat(given, "", recipe, known):
            try:
                _place(name, value, recipe, known, values, stages)
            except OptionError as error:
                problems.append(f"{error} ({layer.source})")
    if problems:
        raise OptionError("\n".join(problems))
    return replace(recipe, parameters=values, stages=stages)


def _flat_text(table: Mapping[Any, Any]) -> dict[str, str]:
    """Texts of a recipe by dotted name, whatever tables they stand in."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": text for name, text in _flat_text(value).items()}
        elif isinstance(value, str):
            flat[dotted(str(key))] = value
    return flat


def _flat(
    table: Mapping[Any, Any], prefix: str, recipe: Recipe, known: Mapping[str, Parameter]
) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and not _is_option(name, recipe):
            yield from _flat(value, f"{name}.", recipe, known)
        else:
            yield name, value


def _is_option(name: str, recipe: Recipe) -> bool:
    first, _, rest = name.partition(".")
    return first in STAGES and rest in stage(first).option_names(recipe.family)


def _place(
    name: str,
    value: Any,
    recipe: Recipe,
    known: Mapping[str, Parameter],
    values: dict[str, str],
    stages: dict[str, dict[str, str]],
) -> None:
    """Put a value where it belongs: a parameter, or an option that no parameter stands for."""
    parameter = name.replace(".", "_")
    if parameter in known:
        values[parameter] = encode(value)
        return
    first, _, option = name.partition(".")
    if first not in recipe.graph.stages or not option:
        raise OptionError(_unknown(name, recipe, known))
    stage(first).check_option(option, recipe.family)
    if option in recipe.graph.step(first).inputs:
        source = recipe.graph.step(first).inputs[option]
        raise OptionError(f"{name} comes from the stage {source.stage} and can't be set")
    for one in known.values():
        # A parameter that stands for this option alone takes the value: if both could hold one,
        # a change made in NEW RUN would have no effect.
        if [str(target) for target in one.targets] == [name]:
            values[one.name] = encode(value)
            return
    stages.setdefault(first, {})[option] = encode(value)


def _unknown(name: str, recipe: Recipe, known: Mapping[str, Parameter]) -> str:
    first = name.partition(".")[0]
    if first in STAGES and first not in recipe.graph.stages:
        there = ", ".join(recipe.graph.stages)
        return f"pipeline {recipe.pipeline} has no stage '{first}'; it has: {there}"
    if name in recipe.graph.stages:
        return f"{name} is a stage: set its options as {name}.<option>=value"
    shown = {dotted(one) for one in known}
    near = nearest(name, [*shown, *_SETTINGS])
    if (meant := nearest(first, [*recipe.graph.stages, *shown])) in recipe.graph.stages:
        near = name.replace(first, str(meant), 1)
    hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(sorted(shown))}"
    return f"unknown parameter '{name}', {hint}"


def dotted(name: str) -> str:
    """Write a parameter as people write it on a command line, `data.source` or `queue.gpu`."""
    first, _, rest = name.partition("_")
    return f"{first}.{rest}" if first in ("data", "queue") else name


def check(recipe: Recipe, draft: bool = False) -> Plan:
    """Check every parameter and stage option of a recipe. Loads no torch.

    Args:
        recipe: what to check.
        draft: what is needed may still be missing.

    Raises:
        OptionError: one line for each mistake.
    """
    try:
        known = recipe.known_parameters()
    except ValueError as error:
        raise OptionError(str(error)) from None
    problems = []
    for name in recipe.parameters:
        if name not in known:
            near = nearest(name, list(known))
            hint = f", did you mean '{near}'?" if near else ""
            problems.append(f"pipeline {recipe.pipeline} has no parameter '{name}'{hint}")
    strange = [name for name in recipe.stages if name not in recipe.graph.stages]
    problems += [f"pipeline {recipe.pipeline} has no stage '{name}'" for name in strange]
    run = RunOptions()
    own = {n: v for n, v in recipe.parameters.items() if n in RunOptions.model_fields}
    try:
        run = configure(RunOptions, [Layer("", {n: v for n, v in own.items() if v != ""})])
    except OptionError as error:
        problems += str(error).split("\n")
    options = {}
    for step in recipe.graph.steps:
        layers = [Layer("", dict(step.defaults)), *_layers(step.stage, recipe, known)]
        filled = Layer("", dict.fromkeys(step.inputs, _FROM_EARLIER))
        if draft:
            later = _missing(step.stage, recipe.family, layers) - set(step.inputs)
            filled = Layer("", {**filled.values, **dict.fromkeys(later, _LATER)})
        try:
            stage(step.stage).configure(filled, *layers)
        except OptionError as error:
            problems += [_explained(step.stage, line, known) for line in str(error).split("\n")]
        options[step.stage] = {n: v for layer in layers for n, v in layer.values.items()}
    if problems:
        raise OptionError("\n".join(dict.fromkeys(problems)))
    return Plan(recipe, run, options)


def _missing(name: str, family: str, layers: Sequence[Layer]) -> set[str]:
    """Name the options that a stage needs and nobody has given."""
    given = {n for layer in layers for n, value in layer.values.items() if value not in ("", None)}
    options = options_of(stage(name).config_type(family))
    return {option.name for option in options if option.required} - given


def _layers(name: str, recipe: Recipe, known: Mapping[str, Parameter]) -> Iterator[Layer]:
    yield Layer("", {"family": recipe.family})
    for parameter in known.values():
        value = recipe.parameters.get(parameter.name, "")
        for target in parameter.targets:
            if target.stage == name and value != "":
                source = f"parameter {dotted(parameter.name)}"
                yield Layer(source, {target.option: target.pattern.format(value)})
    yield Layer("", dict(recipe.stages.get(name, {})))


def _explained(name: str, line: str, known: Mapping[str, Parameter]) -> str:
    """Name the stage before an option, or the parameter that has given it or should have."""
    option = line.split(" is needed")[0]
    if given := re.fullmatch(r"[^:]+(: .*) \(parameter (.+)\)", line):
        return f"{given[2]}{given[1]}"
    for parameter in known.values():
        if " is needed" in line and any(
            (t.stage, t.option) == (name, option) for t in parameter.targets
        ):
            return f"{dotted(parameter.name)} is needed: {parameter.option.description}"
    return f"{name}.{line}" if not line.startswith("unknown") else f"stage {name}: {line}"
