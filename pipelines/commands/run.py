"""`sightline run`, `watch`, `stop` and `resume`: pipelines, and sweeps once they are there."""

from __future__ import annotations

import click

from pipelines.commands.shared import (
    activate,
    connect,
    file_and_options,
    launch_options,
    say_queued,
    watched,
)
from pipelines.user_errors import one_line_errors


@click.command()
@click.argument("recipe_and_options", nargs=-1, metavar="RECIPE.yaml [KEY=VALUE]...")
@launch_options("pipeline", "stages")
@one_line_errors
def run(
    recipe_and_options: tuple[str, ...],
    wait: bool,
    queue: str | None,
    name: str | None,
    project: str | None,
    code: str,
) -> None:
    """Run a pipeline.

    KEY=VALUE sets a parameter of the pipeline (epochs=20, data.source=FOLDER) or an option of a
    stage (train.optimizer.lr=3e-4). With --wait the exit code is 1 unless every stage ended well.
    """
    from pipelines.recipe import check, read_recipe

    wanted = read_recipe(*file_and_options(recipe_and_options, name=name, project=project))
    check(wanted)  # what is wrong with the recipe is said before the SDK is loaded
    activate()
    from pipelines.launch import launch

    task, warnings = launch(wanted, code, queue)
    say_queued("pipeline", wanted.name or wanted.pipeline, task, warnings, wait)
    if wait:
        raise SystemExit(watched(task))


@click.command()
@click.argument("pipeline")
@one_line_errors
def watch(pipeline: str) -> None:
    """Show the stages of a pipeline, given by id or name, until it has ended."""
    connect()
    from pipelines.launch import find_pipeline

    raise SystemExit(watched(str(find_pipeline(pipeline)["id"])))


@click.command()
@click.argument("pipeline")
@one_line_errors
def stop(pipeline: str) -> None:
    """Stop a pipeline and its stages."""
    connect()
    from pipelines.launch import stop as end

    task = end(pipeline)
    click.echo(f"pipeline {task} was told to stop; it goes on with: sightline resume {task}")


@click.command()
@click.argument("pipeline")
@click.option("--wait", is_flag=True, help="Show the stages until the pipeline has ended.")
@click.option("--force", is_flag=True, help="Also if an agent says that it still runs.")
@one_line_errors
def resume(pipeline: str, wait: bool, force: bool) -> None:
    """Have a pipeline go on that was stopped, failed or killed: finished stages stay finished."""
    connect()
    from pipelines.launch import resume as go_on

    task = go_on(pipeline, force)
    click.echo(f"pipeline {task} is queued again")
    if wait:
        raise SystemExit(watched(task))
