"""`sightline convert`: datasets from one format to another, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.user_errors import one_line_errors

_SHOWN = 10


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "wanted",
    required=True,
    type=click.Choice(["coco", "voc", "yolo"]),
    help="The format to write.",
)
@click.option("--copy", is_flag=True, help="Copy pictures. [default: hard-link them]")
@one_line_errors
def convert(source: Path, target: Path, wanted: str, copy: bool) -> None:
    """Write the detection dataset in SOURCE anew in TARGET, in another format.

    SOURCE is a folder in any format that `prepare` reads (COCO, Pascal VOC, YOLO), or a prepared
    dataset; splits stay as they are. What can't be trusted is left out and listed in
    TARGET/rejected.json, with what the new format can't say.

    \b
    sightline convert /data/voc /data/yolo --to yolo
    """  # noqa: D301 - \b keeps the lines as they are
    from models.detection.data.convert import convert as convert_dataset
    from pipelines.terminal import Terminal

    with Terminal() as terminal:
        done = convert_dataset(source, target, wanted, terminal, copy=copy)  # type: ignore[arg-type]
    counts = ", ".join(f"{split} {count}" for split, count in done.pictures.items())
    click.echo(f"{target}: {sum(done.pictures.values())} pictures ({counts}), {done.boxes} boxes")
    for note in done.notes:
        click.echo(f"note: {note}")
    if done.rejected:
        click.echo(f"{len(done.rejected)} left out; see {target / 'rejected.json'}. The first:")
        for one in done.rejected[:_SHOWN]:
            click.echo(f"  {one.item}: {one.reason}")
