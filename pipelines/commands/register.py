"""`sightline register`."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.commands.shared import activate, code_option
from pipelines.user_errors import one_line_errors


@click.command()
@click.argument(
    "recipes", nargs=-1, metavar="[RECIPE.yaml]...", type=click.Path(exists=True, path_type=Path)
)
@click.option("--project", default="Sightline", show_default=True, help="ClearML project.")
@code_option
@one_line_errors
def register(recipes: tuple[Path, ...], project: str, code: str) -> None:
    """Put pipelines and stages on the server, to be started from the web UI.

    Without a recipe: every pipeline with its defaults, ready for NEW RUN, and in the project
    Sightline/Stages every stage, ready to be cloned, edited and enqueued. With recipes: those
    pipelines, and sweeps, with what the recipes say.

    All run the code that lies here now, uncommitted changes included; register again when it has
    changed. Edits of a draft are overwritten then, those of its clones aren't.

    \b
      sightline register
      sightline register configs/detection/bccd.yaml configs/sweeps/rice.yaml
    """  # noqa: D301 - \b keeps the lines as they are
    from pipelines.recipe import read_recipe
    from pipelines.sweep.plan import is_sweep, read_sweep

    own = [f"project={project}"]
    sweeps = [read_sweep(path, own) for path in recipes if is_sweep(path)]
    read = [read_recipe(path, own) for path in recipes if not is_sweep(path)]
    activate()
    from pipelines import registering

    stages = [] if recipes else list(registering.every_stage())
    wanted = read if recipes else registering.every_pipeline(project)
    for one in registering.register(wanted, sweeps, stages, project, code):
        click.echo(f"{one.kind:<9} {one.name:<25} {one.put:<8} {one.task}")
