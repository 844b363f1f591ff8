"""`sightline doctor`: what is missing for a run, and what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pipelines.user_errors import one_line_errors

if TYPE_CHECKING:
    from agent.doctor import Finding

_COLOURS = {"ok": "green", "skipped": "bright_black", "warning": "yellow", "error": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME",
    help="A queue that is needed; may be given more than once. [default: cpu, gpu, services]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 300),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an answer of the server may take.",
)
@click.option(
    "--free-gb",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Free disk space that is warned below; a fifth of it is an error.",
)
@one_line_errors
def doctor(as_json: bool, queues: tuple[str, ...], timeout: float, free_gb: float) -> None:
    """Check server, credentials, queues, agents, GPU, disk, code, packages and clock.

    Looks at the ClearML server that a run from here would use (CLEARML_API_HOST,
    CLEARML_CONFIG_FILE, ~/clearml.conf, else the local stack) and at this machine, and says
    what to do about each finding. A small file makes a round trip to the file server; nothing
    else is written.

    Exits with 0 if all is well, 1 after warnings (some stages will wait or can't run), 2 after an
    error (nothing will run). On a machine for agents, run it with the agent's environment.
    """
    from agent.doctor import Wanted, examine, exit_code
    from components.code import LOCK, ROOT
    from pipelines.code_check import check_code
    from pipelines.parameters import RunOptions

    usual = RunOptions()
    wanted = Wanted(
        queues=queues or (usual.queue_cpu, usual.queue_gpu, usual.queue_services),
        lock=ROOT / LOCK,
        least_gb=free_gb / 5,
        wanted_gb=free_gb,
        timeout_s=timeout,
    )
    found = []
    for finding in examine(wanted, check_code):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        from dataclasses import asdict

        click.echo(json.dumps([asdict(finding) for finding in found], indent=1))
    raise SystemExit(exit_code(found))


def _show(finding: Finding) -> None:
    level = click.style(f"{finding.level:7}", fg=_COLOURS[finding.level])
    click.echo(f"{level}  {finding.check}: {finding.said}")
    if finding.advice:
        click.echo(f"         -> {finding.advice}")
