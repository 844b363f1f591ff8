"""Pipelines and stages as drafts on the server: for NEW RUN, for clones and for edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.code import CodeState, read_code_state
from components.drafts import STAGES_FOLDER, Put, put_draft
from components.registry import STAGES, stage
from components.run.api import find_or_create_project
from components.run.start import connect
from components.template import stage_body
from models.families import DEFAULT_FAMILY, families
from pipelines import recipe
from pipelines.graph import GRAPHS
from pipelines.launch import controller_body, pipeline_project, settled
from pipelines.recipe import Recipe
from pipelines.sweep.launch import sweep_body
from pipelines.sweep.plan import Sweep, check


@dataclass(frozen=True)
class Registered:
    """A draft that was put on the server."""

    kind: str
    """`pipeline`, `sweep` or `stage`."""
    name: str
    """As the web UI shows it."""
    task: str
    """Its id."""
    put: Put


def every_pipeline(project: str) -> list[Recipe]:
    """Make a recipe with the defaults for each pipeline there is."""
    return [Recipe(name, project=project, name=name) for name in GRAPHS]


def every_stage() -> Iterator[tuple[str, str]]:
    """List each stage with each family it is for; those that don't depend on one come once."""
    bound = {name for graph in GRAPHS.values() if graph.family for name in graph.stages}
    for name in STAGES:
        if stage(name).mixin is None and stage(name).tables is None:
            yield name, DEFAULT_FAMILY
            continue
        for family in families():
            # A stage of no pipeline is for people, with any family.
            if name not in bound or name in GRAPHS[family].stages:
                yield name, family


def register(
    recipes: Sequence[Recipe],
    sweeps: Sequence[Sweep] = (),
    stages: Sequence[tuple[str, str]] = (),
    project: str = "Sightline",
    code_mode: str = "auto",
) -> Iterator[Registered]:
    """Put pipelines, sweeps and stages on the server; those that are there are brought up to date.

    Args:
        recipes: of the pipelines. What a run needs may still be missing.
        sweeps: likewise.
        stages: names of stages, each with a family.
        project: of the stages.
        code_mode: where agents get the code, see `components.code.read_code_state`.

    Yields:
        Each as soon as it is there.

    Raises:
        ValueError: one line for each mistake in the recipes; nothing was put.
    """
    plans = [recipe.check(settled(one), draft=True) for one in recipes]
    swept = [check(one, draft=True) for one in sweeps]
    code = read_code_state(connect(), code_mode)
    for plan in plans:
        body = controller_body(plan, code, plan.recipe.parameters)
        task, put = put_draft(pipeline_project(plan.recipe), plan.recipe.name, body)
        yield Registered("pipeline", plan.recipe.name, task, put)
    for sweep in swept:
        asked = sweep.sweep.recipe
        task, put = put_draft(pipeline_project(asked), asked.name, sweep_body(sweep, code))
        yield Registered("sweep", asked.name, task, put)
    for name, family in stages:
        yield _stage(name, family, project, code)


def _stage(name: str, family: str, project: str, code: CodeState) -> Registered:
    one = stage(name)
    plain = one.mixin is None and one.tables is None
    shown = name if plain else f"{name} ({family})"
    home = find_or_create_project(f"{project}/{STAGES_FOLDER}")
    said = f"{one.title} For a queue of the kind '{one.needs}'."
    body = {**stage_body(one, code, family), "name": shown, "comment": said}
    task, put = put_draft(home, shown, body)
    return Registered("stage", shown, task, put)
