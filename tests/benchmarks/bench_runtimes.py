"""Latency of one model under each runtime: `python tests/benchmarks/bench_runtimes.py [PACKAGE]`.

Without a package, D-FINE on ResNet-10t at 256 px with 30 queries is taken, with random weights
(times don't depend on them). Engines are measured in blocks with pauses, a picture at a time and in
eights; `end to end` starts at a decoded 640x480 picture and ends at detections, and `decoded too`
starts at its JPEG file.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np

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
from models.runtimes.timing import median_ms


def random_package(folder: Path) -> ModelPackage:
    """Make a package with all forms of an untrained network."""
    from safetensors.torch import save_file

    from models.detection.networks.building import build_network
    from models.detection.networks.detector import network_weights

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
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        package = (
            ModelPackage.load(arguments.package) if arguments.package else random_package(folder)
        )
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        picture = cv2.GaussianBlur(noise, (0, 0), 3)
        file = folder / "picture.jpg"
        cv2.imwrite(str(file), picture)
        for threads in dict.fromkeys(arguments.threads):
            table(package, picture, file, threads, arguments.calls)


def table(package: ModelPackage, picture: np.ndarray, file: Path, threads: int, calls: int) -> None:
    """Measure every runtime at one number of threads."""
    decode = median_ms(lambda: read_picture(file), calls)
    prepare = median_ms(lambda: package.card.preprocessing([picture]), calls)
    print(f"\n{threads} threads; median ms; decode {decode:.2f}, resize {prepare:.2f}")
    print(f"{'runtime':<12} {'network':>9} {'end to end':>11} {'decoded too':>12} {'of 8':>9}")
    inputs, _ = package.card.preprocessing([picture])
    eight = np.repeat(inputs, 8, axis=0)
    for runtime in (name for name, entry in RUNTIMES.items() if entry.format):
        with load_predictor(package, runtime, "cpu", threads) as predictor:
            network = median_ms(partial(predictor.engine, inputs), calls)
            whole = median_ms(partial(predictor, [picture]), calls)
            decoded = median_ms(partial(from_file, predictor, file), calls)
            batch = median_ms(partial(predictor.engine, eight), max(3, calls // 4)) / 8
        bound = f"{decoded / (decode + network):.2f} x (decode + network)"
        print(f"{runtime:<12} {network:9.2f} {whole:11.2f} {decoded:12.2f} {batch:9.2f}   {bound}")


def from_file(predictor: Predictor, file: Path) -> None:
    """Decode a picture and predict."""
    predictor([read_picture(file)])


if __name__ == "__main__":
    main()
