"""`sightline trigger`: pipelines that start by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipelines.commands.shared import activate, code_option, connect, file_and_options
from pipelines.user_errors import one_line_errors

_RECIPE = "RECIPE.yaml [KEY=VALUE]..."


@click.group()
def trigger() -> None:
    """Start a pipeline when a dataset, a model or the clock says so.

    Each trigger is a task of the type service in the project Sightline/Triggers, run by an agent of
    the queue `services`. Each event starts exactly one run, whatever is killed in between; a
    trigger that was down catches up on what came meanwhile.

    \b
      sightline trigger dataset cells configs/retrain.yaml
      sightline trigger model detector --tag champion configs/ocr/detect-read.yaml --into detector
      sightline trigger schedule --weekdays mon,thu --at 22:30 configs/demo.yaml
      sightline trigger list
    """  # noqa: D301 - \b keeps the lines as they are


def _making(command: Callable[..., None]) -> Callable[..., None]:
    """The options of all that make a trigger."""
    for option in (
        code_option,
        click.option("--project", help="ClearML project.  [default: the recipe's, or Sightline]"),
        click.option(
            "--queue", default="services", show_default=True, help="Queue of the service."
        ),
    ):
        command = option(command)
    return command


_into = click.option("--into", metavar="PARAMETER", help="Parameter that takes the id.")
_poll = click.option(
    "--poll",
    type=click.FloatRange(0.2, 86400),
    metavar="SECONDS",
    help="Seconds between two looks at the server.  [default: 5 on this machine, 60 elsewhere]",
)


@trigger.command()
@click.argument("name")
@click.argument("recipe_and_options", nargs=-1, required=True, metavar=_RECIPE)
@_into
@_poll
@_making
@one_line_errors
def dataset(name: str, recipe_and_options: tuple[str, ...], **options: Any) -> None:
    """Start a pipeline for each new version of the dataset NAME (or PROJECT/NAME).

    The version's id goes into the parameter `dataset` of a pipeline that starts from a prepared
    dataset (`pipeline: train-eval`), or into another one (--into). Versions that are there when the
    trigger is made start nothing.
    """
    _make({"on": "dataset", "watched": name}, recipe_and_options, options)


@trigger.command()
@click.argument("name")
@click.argument("recipe_and_options", nargs=-1, required=True, metavar=_RECIPE)
@click.option("--tag", required=True, help="Tag that starts the pipeline, as champion.")
@_into
@_poll
@_making
@one_line_errors
def model(name: str, recipe_and_options: tuple[str, ...], **options: Any) -> None:
    """Start a pipeline for each model NAME (or PROJECT/NAME) that gets a tag.

    Each model starts it once, however often the tag comes and goes. The model's id goes into the
    parameter that --into names, if it is given.
    """
    _make({"on": "model", "watched": name}, recipe_and_options, options)


@trigger.command()
@click.argument("recipe_and_options", nargs=-1, required=True, metavar=_RECIPE)
@click.option("--every", metavar="SPAN", help="How often: 30m, 6h, 2d.")
@click.option("--weekdays", metavar="DAYS", help="Instead: mon,thu")
@click.option("--at", metavar="HH:MM", help="Time of day, UTC.  [default: 00:00]")
@_making
@one_line_errors
def schedule(recipe_and_options: tuple[str, ...], **options: Any) -> None:
    """Start a pipeline at times: --every SPAN, or --weekdays DAYS. All times are UTC.

    What was due while the trigger was down starts once when it is back. A pipeline whose data and
    code haven't changed takes its stages from cache.
    """
    _make({"on": "schedule"}, recipe_and_options, options)


@trigger.command("list")
@one_line_errors
def list_() -> None:
    """List the triggers: id, status, what for, and what each did last."""
    connect()
    from pipelines.triggers.making import listed

    found = listed()
    if not found:
        click.echo("there is no trigger; make one with: sightline trigger dataset|model|schedule")
    for one in found:
        click.echo(f"{one.id}  {one.status:<11}  {one.name}")
        if one.comment:
            click.echo(f"{'':32}  {one.comment}")


@trigger.command()
@click.argument("name_or_id")
@one_line_errors
def stop(name_or_id: str) -> None:
    """Stop a trigger, given by its id, the beginning of it, or its name."""
    connect()
    from pipelines.triggers.making import stop as end

    found = end(name_or_id)
    click.echo(f"trigger {found.id} was told to stop; it goes on with: sightline trigger start")


@trigger.command()
@click.argument("name_or_id")
@one_line_errors
def start(name_or_id: str) -> None:
    """Have a trigger go on that was stopped, failed or killed."""
    connect()
    from pipelines.triggers.making import start as go_on

    found = go_on(name_or_id)
    click.echo(f"trigger {found.id} is queued again: {found.name}")


def _make(
    what: dict[str, Any], recipe_and_options: tuple[str, ...], options: dict[str, Any]
) -> None:
    from pipelines.recipe import read_recipe

    project, queue, code = options.pop("project"), options.pop("queue"), options.pop("code")
    wanted = read_recipe(*file_and_options(recipe_and_options, project=project))
    activate()
    from pipelines.triggers.making import make

    options = {name: value for name, value in options.items() if value is not None}
    found, made = make(wanted, {**what, **options}, queue, code)
    if made:
        click.echo(f"trigger '{found.name}' is queued: {found.id}")
    else:
        click.echo(f"trigger '{found.name}' is there already ({found.status}): {found.id}")
        click.echo("the runs that it starts have the code and the options of now")
