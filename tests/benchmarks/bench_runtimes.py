"""Latency of one model under each runtime: `python tests/benchmarks/bench_runtimes.py [PACKAGE]`.

Without a package, D-FINE on ResNet-10t at 256 px with 30 queries is taken, with random weights
(times don't depend on them). Every artifact of the package is measured under each runtime that
opens it, in blocks with pauses. Median milliseconds:

- `decode`: the JPEG file of a picture (of `--pictures`, or a made one of 640x480)
- `engine`: the bare engine, its input ready in memory
- `whole`: from the file to detections, by the Predictor
- `ratio`: whole / (decode + engine). The three take turns picture by picture, in one process and
  under one engine, so that what else the machine does falls on all of them
- `of 8`: the bare engine with eight pictures at once, for one of them
- `many`: the Predictor over 32 decoded pictures, for one of them
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino

from models.detection.dataset import read_picture
from models.detection.networks.options import NetworkOptions
from models.detection.postprocessing import QueryPostprocessing
from models.export.onnx_format import write_onnx
from models.export.openvino_format import write_openvino
from models.package import (
    Input,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Output,
    Preprocessing,
)
from models.runtimes import RUNTIMES, Predictor, load_predictor
from models.runtimes.openvino_engine import computes_bfloat16
from models.runtimes.timing import median_ms


def random_package(folder: Path) -> ModelPackage:
    """Make a package with all forms of an untrained network."""
    from safetensors.torch import save_file

    from models.detection.networks.building import build_network
    from models.training.weights import network_weights

    options = NetworkOptions(image_size=256, queries=30, levels=2, denoising_queries=20)
    save_file(network_weights(build_network(options, 2)), folder / "weights")
    card = ModelCard(
        family="detection",
        network=options.model_dump(mode="json"),
        classes=(ModelClass(name="linear"), ModelClass(name="matrix")),
        input=Input(shape=("batch", 256, 256, 3)),
        preprocessing=Preprocessing(height=256, width=256),
        outputs=(
            Output(name="logits", shape=("batch", 30, 2)),
            Output(name="boxes", shape=("batch", 30, 4)),
        ),
        postprocessing=QueryPostprocessing().model_dump(),
    )
    weights = NewArtifact("safetensors", {"weights.safetensors": folder / "weights"})
    package = ModelPackage.create(folder / "package", card, [weights])
    write_onnx(package, folder / "model.onnx")
    write_openvino(card, folder / "model.onnx", folder / "model.xml", "float32")
    return package.with_artifacts(
        [
            NewArtifact("onnx", {"model.onnx": folder / "model.onnx"}),
            NewArtifact(
                "openvino",
                {"model.xml": folder / "model.xml", "model.bin": folder / "model.bin"},
            ),
        ]
    )


def main() -> None:
    """Print one table for each number of threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder of JPEG files")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    parser.add_argument("--compiled", action="store_true", help="torch.compile too; takes minutes")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        package = (
            ModelPackage.load(arguments.package) if arguments.package else random_package(folder)
        )
        files = sorted(arguments.pictures.glob("*.jp*g"))[:64] if arguments.pictures else []
        if not files:
            noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
            files = [folder / "picture.jpg"]
            cv2.imwrite(str(files[0]), cv2.GaussianBlur(noise, (0, 0), 3))
        for threads in dict.fromkeys(arguments.threads):
            table(package, files, threads, arguments.calls, arguments.compiled)


def table(
    package: ModelPackage, files: Sequence[Path], threads: int, calls: int, compiled: bool
) -> None:
    """Measure every artifact under every runtime and mode at one number of threads."""
    print(f"\n{threads} threads, {len(files)} pictures; median ms")
    heads = ("decode", "engine", "whole", "ratio", "of 8", "many")
    print(f"{'runtime':<32}" + "".join(f"{head:>9}" for head in heads))
    for artifact in package.card.artifacts:
        card = package.card.model_copy(update={"artifacts": (artifact,)})
        alone = replace(package, card=card)
        for runtime, entry in RUNTIMES.items():
            if entry.format != artifact.format or runtime == "tensorrt":
                continue
            modes: list[dict[str, Any]] = [{}]
            if runtime == "openvino":
                if computes_bfloat16(openvino.Core()):
                    modes.append({"arithmetic": "bfloat16"})
                modes.append({"mode": "throughput"})
            if runtime == "torch" and compiled:
                modes.append({"compiled": True})
            for mode in modes:
                name = " ".join([runtime, artifact.precision, *map(str, mode.values())])
                with load_predictor(alone, runtime, "cpu", threads, **mode) as predictor:
                    figures = measure(predictor, files, calls)
                print(f"{name:<32}" + "".join(f"{figure:9.2f}" for figure in figures), flush=True)


def measure(predictor: Predictor, files: Sequence[Path], calls: int) -> list[float]:
    """Decode, engine, whole, ratio, a picture of eight at once, a picture of many; milliseconds."""
    pictures = [read_picture(file) for file in files]
    inputs = [predictor.package.card.preprocessing([picture])[0] for picture in pictures]
    steps: list[Callable[[int], object]] = [
        lambda index: read_picture(files[index]),
        lambda index: predictor.engine(inputs[index]),
        lambda index: predictor([read_picture(files[index])]),
    ]
    for step in steps:
        step(0)
    time.sleep(0.2)
    times: list[list[float]] = [[] for _ in steps]
    for call in range(calls):
        for place, step in enumerate(steps):
            start = time.perf_counter()
            step(call % len(files))
            times[place].append(time.perf_counter() - start)
    decode, engine, whole = (statistics.median(column) * 1e3 for column in times)
    eight = np.repeat(inputs[0], 8, axis=0)
    of_eight = median_ms(lambda: predictor.engine(eight), max(3, calls // 8)) / 8
    many = (pictures * 32)[:32]
    of_many = median_ms(lambda: predictor(many), max(2, calls // 16), 2) / 32
    return [decode, engine, whole, whole / (decode + engine), of_eight, of_many]


if __name__ == "__main__":
    main()
