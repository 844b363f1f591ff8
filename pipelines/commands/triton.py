"""`sightline triton`: a model package in Triton."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pipelines.model_source import opened_model
from pipelines.user_errors import one_line_errors, writing

_REPOSITORY = click.argument(
    "repository", type=click.Path(exists=True, file_okay=False, path_type=Path)
)


@click.group()
def triton() -> None:
    """Write Triton model repositories, and start and end a Triton."""


@triton.command()
@click.argument("model")
@click.argument("repository", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="model", show_default=True, help="Name of the model in Triton.")
@click.option(
    "--backend",
    type=click.Choice(["onnxruntime", "openvino", "python"]),
    default="onnxruntime",
    show_default=True,
    help="Triton's own for ONNX or OpenVINO, or Python code that runs one of them.",
)
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    help="What --backend python runs. [default: the first that the model was exported for]",
)
@click.option("--precision", help="Which artifact, such as int8. [default: the first]")
@click.option(
    "--batch",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Most pictures that Triton puts together.",
)
@click.option(
    "--max-wait-ms",
    type=click.FloatRange(0, 60_000),
    default=2.0,
    show_default=True,
    help="How long an incomplete batch waits.",
)
@click.option(
    "--instances",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Copies of the network that run side by side.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads of each. [default: the runtime's]"
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where --backend onnxruntime runs; the others run on the CPU.",
)
@one_line_errors
def make(model: str, repository: Path, **settings: Any) -> None:
    """Add MODEL to the Triton model repository REPOSITORY.

    MODEL is a model package (a folder or a zip), or an id or name in the registry. With --backend
    python, Triton's own Python needs numpy and the runtime; NVIDIA's images have
    none, `up --pytriton` installs it. The model's input is the network's: uint8 pictures of the
    input size. The runtime `remote` does the rest:
    load_predictor(MODEL, "remote", url="http://HOST:PORT/v2/models/NAME").

    \b
    sightline triton make /data/package /data/repository
    sightline triton up /data/repository
    """  # noqa: D301 - \b keeps the lines as they are
    from models.package import ModelPackage
    from models.serving.triton.repository import TritonModel, write_model

    wanted = TritonModel(**settings)
    with opened_model(model) as copy:
        package = ModelPackage.load(copy.folder)
        with writing(repository):
            folder = write_model(package, repository, wanted)
    click.echo(f"{folder}: {', '.join(_listing(folder))}")


@triton.command()
@_REPOSITORY
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="HTTP."
)
@click.option("--grpc-port", type=click.IntRange(1, 65535), help="gRPC. [default: none]")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Metrics. [default: none]")
@click.option("--image", help="Docker image. [default: one of NVIDIA's]")
@click.option("--gpus", help="GPUs that Docker gives it, such as all. [default: none]")
@click.option(
    "--pytriton",
    is_flag=True,
    help="Use the server in nvidia-pytriton, installed into a folder of its own (about 400 MB); "
    "it runs models made with --backend python.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where --pytriton installs. [default: ~/.cache/sightline]",
)
@click.option(
    "--wait",
    type=click.FloatRange(1, 3600),
    default=300.0,
    show_default=True,
    help="Seconds until it must be ready.",
)
@one_line_errors
def up(
    repository: Path,
    host: str,
    port: int,
    grpc_port: int | None,
    metrics_port: int | None,
    image: str | None,
    gpus: str | None,
    pytriton: bool,
    cache: Path | None,
    wait: float,
) -> None:
    """Start a Triton that serves REPOSITORY, and wait until it is ready.

    It runs in Docker if a Docker daemon answers, else as the `tritonserver` on the path.
    """
    from models.serving.triton.pytriton import default_cache
    from models.serving.triton.server import Ports, status
    from models.serving.triton.server import up as start

    if cache is not None and not pytriton:
        raise ValueError("--cache belongs to --pytriton")
    started = start(
        repository,
        Ports(host, port, grpc_port, metrics_port),
        click.echo,
        image=image,
        gpus=gpus,
        pytriton=(cache or default_cache()) if pytriton else None,
        wait=wait,
    )
    for name, state in status(repository).models:
        click.echo(f"{started.url}/v2/models/{name}  {state}")


@triton.command()
@_REPOSITORY
@one_line_errors
def status(repository: Path) -> None:
    """Show the Triton of REPOSITORY and its models. Exits 1 if it isn't ready."""
    from models.serving.triton.server import status as look

    found = look(repository)
    if found.started is None:
        click.echo(f"no Triton serves {repository}")
    else:
        click.echo(f"{found.started.url}  {'ready' if found.ready else 'not ready'}")
        for name, state in found.models:
            click.echo(f"{found.started.url}/v2/models/{name}  {state}")
    raise SystemExit(0 if found.ready else 1)


@triton.command()
@_REPOSITORY
@one_line_errors
def down(repository: Path) -> None:
    """End the Triton of REPOSITORY."""
    from models.serving.triton.server import down as end

    click.echo("ended" if end(repository) else f"no Triton serves {repository}")


def _listing(folder: Path) -> list[str]:
    return sorted(os.path.relpath(path, folder) for path in folder.rglob("*") if path.is_file())
