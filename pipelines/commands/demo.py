"""`sightline demo`: a page in the browser to try a model on."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from pipelines.user_errors import one_line_errors


@click.command()
@click.argument("model")
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets others in, and the page asks for no password.",
)
@click.option(
    "--dataset",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Prepared dataset, or folder of pictures, to take examples from.",
)
@click.option(
    "--runtime",
    help="What runs the model at first, such as onnxruntime or 'openvino, int8'; the page offers "
    "all there are.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads.  [default: the runtime's choice]"
)
@click.option(
    "--most-frames",
    type=click.IntRange(1),
    default=600,
    show_default=True,
    help="Frames of a video that are looked at.",
)
@click.option(
    "--share",
    is_flag=True,
    help="Also make a public link: pictures then go through a server of Hugging Face.",
)
@one_line_errors
def demo(
    model: str,
    port: int,
    host: str,
    dataset: Path | None,
    runtime: str | None,
    threads: int | None,
    most_frames: int,
    share: bool,
) -> None:
    """Open a page to try MODEL on pictures and videos.

    MODEL is a model package (a folder or a zip), or an id or name in the registry. The page works
    without the internet and sends nothing anywhere. Ctrl-C ends it.
    """
    from models.package import ModelPackage
    from pipelines.model_source import opened_model

    with opened_model(model) as copy, tempfile.TemporaryDirectory(prefix="sightline-demo-") as room:
        # What people upload and what is drawn lies here, and goes when the page ends.
        os.environ["GRADIO_TEMP_DIR"] = room
        package = ModelPackage.load(copy.folder)
        _check(host, port)
        from models.demo_page.running import Runners

        runners = Runners(package, threads)
        chosen = _choice(runtime, list(runners.choices))
        runners.load(chosen)
        from models.demo_page.page import PageOptions, build_page, example_pictures, launch_settings

        examples = example_pictures(dataset) if dataset is not None else []
        page = build_page(runners, PageOptions(chosen, examples, most_frames))
        _, url, public = page.launch(
            server_name=host,
            server_port=port,
            share=share,
            allowed_paths=[str(path.resolve()) for path in examples],
            prevent_thread_lock=True,
            **launch_settings(),
        )
        click.echo(f"the page is at {url}" + (f" and at {public}" if public else ""))
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)
            runners.close()


def _choice(wanted: str | None, names: list[str]) -> str:
    """Find the first choice that is the wanted one or starts with its runtime."""
    if wanted is None:
        return names[0]
    for name in names:
        if wanted in (name, name.partition(",")[0]):
            return name
    raise ValueError(f"--runtime {wanted}: the model and this machine offer: {'; '.join(names)}")


def _check(host: str, port: int) -> None:
    """Refuse what can't be shown before anything heavy is loaded.

    Raises:
        ValueError: gradio isn't there, or the address can't be listened on.
    """
    import importlib.util
    import socket

    if importlib.util.find_spec("gradio") is None:
        raise ValueError("demo needs gradio, which is not installed: pip install 'sightline[demo]'")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ValueError(
            f"can't listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from error
