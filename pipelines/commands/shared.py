"""What commands have in common: options, the words of a recipe, and which server is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from components.code import MODES

Command = Callable[..., None]

code_option = click.option(
    "--code",
    type=click.Choice(MODES),
    default="auto",
    envvar="SIGHTLINE_CODE",
    show_default=True,
    help="Where agents get the code: this disk, or the git remote.",
)


def launch_options(what: str, parts: str) -> Callable[[Command], Command]:
    """The options of a command that starts something which runs on agents.

    Args:
        what: that is started, as people call it: pipeline, sweep.
        parts: what it runs: stages, trials.
    """
    task = "the controller" if what == "pipeline" else f"the {what}'s own task"
    file = "the recipe's" if what == "pipeline" else "the file's"

    def add(command: Command) -> Command:
        for option in (
            code_option,
            click.option("--project", help="ClearML project.  [default: Sightline]"),
            click.option("--name", help=f"Name of the {what}.  [default: {file}]"),
            click.option("--queue", help=f"Queue of {task}.  [default: services]"),
            click.option(
                "--wait", is_flag=True, help=f"Show the {parts} until the {what} has ended."
            ),
        ):
            command = option(command)
        return command

    return add


def file_and_options(
    words: Sequence[str], example: str = "epochs=20", **given: str | None
) -> tuple[Path | None, list[str]]:
    """Divide the words after a command into its file, if there is one, and KEY=VALUE.

    Args:
        words: as typed.
        example: of KEY=VALUE, for the message.
        given: options of the command line that set a key of the same name.

    Raises:
        click.UsageError: two words without '='.
    """
    files = [word for word in words if "=" not in word]
    if len(files) > 1:
        raise click.UsageError(f"'{files[1]}' isn't KEY=VALUE, as in {example}")
    options = [word for word in words if "=" in word]
    options += [f"{key}={value}" for key, value in given.items() if value]
    return (Path(files[0]) if files else None), options


def say_queued(what: str, name: str, task: str, warnings: Sequence[str], wait: bool) -> None:
    """Tell that something was started, and how to follow it."""
    click.echo(f"{what} '{name}' is queued: {task}")
    for line in warnings:
        click.echo(f"note: {line}")
    if not wait:
        click.echo(f"follow it with: sightline watch {task}\nstop it with:   sightline stop {task}")


def activate() -> None:
    """Point ClearML at the local stack, unless the user has named another server."""
    from agent.stack import activate as point

    point()


def connect() -> None:
    """Point ClearML at its server, as `activate` does, and make sure that it answers.

    Raises:
        ValueError: with one line that says what to do.
    """
    activate()
    from components.run.start import connect as ask

    ask()


def watched(task: str) -> int:
    """Show a pipeline or sweep until it has ended; returns the exit code."""
    from pipelines.watch import watch

    return watch(task)
