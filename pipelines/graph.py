"""What runs after what: the pipelines as plain data, the same for launching and running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from components.registry import STAGES
from models.families import DEFAULT_FAMILY, families


@dataclass(frozen=True)
class Result:
    """A field of an earlier stage's result."""

    stage: str
    field: str

    def __str__(self) -> str:
        """The reference as ClearML's pipelines write it."""
        return f"${{{self.stage}.parameters.Result/{self.field}}}"


@dataclass(frozen=True)
class TaskId:
    """The id of an earlier stage's task."""

    stage: str

    def __str__(self) -> str:
        """The reference as ClearML's pipelines write it."""
        return f"${{{self.stage}.id}}"


@dataclass(frozen=True)
class Step:
    """A stage in a pipeline."""

    stage: str
    """Name of the stage, and of the step."""
    inputs: Mapping[str, Result | TaskId] = field(default_factory=dict)
    """Options that earlier stages fill in."""
    after: tuple[str, ...] = ()
    """Stages that come first though nothing of them is taken in."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Options that have another default here than in the stage run by itself."""

    @property
    def parents(self) -> list[str]:
        """The stages that must have ended well before this one starts."""
        return list(dict.fromkeys([*(one.stage for one in self.inputs.values()), *self.after]))


@dataclass(frozen=True)
class Graph:
    """A pipeline."""

    name: str
    title: str
    steps: tuple[Step, ...]
    family: str | None = None
    """The task family it is for; None for any."""

    @property
    def stages(self) -> list[str]:
        """The names of its stages in the order in which they may run one by one."""
        return [step.stage for step in self.steps]

    def step(self, stage: str) -> Step:
        """Find a step by its stage."""
        return next(step for step in self.steps if step.stage == stage)


_DATA = (
    Step("ingest"),
    Step("prepare", {"dataset": Result("ingest", "dataset")}),
)


def _learning(dataset: Result | None, baseline: bool = False) -> tuple[Step, ...]:
    """The stages after the data's; without `dataset` a pipeline parameter names it."""
    data = {"dataset": dataset} if dataset else {}
    beside = {"beside": Result("baseline", "model")} if baseline else {}
    return (
        Step("train", data),
        *((Step("baseline", data),) if baseline else ()),
        Step("tune", {"model": Result("train", "model"), **data}),
        Step("evaluate", {"model": Result("tune", "model"), **beside, **data}),
        # A model that doesn't pass the gate isn't exported.
        Step("export", {"model": Result("tune", "model"), **data}, after=("evaluate",)),
        Step(
            "quantize",
            {"model": Result("export", "model"), **data},
            # A network that can't stand INT8 ships without it; that is no reason to ship nothing.
            defaults={"otherwise": "float"},
        ),
        Step(
            "benchmark",
            {"model": Result("quantize", "model"), **data},
            defaults={"baseline": "published"},
        ),
        Step(
            "publish",
            {
                "model": Result("benchmark", "model"),
                "evaluation": TaskId("evaluate"),
                "benchmark": TaskId("benchmark"),
            },
        ),
    )


def _releasing() -> tuple[Step, ...]:
    """The stages after training; pipeline parameters name the dataset and the trained model."""
    steps = []
    for step in _learning(None):
        inputs = {o: r for o, r in step.inputs.items() if r.stage != "train"}
        steps.append(replace(step, inputs=inputs))
    return tuple(step for step in steps if step.stage != "train")


_WHOLE = {
    "detection": "From raw data to a published detector.",
    "ocr": "From raw data to a published text reader.",
    "classification": "From raw data to a published classifier.",
}
"""Titles of the pipelines that run every stage, by family."""


_WITH_BASELINE = ("classification",)
"""Families whose pipelines hold the model against a simple one."""


def _whole(family: str) -> Graph:
    """From raw data to a published model."""
    steps = (*_DATA, *_learning(Result("prepare", "dataset"), family in _WITH_BASELINE))
    return Graph(family, _WHOLE[family], steps, family)


GRAPHS = {
    graph.name: graph
    for graph in (
        Graph("data", "Get raw data and prepare it.", _DATA),
        Graph(
            "train-eval",
            "Train on a prepared dataset, tune, evaluate, export, quantize, benchmark and publish.",
            _learning(None),
        ),
        *(_whole(name) for name in families()),
        Graph(
            "detect-read",
            "Find things with a detector, read them with a reader, and measure both together.",
            (Step("ingest"), Step("read", {"dataset": Result("ingest", "dataset")})),
            DEFAULT_FAMILY,
        ),
        Graph(
            "release",
            "Tune, evaluate, export, quantize, benchmark and publish a trained model.",
            _releasing(),
        ),
    )
}
"""The pipelines by name."""


def graph(name: str) -> Graph:
    """Find a pipeline by name.

    Raises:
        ValueError: there is none.
    """
    if name not in GRAPHS:
        raise ValueError(f"no pipeline '{name}'; there are: {', '.join(GRAPHS)}")
    return GRAPHS[name]


def check(one: Graph) -> None:
    """Make sure that a graph is sound: known stages, each once, references to earlier results.

    Raises:
        ValueError: it isn't.
    """
    from components.registry import stage

    seen: dict[str, set[str]] = {}
    for step in one.steps:
        where = f"pipeline {one.name}, stage {step.stage}"
        if step.stage not in STAGES or step.stage in seen:
            raise ValueError(f"{where}: no such stage, or it is there twice")
        options = stage(step.stage).option_names(one.family or DEFAULT_FAMILY)
        for option, reference in step.inputs.items():
            if option not in options:
                raise ValueError(f"{where}: it has no option '{option}'")
            if isinstance(reference, Result) and (
                reference.field not in seen.get(reference.stage, ())
            ):
                raise ValueError(f"{where}: {reference} isn't a result of an earlier stage")
        if strange := set(step.defaults) - set(options):
            raise ValueError(f"{where}: it has no option '{min(strange)}'")
        missing = [parent for parent in step.parents if parent not in seen]
        if missing:
            raise ValueError(f"{where}: {', '.join(missing)} doesn't come earlier")
        seen[step.stage] = set(stage(step.stage).result.model_fields)
