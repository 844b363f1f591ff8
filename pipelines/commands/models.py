"""`sightline models`: which networks there are. Nothing heavy is imported to list them."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from models.families import NetworkTable


@click.command()
@click.argument("text", required=False)
@click.option("--family", help="Only networks of this family: detection, ocr, classification.")
@click.option("--latency", is_flag=True, help="Measure one picture in PyTorch on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def models(text: str | None, family: str | None, latency: bool, as_json: bool) -> None:
    """List the networks; with TEXT only those whose name holds it.

    Figures of accuracy are published ones, with the published weights; the line below each table
    says on what. Weights with a licence of their own say so.
    """
    from models.families import families

    if family is not None and family not in families():
        raise click.ClickException(f"no task family '{family}'; there are: {', '.join(families())}")
    found = listing(text or "", family, latency)
    if as_json:
        rows = [row for table in found.values() for row in table.rows]
        click.echo(json_format.dumps(rows, indent=2))
        return
    if not any(table.rows for table in found.values()):
        raise click.ClickException(
            f"no network's name holds '{text}'; `sightline models` lists all"
        )
    shown = {name: table for name, table in found.items() if table.rows}
    for place, (name, table) in enumerate(shown.items()):
        if len(shown) > 1:
            click.echo(("\n" if place else "") + name)
        _print(table)


def listing(text: str, family: str | None, latency: bool) -> dict[str, NetworkTable]:
    """Describe the networks whose name holds a text, by family.

    Args:
        text: part of a name; empty for all.
        family: the only one to look in; None for all.
        latency: measure each on this machine (seconds each).
    """
    from models.families import families
    from models.families import family as find

    names = [family] if family else families()
    return {name: find(name).networks(text, latency) for name in names}


def _print(table: NetworkTable) -> None:
    lines = [list(table.columns.values())]
    lines += [[_text(name, row) for name in table.columns] for row in table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    for line in lines:
        click.echo("  ".join(w.ljust(n) for w, n in zip(line, widths, strict=True)).rstrip())
    if table.note:
        click.echo(table.note)


def _text(name: str, row: dict[str, Any]) -> str:
    value = row.get(name)
    if name == "licence" and row.get("weights_licence") not in (None, value):
        return f"{value}; weights: {row['weights_licence']}"
    if isinstance(value, dict):
        return ", ".join(value) or "none"
    return "-" if value is None else str(value)
