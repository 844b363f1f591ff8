"""`sightline package`: a model with the code that runs it, for machines without Sightline."""

from __future__ import annotations

from copy import copy as copied
from pathlib import Path

import click

from pipelines.user_errors import one_line_errors, writing

_PRECISIONS = ("float32", "float16", "bfloat16", "int8", "mixed")


@click.command()
@click.argument("model")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="What to write: FILE.zip, or a new folder.",
)
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    help="What is to run it.  [default: the first that the model has a form for]",
)
@click.option(
    "--precision",
    type=click.Choice(_PRECISIONS),
    help="Which form of the model.  [default: the first for the runtime]",
)
@click.option(
    "--evaluation",
    default="",
    metavar="RUN",
    help="Task id or folder of an `evaluate` run, for the model's card: figures and pictures.",
)
@click.option(
    "--benchmark",
    default="",
    metavar="RUN",
    help="Task id or folder of a `benchmark` run, for the model's card: latencies.",
)
@one_line_errors
def package(
    model: str,
    out: Path,
    runtime: str | None,
    precision: str | None,
    evaluation: str,
    benchmark: str,
) -> None:
    """Pack MODEL with the code that runs it: for machines without Sightline and PyTorch.

    MODEL is a model package (a folder or a zip), or an id or name in the registry. What comes out
    predicts with ONNX Runtime or OpenVINO, NumPy and OpenCV alone; its README says how. The same
    model gives the same bytes.

    \b
    sightline package models/bccd --out bccd.zip --runtime openvino
    """  # noqa: D301
    from models.deployment import pack
    from models.model_card import html, markdown
    from models.package import ModelPackage
    from pipelines.card_evidence import evidence_of
    from pipelines.model_source import opened_model

    with opened_model(model) as copy:
        loaded = ModelPackage.load(copy.folder)
        card = loaded.card
        name = card.lineage.dataset.name or "model"
        evidence = evidence_of(evaluation, benchmark, (copy.id, *card.lineage.parents))
        with writing(out):
            done = pack(
                loaded,
                out,
                runtime=runtime,
                precision=precision,  # type: ignore[arg-type]
                documents={
                    "model_card.md": markdown(card, name, evidence),
                    "model_card.html": html(card, name, evidence),
                },
            )
    click.echo(f"{done.path}: {done.artifact} for {done.runtime}, {done.bytes / 1e6:.1f} MB")


deploy = copied(package)
"""The same by another name."""
deploy.name, deploy.hidden = "deploy", True
