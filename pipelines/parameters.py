"""The few parameters of a pipeline: what users change, and the stage options they go to.

A parameter has the type, limits and meaning of the option that it fills in, so nothing is said
twice. On the controller's task they are `Args/` entries without dots, because that is what the
NEW RUN form of the web UI shows; elsewhere `data.source` and `data_source` are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from components.options import Option, Options, encode, options_of
from components.registry import stage
from pipelines.graph import Graph


class RunOptions(Options):
    """Parameters of the pipeline itself."""

    queue_cpu: str = "cpu"
    """Queue of the stages that need no GPU."""
    queue_gpu: str = "gpu"
    """Queue of the stages that want a GPU."""
    queue_services: str = "services"
    """Queue of the controller."""
    image: str = ""
    """Container image of all stages, for agents in Docker mode; empty: the agent's own."""
    retries: int = Field(2, ge=0, le=100)
    """How often a stage is started again that failed by no fault of the user."""
    lost_after: int = Field(120, ge=10)
    """Seconds without a sign of life after which a stage that no agent reports is taken for lost
    and put back on its queue."""
    put_backs: int = Field(5, ge=0, le=1000)
    """How often a lost stage is put back on its queue."""
    patience: int = Field(3600, ge=1)
    """Seconds that a stage may wait in a queue that no agent serves; then the pipeline fails."""


@dataclass(frozen=True)
class Target:
    """A stage option that a parameter fills in."""

    stage: str
    option: str
    pattern: str = "{}"
    """How the option's value is made of the parameter's."""

    def __str__(self) -> str:
        return f"{self.stage}.{self.option}"


@dataclass(frozen=True)
class Parameter:
    """A parameter of one pipeline."""

    option: Option
    """Its name, type, default and meaning; the default is empty where the targets' differ."""
    targets: tuple[Target, ...] = ()
    """Empty for a parameter of the pipeline itself."""

    @property
    def name(self) -> str:
        """Name under `Args/`."""
        return self.option.name

    @property
    def default(self) -> str:
        """Its default as text."""
        return "" if self.option.required else encode(self.option.default)


_PREPARED = "Prepared dataset: an id, project/name, project/name@version or project/name@latest."
_NAME = "Name of the dataset to make; the source's name unless given."
_SEED = "Seed of all stages; each stage's own default unless given."
_GATE = (
    "Least figure on test that lets a model go on (mAP50 for detection; evaluate.gate.metric names "
    "another); without it every model passes."
)

_FROM_DATA: Mapping[str, tuple[tuple[Target, ...], str]] = {
    "data_source": ((Target("ingest", "data.source"),), ""),
    "dataset": ((Target("prepare", "name"), Target("ingest", "dataset.name", "{}-raw")), _NAME),
}
_FROM_DATASET: Mapping[str, tuple[tuple[Target, ...], str]] = {
    "dataset": (
        tuple(
            Target(name, "dataset")
            for name in ("train", "tune", "evaluate", "export", "quantize", "benchmark")
        ),
        _PREPARED,
    ),
}
_FROM_MODEL: Mapping[str, tuple[tuple[Target, ...], str]] = {
    "trained": ((Target("tune", "model"),), "Trained model: an id, a name, or a folder or zip."),
}
_EVERYWHERE: Mapping[str, tuple[tuple[Target, ...], str]] = {
    "model": ((Target("train", "network.name"),), ""),
    "backbone": ((Target("train", "network.backbone"),), ""),
    "image_size": ((Target("train", "network.image_size"),), ""),
    "epochs": ((Target("train", "epochs"),), ""),
    "detector": ((Target("read", "detector"),), ""),
    "reader": ((Target("read", "reader"),), ""),
    "seed": (
        (
            Target("train", "seed"),
            Target("prepare", "split.seed"),
            Target("ingest", "synthetic.seed"),
        ),
        _SEED,
    ),
    "gate": ((Target("evaluate", "gate.minimum"),), _GATE),
}


def parameters(graph: Graph, family: str) -> dict[str, Parameter]:
    """List the parameters of a pipeline by name; those without a stage to go to are left out."""
    options = {
        name: {one.name: one for one in options_of(stage(name).config_type(family))}
        for name in graph.stages
    }
    wanted = {**(_FROM_DATA if "ingest" in options else _FROM_DATASET), **_EVERYWHERE}
    if "train" not in options:
        wanted |= _FROM_MODEL
    found = {}
    for name, (targets, description) in wanted.items():
        known = tuple(t for t in targets if t.option in options.get(t.stage, ()))
        if known:
            found[name] = _parameter(name, known, description, options)
    for option in options_of(RunOptions):
        found[option.name] = Parameter(option)
    return found


def _parameter(
    name: str,
    targets: tuple[Target, ...],
    description: str,
    options: Mapping[str, Mapping[str, Option]],
) -> Parameter:
    aimed = [options[target.stage][target.option] for target in targets]
    first = aimed[0]
    same = all(one.default == first.default for one in aimed)
    plain = all(target.pattern == "{}" for target in targets)
    return Parameter(
        replace(
            first,
            name=name,
            annotation=first.annotation if same else first.annotation | None,
            default=first.default if same and plain else None,
            description=description or first.description,
        ),
        targets,
    )
