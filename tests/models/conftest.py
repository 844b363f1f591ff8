"""A small detector, really trained, for tests of what comes after training."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.export import ExportReport
from models.package import (
    Input,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Output,
    Preprocessing,
)

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
SIZES = ((96, 128), (128, 96), (120, 120))


def write_squares(folder: Path, pictures: dict[str, int]) -> Path:
    """Write a prepared dataset of red and blue squares on noise; category ids have a gap."""
    random = np.random.default_rng(0)
    for split, count in pictures.items():
        data = folder / split / "data"
        data.mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            height, width = SIZES[number % 3]
            image = random.integers(90, 150, (height, width, 3), dtype=np.uint8)
            name = f"{number:03}.png"
            images.append({"id": number, "file_name": name, "width": width, "height": height})
            for _ in range(1 + number % 3):
                side, kind = int(random.integers(24, 40)), int(random.integers(2))
                x, y = int(random.integers(width - side)), int(random.integers(height - side))
                image[y : y + side, x : x + side] = tuple(COLOURS.values())[kind]
                annotation = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
                annotation |= {"category_id": (1, 3)[kind], "bbox": [x, y, side, side]}
                annotations.append(annotation | {"area": side * side})
            cv2.imwrite(str(data / name), image[..., ::-1])
        categories = [{"id": 1, "name": "red"}, {"id": 3, "name": "blue"}]
        labels = {"images": images, "annotations": annotations, "categories": categories}
        (folder / split / "labels.json").write_text(json.dumps(labels))
    description = {"family": "detection", "classes": ["red", "blue"], "category_ids": [1, 3]}
    description |= {"pictures": pictures, "statistics": {}, "source": {}, "splits": {}}
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset folder that is learned in seconds."""
    return write_squares(tmp_path_factory.mktemp("squares") / "data", {"train": 160, "val": 21})


@pytest.fixture(scope="session")
def trained(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a D-FINE that has learned `squares` well enough to be sure of something."""
    import torch

    from models.families import family
    from models.outcomes import Checkpoints
    from models.reporting import Silence

    detection = family("detection")
    options = detection.train_options.model_validate(
        {
            "network": {
                "backbone": "test_resnet.r160_in1k",
                "image_size": 96,
                "queries": 10,
                "levels": 2,
                "hidden_width": 64,
                "decoder_layers": 2,
                "denoising_queries": 10,
            },
            "epochs": 8,
            "batch_size": 4,
            "validate_every": 8,
            "checkpoint_every": 8,
            "device": "cpu",
            "precision": "float32",
            "optimizer": {"lr": 2e-3},
            "ema": {"decay": 0.95, "warmup": 20},
            "augmentation": {"affine": 0, "colour": 0, "blur": 0, "noise": 0},
            "samples": {"count": 0},
        }
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        folder = tmp_path_factory.mktemp("trained")
        checkpoints = Checkpoints(folder, None, lambda _: None)
        return detection.train(squares, options, checkpoints, Silence()).package
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def card() -> ModelCard:
    """A valid description of a detector, for tests that need no network."""
    return ModelCard(
        family="detection",
        network={"name": "dfine"},
        classes=(ModelClass(name="red", id=1), ModelClass(name="blue", id=3)),
        input=Input(shape=("batch", 64, 96, 3)),
        preprocessing=Preprocessing(height=64, width=96),
        outputs=(
            Output(name="logits", shape=("batch", 10, 2)),
            Output(name="boxes", shape=("batch", 10, 4)),
        ),
        postprocessing={"kind": "detr"},
    )


@pytest.fixture
def package(card: ModelCard, tmp_path: Path) -> ModelPackage:
    """A package on disk whose files are not networks."""
    for name in ("weights", "xml", "bin"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    return ModelPackage.create(
        tmp_path / "package",
        card,
        [
            NewArtifact("safetensors", {"weights.safetensors": tmp_path / "weights"}),
            NewArtifact(
                "openvino",
                {
                    "openvino/model.xml": tmp_path / "xml",
                    "openvino/model.bin": tmp_path / "bin",
                },
            ),
        ],
    )


@pytest.fixture(scope="session")
def report(trained: Path, squares: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """What exporting `trained` found out."""
    from models.export import ExportOptions, export
    from models.reporting import Silence

    target = tmp_path_factory.mktemp("exported") / "package"
    options = ExportOptions(threads=1, latency_calls=2)
    return export(trained, target, squares, options, Silence())


@pytest.fixture(scope="session")
def exported(report: ExportReport) -> Path:
    """The package with all forms of `trained`."""
    return report.package
