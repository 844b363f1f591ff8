"""`sightline stage`: one stage on this machine."""

from __future__ import annotations

import click

from pipelines.user_errors import one_line_errors


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
