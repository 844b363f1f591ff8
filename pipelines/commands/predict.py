"""`sightline predict`: run a model over pictures, PDFs, videos and streams on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pipelines.model_source import opened_model
from pipelines.user_errors import one_line_errors

_OUTPUTS = ("pictures", "videos", "frames", "crops", "yolo", "coco", "csv", "jsonl")
_INTERRUPTED = 130
_READ = ("padding", "turns", "threshold")
"""Options of `--read`, each as `--read-NAME`."""


@click.command()
@click.argument("model")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("predictions"),
    show_default=True,
    help="Folder of the results. Files of an earlier predict in it are replaced, others never.",
)
@click.option(
    "--save",
    default="pictures,videos,jsonl",
    show_default=True,
    help=f"What is written, with commas between: {', '.join(_OUTPUTS)}.",
)
@click.option(
    "--runtime", help="Such as torch, onnxruntime, openvino.  [default: the fastest there is]"
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "bfloat16", "int8", "mixed"]),
    help="Which of the runtime's forms in the package.  [default: the first]",
)
@click.option("--url", help="Have a server run it: http://HOST:PORT/v2/models/NAME.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the network.")
@click.option(
    "--batch",
    type=click.IntRange(1, 1024),
    help="Pictures that go through the network at once.  [default: 1 on a CPU, else 8]",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Least confidence of a result.  [default: the model's own]",
)
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="Each n-th video frame."
)
@click.option("--limit", type=click.IntRange(1), help="Most pictures, pages and frames in all.")
@click.option(
    "--dpi", type=click.IntRange(20, 1200), default=200, show_default=True, help="Of PDF pages."
)
@click.option(
    "--crop-padding",
    default="0",
    show_default=True,
    help="Around crops, on each side: pixels (8) or a share of the box (10%).",
)
@click.option("--yolo-scores", is_flag=True, help="Confidence as a sixth number in YOLO files.")
@click.option(
    "--cut-padding",
    is_flag=True,
    help="Leave most of a letterbox's padding away; torch and yolox only.",
)
@click.option(
    "--read",
    "reader",
    metavar="MODEL",
    help="A second model that looks at each thing found, such as a reader of its text.",
)
@click.option(
    "--read-padding",
    type=click.FloatRange(0, 2),
    default=0.1,
    show_default=True,
    help="Around what it looks at, as a share of the shorter side.",
)
@click.option(
    "--read-turns",
    type=click.Choice(["none", "tall", "all"]),
    default="tall",
    show_default=True,
    help="Turn things before they are read: those higher than wide, or all.",
)
@click.option(
    "--read-threshold",
    type=click.FloatRange(0, 1),
    help="Least confidence of a text.  [default: the reader's own]",
)
@click.option("--strict", is_flag=True, help="Exit code 1 if anything couldn't be read.")
@click.option("--quiet", is_flag=True, help="Print only what couldn't be read.")
@one_line_errors
def predict(
    model: str,
    sources: tuple[str, ...],
    out: Path,
    quiet: bool,
    reader: str | None,
    **given: Any,
) -> None:
    """Run MODEL over each SOURCE.

    MODEL is a model package (a folder or a zip), or an id or name in the registry. SOURCE is a
    picture, video or PDF, a folder with such files, a pattern ('data/**/*.jpg'),
    camera:0, a stream (rtsp://, http://), or - for paths on standard input, one a line. What can't
    be read is said in one line and left out. Ctrl-C ends early and keeps what was written.

    \b
    sightline predict model.zip photos/ --save pictures,csv
    sightline predict model.zip clip.mp4 --every 5 --threshold 0.4
    sightline predict detector.zip shelf.jpg --read reader.zip --save pictures,csv
    """  # noqa: D301  # in a raw text click would print the mark instead of obeying it
    from models.prediction.names import shown
    from models.prediction.predict import predict as run
    from pipelines.terminal import Terminal

    _refuse_idle(reader, given["save"])
    options = _options(given)
    with (
        opened_model(model) as copy,
        _second(reader) as second,
        _stopping() as stop,
        Terminal(shown=not quiet, rate=True) as terminal,
    ):
        done = run(
            copy.folder,
            sources,
            out,
            options,
            terminal,
            listed=_standard_input(),
            on_problem=terminal.note,
            stop=stop,
            second=second,
        )
    if not quiet:
        click.echo(f"{shown(out)}: {done.line()}")
        if done.faster:
            click.echo(
                f"the model has an {done.faster} form too, likely faster: --precision {done.faster}"
            )
    if done.stopped:
        sys.exit(_INTERRUPTED)
    if not done.pictures or (options.strict and done.problem_count):
        sys.exit(1)


def _refuse_idle(reader: str | None, save: str) -> None:
    """Refuse options that would do nothing, since something else is missing.

    Raises:
        ValueError: there is one.
    """
    saved = {name.strip() for name in save.split(",")}
    needed = {
        "crop_padding": ("--save crops", "crops" in saved),
        "yolo_scores": ("--save yolo", "yolo" in saved),
        **{f"read_{name}": ("--read", reader is not None) for name in _READ},
    }
    context = click.get_current_context()
    for name, (other, there) in needed.items():
        if not there and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise ValueError(f"--{name.replace('_', '-')} has no effect without {other}")


@contextmanager
def _second(reader: str | None) -> Iterator[Any]:
    """Open the package of `--read`."""
    if reader is None:
        yield None
        return
    from models.package import ModelPackage

    with opened_model(reader) as copy:
        yield ModelPackage.load(copy.folder)


def _options(given: dict[str, Any]) -> Any:
    """Check what can be checked without the model.

    Raises:
        ValueError: an option is wrong.
    """
    from pydantic import ValidationError

    from models.prediction.options import PredictionOptions

    given["crop"] = {"padding": given.pop("crop_padding")}
    given["read"] = {name: given.pop(f"read_{name}") for name in _READ}
    given["yolo"] = {"scores": given.pop("yolo_scores")}
    given["save"] = tuple(name.strip() for name in given["save"].split(",") if name.strip())
    try:
        return PredictionOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "crop-padding" if first["loc"][0] == "crop" else str(first["loc"][0])
        reason = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"--{name}: {reason}") from None


def _standard_input() -> Iterator[str]:
    """Give the lines of standard input, with whatever bytes a name has."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "surrogateescape")


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as a request to end early; a second one interrupts."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
