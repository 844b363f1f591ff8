"""A trained reader as a model package."""

from __future__ import annotations

from pathlib import Path

import torch

from models.ocr.alphabet import Alphabet
from models.ocr.networks.building import build_network
from models.ocr.options import TrainOptions
from models.ocr.postprocessing import Steps
from models.ocr.train import preprocessing_of
from models.package import Input, Licence, Metric, ModelCard, ModelClass, ModelPackage, NewArtifact
from models.training.loop import Fitted

WEIGHTS = "weights.safetensors"


def save_package(
    folder: Path, weights: Path, fitted: Fitted, alphabet: Alphabet, options: TrainOptions
) -> ModelPackage:
    """Write the model package of a training.

    Args:
        folder: to make; an earlier package of the same training is replaced.
        weights: the best weights as safetensors.
        fitted: what the training ended with.
        alphabet: the characters that the network tells apart.
        options: how it was trained.
    """
    network = options.network
    with torch.device("meta"):
        built = build_network(network, len(alphabet))
    card = ModelCard(
        family="ocr",
        network=network.model_dump(mode="json"),
        classes=tuple(ModelClass(name=character) for character in alphabet.characters),
        input=Input(shape=("batch", network.height, network.width, 3)),
        preprocessing=preprocessing_of(options),
        outputs=built.outputs(),
        postprocessing=Steps.of(alphabet, options.decoding).model_dump(mode="json"),
        licence=_licence(options),
        metrics=tuple(
            Metric(name=name, value=value, split="val", artifact=WEIGHTS)
            for name, value in fitted.metrics.items()
        ),
    )
    artifact = NewArtifact("safetensors", {WEIGHTS: weights}, tool="sightline train")
    return ModelPackage.create(folder, card, [artifact])


def _licence(options: TrainOptions) -> Licence:
    """Say what the weights started from; whoever trains decides about the result's licence."""
    network = options.network
    if network.weights == "none":
        return Licence(note="Trained from scratch: no published weights are in them.")
    if network.weights == "hub":
        return Licence(
            note=f"The backbone started from timm's weights {network.backbone}, whose licence "
            f"stands on their page."
        )
    return Licence(note="They started from a local file, whose terms this package doesn't know.")
