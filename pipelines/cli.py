"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from pathlib import Path

import click

from agent.deploy.commands import agents
from agent.stack.commands import COMMANDS
from pipelines.benchmark_command import benchmark
from pipelines.champion_commands import champions, promote, rollback
from pipelines.convert_command import convert
from pipelines.demo_command import demo
from pipelines.design_command import design
from pipelines.doctor_command import doctor
from pipelines.models_command import models
from pipelines.package_command import deploy, package
from pipelines.pictures_command import pictures
from pipelines.predict_command import predict
from pipelines.register_command import MODES, register
from pipelines.serve_command import serve
from pipelines.sweep.command import sweep
from pipelines.trigger_command import trigger
from pipelines.triton_command import triton
from pipelines.user_errors import one_line_errors


class _InOrder(click.Group):
    """Lists commands in the order in which people need them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sightline")
def main() -> None:
    """Train, check, export and ship vision models as ClearML pipelines."""


@click.command()
@click.argument("recipe_and_options", nargs=-1, metavar="RECIPE.yaml [KEY=VALUE]...")
@click.option("--wait", is_flag=True, help="Show the stages until the pipeline has ended.")
@click.option("--queue", help="Queue of the controller.  [default: services]")
@click.option("--name", help="Name of the pipeline.  [default: the recipe's]")
@click.option("--project", help="ClearML project.  [default: Sightline]")
@click.option(
    "--code",
    type=click.Choice(MODES),
    default="auto",
    envvar="SIGHTLINE_CODE",
    show_default=True,
    help="Where agents get the code: this disk, or the git remote.",
)
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

    files = [word for word in recipe_and_options if "=" not in word]
    if len(files) > 1:
        raise click.UsageError(f"'{files[1]}' isn't KEY=VALUE, as in epochs=20")
    given = [word for word in recipe_and_options if "=" in word]
    given += [f"{key}={v}" for key, v in (("name", name), ("project", project)) if v]
    wanted = read_recipe(Path(files[0]) if files else None, given)
    check(wanted)  # what is wrong with the recipe is said before the SDK is loaded
    _activate()
    from pipelines.launch import launch

    task, warnings = launch(wanted, code, queue)
    click.echo(f"pipeline '{wanted.name or wanted.pipeline}' is queued: {task}")
    for line in warnings:
        click.echo(f"note: {line}")
    if not wait:
        click.echo(f"follow it with: sightline watch {task}\nstop it with:   sightline stop {task}")
        return
    _watch(task)


@click.command()
@click.argument("pipeline")
@one_line_errors
def watch(pipeline: str) -> None:
    """Show the stages of a pipeline, given by id or name, until it has ended."""
    _activate()
    from pipelines.launch import find_pipeline

    _watch(str(find_pipeline(pipeline)["id"]))


@click.command()
@click.argument("pipeline")
@one_line_errors
def stop(pipeline: str) -> None:
    """Stop a pipeline and its stages."""
    _activate()
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
    _activate()
    from pipelines.launch import resume as go_on

    task = go_on(pipeline, force)
    click.echo(f"pipeline {task} is queued again")
    if wait:
        _watch(task)


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("stage", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[KEY=VALUE]...")
@one_line_errors
def stage(stage: str | None, arguments: tuple[str, ...]) -> None:
    """Run one stage here, as `python -m components.STAGE` does. `stage train --help` explains."""
    from components.registry import STAGES
    from components.registry import stage as find

    if stage is None or stage.startswith("-"):
        raise click.UsageError(f"name a stage: {', '.join(STAGES)}")
    find(stage).main(list(arguments))


def _activate() -> None:
    """Point ClearML at the local stack, unless the user has named another server."""
    from agent.stack import activate

    activate()


def _watch(task: str) -> None:
    from pipelines.watch import watch as follow

    raise SystemExit(follow(task))


for _command in (
    run,
    sweep,
    watch,
    stop,
    resume,
    register,
    trigger,
    stage,
    doctor,
    models,
    design,
    benchmark,
    champions,
    promote,
    rollback,
    predict,
    serve,
    triton,
    demo,
    package,
    deploy,
    convert,
    pictures,
    *COMMANDS,
    agents,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
