"""`sightline pictures`: PDFs and pictures of any kind to JPEG files, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.user_errors import one_line_errors

_SHOWN = 10


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dpi", type=click.IntRange(20, 1200), default=200, show_default=True, help="Of PDF pages."
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG."
)
@click.option(
    "--longest-side",
    type=click.IntRange(0, 65_500),
    default=0,
    help="Make larger pictures smaller, pixels. [default: leave them]",
)
@one_line_errors
def pictures(source: Path, target: Path, dpi: int, quality: int, longest_side: int) -> None:
    """Write the pictures and the PDF pages in SOURCE as JPEG files in TARGET, to be labelled.

    SOURCE is a folder or a file. Rotation by EXIF is carried out, transparent parts turn white,
    each page of a PDF or TIFF becomes a file. JPEG files that need no change are copied.

    \b
    sightline pictures /data/scans /data/jpg --dpi 150
    """  # noqa: D301 - \b keeps the lines as they are
    from models.data.jpg import to_jpg
    from pipelines.terminal import Terminal

    with Terminal() as terminal:
        done = to_jpg(source, target, terminal, dpi=dpi, quality=quality, longest_side=longest_side)
    click.echo(f"{target}: {done.files} JPEG files, {done.copied} of them copied as they were")
    if done.ignored:
        click.echo(f"{done.ignored} files are neither pictures nor PDFs")
    if done.rejected:
        click.echo(f"{len(done.rejected)} can't be read:")
        for one in done.rejected[:_SHOWN]:
            click.echo(f"  {one.item}: {one.reason}")
