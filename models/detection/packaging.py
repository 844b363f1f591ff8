"""A trained detector as a model package."""

from __future__ import annotations

from pathlib import Path

import torch

from models.detection.dataset import read_categories
from models.detection.networks.building import build_network
from models.detection.networks.licence import licence_of
from models.detection.options import TrainOptions
from models.detection.train import preprocessing_of
from models.package import Input, Metric, ModelCard, ModelClass, ModelPackage, NewArtifact
from models.training.loop import Fitted

WEIGHTS = "weights.safetensors"


def save_package(
    folder: Path, weights: Path, fitted: Fitted, dataset: Path, options: TrainOptions
) -> ModelPackage:
    """Write the model package of a training.

    Args:
        folder: to make; an earlier package of the same training is replaced.
        weights: the best weights as safetensors.
        fitted: what the training ended with.
        dataset: folder it learned from.
        options: how it was trained.
    """
    network = options.network
    categories = read_categories(dataset)
    side = network.side
    with torch.device("meta"):
        built = build_network(network, len(categories))
    card = ModelCard(
        family="detection",
        network=network.model_dump(mode="json"),
        classes=tuple(ModelClass(name=name, id=identity) for name, identity in categories),
        input=Input(shape=("batch", side, side, 3)),
        preprocessing=preprocessing_of(options),
        outputs=built.outputs(),
        postprocessing=built.postprocessing().model_dump(mode="json"),
        licence=licence_of(network),
        metrics=tuple(
            Metric(name=name, value=value, split="val", artifact=WEIGHTS)
            for name, value in fitted.metrics.items()
        ),
    )
    artifact = NewArtifact("safetensors", {WEIGHTS: weights}, tool="sightline train")
    return ModelPackage.create(folder, card, [artifact])
