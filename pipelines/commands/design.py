"""`sightline design`: choose a network for a dataset, with figures, as a recipe."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.user_errors import one_line_errors

if TYPE_CHECKING:
    from models.ocr.design import Design

_SHOWN = 12


@click.group()
def design() -> None:
    """Choose a network for a dataset."""


@design.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("ocr-design.yaml"),
    show_default=True,
    help="The recipe to write.",
)
@click.option("--backbone", "backbones", multiple=True, help="Of timm, for crnn; repeatable.")
@click.option("--stage", "stages", type=int, multiple=True, help="To cut it at; repeatable.")
@click.option("--stride", "strides", type=int, multiple=True, help="2, 4, 8, 16; repeatable.")
@click.option("--height", "heights", type=int, multiple=True, help="Of the input; repeatable.")
@click.option("--width", "widths", type=int, multiple=True, help="Of the input; repeatable.")
@click.option("--latency", type=float, help="Most ms a line: the largest network within it.")
@click.option("--calls", type=int, help="Timed calls of each; 0 times nothing.  [default: 15]")
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for plots and pictures of lines with their steps.",
)
@click.option("--all", "every", is_flag=True, help=f"Show all networks, not {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@one_line_errors
def ocr(
    dataset: Path,
    out: Path,
    pictures: Path | None,
    every: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Choose a reading network for the lines of DATASET, a prepared dataset or raw OCR data.

    \b
    sightline design ocr prepared/ --out recipe.yaml
    sightline design ocr prepared/ --backbone resnet18 --stage 2 --latency 10
    sightline run recipe.yaml

    \b
    steps        length of the output sequence, and what the longest text needs: a step for each
                 character and one between equal neighbours
    room         lines that have a quarter more steps than they need, at the width they get
    pixels/char  width of the median line's characters in the network's input
    sees         height x width that the convolutions under a step look at (95 % of their
                 influence, measured), of all that they reach
    map          channels x rows x columns of the feature map that becomes the sequence

    Nothing is trained: the figures say what can't work and what it costs, not how well it reads.
    """  # noqa: D301
    from pydantic import ValidationError

    from models.ocr.design import DesignOptions
    from models.ocr.design import design as choose
    from models.ocr.design.recommending import write_recipe
    from pipelines.terminal import Terminal

    values = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        options = DesignOptions(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).removesuffix("s")
        raise click.UsageError(f"--{name}: {first['msg']}, got {first['input']!r}") from None
    if out.exists() and not out.read_text(encoding="utf-8").startswith("# "):
        raise click.UsageError(f"--out: {out} exists and is no recipe of an earlier design")
    with Terminal() as terminal:
        made = choose(dataset, options, terminal)
    if made.recommended is not None:
        write_recipe(made.recommended, made.found, out)
    if pictures is not None:
        _draw(made, pictures)
    if as_json:
        click.echo(json_format.dumps(_as_json(made), indent=2, ensure_ascii=False))
    else:
        _show(made, every)
    if made.recommended is None:
        raise click.ClickException(
            "none of these networks fits; try another --stride, --width or --height, or leave out "
            "the longest texts with prepare's max_length"
        )
    click.echo(f"{out}: run it with: sightline run {out}", err=as_json)


def _show(made: Design, every: bool) -> None:
    from models.ocr.design.designing import COLUMNS
    from models.ocr.design.recommending import reasons

    found = made.found
    click.echo(f"{len(found.texts)} lines, {len(found.vocabulary)} characters")
    _table(*found.table())
    rows = made.rows()
    shown = rows if every else rows[:_SHOWN]
    click.echo()
    _table(COLUMNS, shown)
    if len(rows) > len(shown):
        click.echo(f"... and {len(rows) - len(shown)} more: --all shows them")
    for name, reason in made.refused:
        click.echo(f"not built: {name}: {reason}")
    if made.recommended is not None:
        click.echo(f"\nrecommended: {made.recommended.title}")
        for line in reasons(made.recommended, found):
            click.echo(f"  {line}")


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        click.echo("  ".join(w.ljust(n) for w, n in zip(line, widths, strict=True)).rstrip())


def _as_json(made: Design) -> dict[str, Any]:
    from models.ocr.design.designing import COLUMNS

    columns, rows = made.found.table()
    best = made.recommended
    return {
        "lines": len(made.found.texts),
        "vocabulary": made.found.vocabulary,
        "survey": [dict(zip(columns, row, strict=True)) for row in rows],
        "networks": [dict(zip(COLUMNS, row, strict=True)) for row in made.rows()],
        "refused": [{"network": name, "reason": reason} for name, reason in made.refused],
        "recommended": best.options.model_dump(mode="json") if best else None,
    }


def _draw(made: Design, folder: Path) -> None:
    from PIL import Image

    from models.ocr.design import figures

    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "lengths": figures.lengths_figure(made.found),
        "aspects": figures.aspects_figure(made.found),
        "networks": figures.networks_figure(made),
    }
    for name, figure in plots.items():
        figure.write_html(folder / f"{name}.html", include_plotlyjs="directory")
    one = made.recommended or made.measured[0]
    for number, (_, line) in enumerate(made.found.samples, 1):
        picture = Image.fromarray(figures.line_picture(one, line, not made.found.flat))
        picture.save(folder / f"line-{number}.png")
    click.echo(f"{folder}: plots and pictures", err=True)
