"""`sightline convert`: datasets from one format to another, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.user_errors import one_line_errors

_SHOWN = 10
_BOXES, _TEXTS = "models.detection.data.convert", "models.ocr.data.convert"
_WRITERS = {
    **dict.fromkeys(("coco", "voc", "yolo"), _BOXES),
    **dict.fromkeys(("csv", "tsv", "jsonl", "paddle"), _TEXTS),
}
"""Who writes a format."""


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "wanted",
    required=True,
    type=click.Choice(list(_WRITERS)),
    help="The format to write.",
)
@click.option("--copy", is_flag=True, help="Copy pictures. [default: hard-link them]")
@one_line_errors
def convert(source: Path, target: Path, wanted: str, copy: bool) -> None:
    """Write the dataset in SOURCE anew in TARGET, in another format.

    SOURCE is a folder in any format that `prepare` reads, or a prepared dataset; coco, voc and
    yolo hold boxes, csv, tsv, jsonl and paddle (rec_gt_train.txt) lines with their texts, which may
    come out of boxes that have texts. Splits stay as they are. What can't be trusted is left out
    and listed in TARGET/rejected.json, with what the new format can't say.

    \b
    sightline convert /data/voc /data/yolo --to yolo
    sightline convert /data/lines /data/paddle --to paddle
    """  # noqa: D301 - \b keeps the lines as they are
    import importlib

    from pipelines.terminal import Terminal

    write = importlib.import_module(_WRITERS[wanted]).convert
    with Terminal() as terminal:
        done = write(source, target, wanted, terminal, copy=copy)
    counts = ", ".join(f"{split} {count}" for split, count in done.pictures.items())
    click.echo(f"{target}: {sum(done.pictures.values())} pictures ({counts}), {done.held}")
    for note in done.notes:
        click.echo(f"note: {note}")
    if done.rejected:
        click.echo(f"{len(done.rejected)} left out; see {target / 'rejected.json'}. The first:")
        for one in done.rejected[:_SHOWN]:
            click.echo(f"  {one.item}: {one.reason}")
