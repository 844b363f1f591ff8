"""`sightline serve`: a model package as an HTTP service."""

from __future__ import annotations

from typing import Literal

import click

from pipelines.model_source import opened_model
from pipelines.user_errors import one_line_errors

_RUNTIMES = ("openvino", "onnxruntime", "torch", "tensorrt")


@click.command()
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option("--name", default="model", show_default=True, help="Name of the model in addresses.")
@click.option(
    "--runtime",
    type=click.Choice(list(_RUNTIMES)),
    help="What runs it. [default: the fastest of the first three that there is]",
)
@click.option("--precision", help="Which artifact of it, such as int8. [default: the first]")
@click.option(
    "--arithmetic",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="What openvino and torch compute in.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads of the network. [default: the runtime's]"
)
@click.option(
    "--batch",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Most pictures that go through the network together.",
)
@click.option(
    "--max-wait-ms",
    type=click.FloatRange(0, 1000),
    default=2.0,
    show_default=True,
    help="How long an incomplete batch waits for requests that are on their way.",
)
@click.option(
    "--queue",
    type=click.IntRange(1, 100_000),
    default=64,
    show_default=True,
    help="Most pictures that wait; requests beyond get 503 at once.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=30.0,
    show_default=True,
    help="Time limit of a request, seconds.",
)
@click.option(
    "--max-megabytes",
    type=click.FloatRange(0, 1024, min_open=True),
    default=32.0,
    show_default=True,
    help="Largest request, MiB; all together may hold 16 times as much.",
)
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, 1000, min_open=True),
    default=50.0,
    show_default=True,
    help="Largest picture, million pixels.",
)
@one_line_errors
def serve(
    model: str,
    host: str,
    port: int,
    name: str,
    runtime: str | None,
    precision: str | None,
    arithmetic: Literal["float32", "bfloat16"],
    device: str,
    threads: int | None,
    **limits: float,
) -> None:
    """Serve MODEL over HTTP until Ctrl-C or SIGTERM.

    MODEL is a model package (a folder or a zip), or an id or name in the registry. The service
    speaks the Open Inference Protocol v2 (as Triton and KServe do) in its HTTP form, with JSON
    and binary tensors. It doesn't speak gRPC. Requests of all clients go through the network
    together. Two models are served: NAME takes the network's input and gives its outputs,
    NAME_pictures takes JPEG or PNG files (a BYTES tensor `picture`) and gives results. Anyone who
    reaches the port may use it: put what checks people in front of it.

    \b
    sightline serve /data/package --port 8000
    curl --data-binary @photo.jpg http://127.0.0.1:8000/predict
    curl http://127.0.0.1:8000/v2/models/model
    curl http://127.0.0.1:8000/metrics
    """  # noqa: D301 - \b keeps the lines as they are
    from pydantic import ValidationError

    from models.package import ModelPackage
    from models.prediction.runtime import best_runtime
    from models.runtimes import load_predictor
    from models.runtimes.engines import library
    from models.serving.options import ServeOptions

    try:
        options = ServeOptions.model_validate({"name": name, **limits})
    except ValidationError:
        raise ValueError(
            f"--name {name}: expected letters, digits, '.', '_' and '-', and none of the last "
            f"three in front"
        ) from None
    for needed in ("starlette", "uvicorn", "httptools", "prometheus_client"):
        library(needed, "serve", "sightline serve")
    from models.serving.server import serve as run

    with opened_model(model) as copy:
        package = ModelPackage.load(copy.folder)
        runtime = runtime or best_runtime(package, device)
        predictor = load_predictor(
            package,
            runtime,
            device,
            threads,
            batch_size=options.batch,
            arithmetic=arithmetic,
            precision=precision,  # type: ignore[arg-type]  # which there are, the package says
        )

        def ready(address: str) -> None:
            click.echo(f"serving {model} with {runtime} at {address}/v2/models/{name}")
            click.echo(f"pictures: curl --data-binary @photo.jpg {address}/predict")

        run(predictor, options, host, port, ready)
