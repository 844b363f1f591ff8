"""`sightline champions`, `promote` and `rollback`: which model a name stands for."""

from __future__ import annotations

import click

from pipelines.commands.shared import connect
from pipelines.user_errors import one_line_errors

_project = click.option(
    "--project", default="Sightline", show_default=True, help="ClearML project."
)


@click.command()
@click.argument("name", required=False)
@_project
@one_line_errors
def champions(name: str | None, project: str) -> None:
    """List the champions: the model that each name stands for, since when and why.

    With NAME: every published model of that name.
    """
    from components.run import champions as registry

    connect()
    home, short, found = registry.place_of(f"{name or ''}", project)
    models = registry.published(found, short or None) if found else []
    if name is None:
        models = [one for one in models if registry.CHAMPION in one.tags]
    if not models:
        raise click.ClickException(
            f"there is no published model '{name}' in {home}" if name else f"no champion in {home}"
        )
    for one in models:
        what = "champion" if registry.CHAMPION in one.tags else ""
        since = (one.since or one.created)[:16].replace("T", " ")
        click.echo(f"{one.name}  {one.id}  {what:<8}  {since}  {one.facts.get(registry.WHY, '')}")


@click.command()
@click.argument("model")
@click.option("--why", required=True, help="For those who ask later; kept with the model.")
@_project
@one_line_errors
def promote(model: str, why: str, project: str) -> None:
    """Make MODEL the champion: the model that its name stands for.

    MODEL is the id of a published model, or a name for the newest one of it. From then on
    `sightline predict NAME` and all else that is given the name takes this model, and the pipelines
    hold new ones against it. Nothing is measured: `publish` does that.
    """
    from components.run import champions as registry

    connect()
    found = registry.find_published(model, project)
    before = registry.promote(found, why)
    holder = registry.find_champion(found.name, found.project)
    if holder is None or holder.id != found.id:
        raise click.ClickException(f"another model of {found.name} was promoted at the same time")
    was = f", in place of {before.id}" if before else ""
    click.echo(f"{found.name}: {found.id} is the champion{was}")


@click.command()
@click.argument("name")
@click.option("--why", required=True, help="For those who ask later; kept with both models.")
@_project
@one_line_errors
def rollback(name: str, why: str, project: str) -> None:
    """Give NAME back to the champion before the present one.

    Again goes one further back. The model that was rolled back stays in the registry; `promote`
    brings it back.
    """
    from components.run import champions as registry

    connect()
    was, now = registry.roll_back(name, project, why)
    click.echo(f"{now.name}: {now.id} is the champion again, in place of {was.id}")
