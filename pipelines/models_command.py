"""`sightline models`: which networks there are. Nothing heavy is imported to list them."""

from __future__ import annotations

import json as json_format

import click

FAMILIES = ("detection",)


@click.command()
@click.argument("text", required=False)
@click.option("--family", type=click.Choice(FAMILIES), help="Only networks of this family.")
@click.option("--latency", is_flag=True, help="Measure one picture in PyTorch on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def models(text: str | None, family: str | None, latency: bool, as_json: bool) -> None:
    """List the networks; with TEXT only those whose name holds it.

    Parameters and GFLOPs are for 80 classes at the input size shown. AP is the published one on
    COCO val2017, with the published weights. Weights with a licence of their own say so.
    """
    rows = listing(text or "", latency)
    if as_json:
        click.echo(json_format.dumps(rows, indent=2))
        return
    if not rows:
        raise click.ClickException(
            f"no network's name holds '{text}'; `sightline models` lists all"
        )
    columns = {
        "name": "NAME",
        "parameters": "PARAMS M",
        "gflops": "GFLOPS",
        "image_size": "INPUT",
        "ap": "COCO AP",
        "latency_ms": "MS HERE",
        "licence": "LICENCE",
        "hub": "WEIGHTS",
    }
    if not latency:
        del columns["latency_ms"]
    table = [list(columns.values())]
    table += [[_text(name, row) for name in columns] for row in rows]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        click.echo("  ".join(w.ljust(n) for w, n in zip(line, widths, strict=True)).rstrip())


def listing(text: str = "", latency: bool = False) -> list[dict[str, object]]:
    """Describe the networks whose name holds a text.

    Args:
        text: part of a name; empty for all.
        latency: measure each on this machine (seconds each).
    """
    from models.detection.networks.catalogue import CATALOGUE

    rows: list[dict[str, object]] = []
    for entry in CATALOGUE.values():
        if text.lower() not in entry.name:
            continue
        row: dict[str, object] = {
            "name": entry.name,
            "family": "detection",
            "architecture": entry.architecture,
            "parameters": entry.parameters,
            "gflops": entry.gflops,
            "image_size": entry.image_size,
            "licence": entry.licence,
            "weights_licence": entry.weights_licence,
            "ap": entry.ap,
            "ap_source": entry.ap_source,
            "hub": dict(entry.hub) or entry.note or ("timm" if not entry.published else {}),
        }
        if latency:
            from models.detection.networks.complexity import latency as measure

            row["latency_ms"] = round(measure(entry.name), 1)
        rows.append(row)
    return rows


def _text(name: str, row: dict[str, object]) -> str:
    value = row[name]
    if name == "licence" and row["weights_licence"] != value:
        return f"{value}; weights: {row['weights_licence']}"
    if isinstance(value, dict):
        return ", ".join(value) or "none"
    return "-" if value is None else str(value)
