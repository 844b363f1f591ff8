"""The command line of the stack: `up`, `status`, `open`, `logs`, `down`, `credentials`.

Importing this loads click and nothing of the stack; each command loads what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

from agent.stack.server_commands import server

P = ParamSpec("P")


def _one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Show a `StackError` as its line, without a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from agent.stack.errors import StackError

        try:
            command(*args, **kwargs)
        except StackError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def _counts(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    """Read `gpu=2` into `{"gpu": 2}`."""
    counts = {}
    for value in values:
        queue, _, count = value.partition("=")
        if not queue or not count.isdigit():
            raise click.BadParameter(f"{value!r} isn't QUEUE=N, as in gpu=2")
        counts[queue] = int(count)
    return counts


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the server. [default: 8008]")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option(
    "--agents",
    multiple=True,
    callback=_counts,
    metavar="QUEUE=N",
    help="Agents for a queue, as in gpu=2; may be given more than once. [default: one each]",
)
@click.option(
    "--webapp",
    metavar="FOLDER",
    help="Show ClearML's web application, built, from this folder; `none` for our own page again.",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A further name by which clients reach the server, behind a proxy for example; may be "
    "given more than once; `none` for none again.",
)
@_one_line_errors
def up(
    port: int | None,
    host: str | None,
    agents: dict[str, int],
    webapp: str | None,
    names: tuple[str, ...],
) -> None:
    """Start the server and the agents, or mend what has died."""
    from agent.stack.activation import active_server
    from agent.stack.starting import up as start

    report = start(port=port, host=host, agents=agents, webapp=webapp, names=names, tell=click.echo)
    click.echo(f"look at it: {report.url} (from another machine or user: sightline open --link)")
    active = active_server()
    if active.chosen_by == "stack":
        click.echo(f"ClearML scripts use it with: export CLEARML_CONFIG_FILE={report.conf}")
    elif active.config_file != report.conf:
        click.echo(
            f"note: {active.chosen_by} names {active.url or 'another server'}, and wins over this "
            f"stack; to use the stack: export CLEARML_CONFIG_FILE={report.conf}"
        )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@_one_line_errors
def status(as_json: bool) -> None:
    """Show the server, the agents, the queues and what runs. Exits 1 if something is wrong."""
    from agent.stack.overview import status as look

    found = look()
    if as_json:
        from dataclasses import asdict

        click.echo(json.dumps(asdict(found) | {"is_up": found.is_up}, indent=1, default=str))
    else:
        from agent.stack.tables import show

        show(found)
    if found.problems:
        raise SystemExit(1)


@click.command()
@click.argument("source")
@click.option("-n", "--lines", default=100, show_default=True, help="How many of the last lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come in.")
@_one_line_errors
def logs(source: str, lines: int, follow: bool) -> None:
    """Show what SOURCE prints: `server`, an agent's name, or a task's id or name."""
    from agent.stack.console import logs as read

    try:
        for line in read(source, lines=lines, follow=follow):
            click.echo(line)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


@click.command()
@_one_line_errors
def down() -> None:
    """End what `up` started, with the tasks that run on it. What is recorded stays."""
    from agent.stack.ending import down as end

    end(tell=click.echo)


@click.command()
@click.option("--env", "as_env", is_flag=True, help="Environment lines, for `eval` in a shell.")
@_one_line_errors
def credentials(as_env: bool) -> None:
    """Print what lets any ClearML script use the server: a `clearml.conf`, or `--env` lines."""
    from agent.stack.credentials import environment_lines, load_credentials
    from agent.stack.errors import StackError
    from agent.stack.home import find_home
    from agent.stack.state import load_state

    home = find_home()
    state = load_state(home)
    if state is None or not home.client_conf.exists():
        raise StackError(f"no stack in {home.root}; make one with: sightline up")
    if as_env:
        click.echo(environment_lines(state.url, load_credentials(home)), nl=False)
    else:
        click.echo(home.client_conf.read_text(), nl=False)


@click.command("open")
@click.argument("task", required=False)
@click.option("--link", is_flag=True, help="Print a link that logs in once, and open nothing.")
@_one_line_errors
def open_page(task: str | None, link: bool) -> None:
    """Show the server's page in a browser, logged in; with an id or name of a TASK, that task's."""
    from agent.stack.pages import login_link, show

    if link:
        found = login_link(task=task)
        click.echo(found.url)
        click.echo(f"It logs in once, within {found.minutes} minutes.", err=True)
    else:
        click.echo(f"opening {show(task=task)}")


COMMANDS: tuple[click.Command, ...] = (up, status, open_page, logs, down, credentials, server)
"""For the command line to register."""
