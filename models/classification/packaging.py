"""A trained classifier as a model package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from models.classification.labels import read_labels
from models.classification.networks.classifier import build_network
from models.classification.networks.options import NetworkOptions
from models.classification.postprocessing import Postprocessing
from models.package import (
    Input,
    Licence,
    Metric,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Threshold,
)
from models.preprocessing import Preprocessing

WEIGHTS = "weights.safetensors"


def save_package(
    folder: Path,
    weights: Path,
    dataset: Path,
    network: NetworkOptions,
    preprocessing: Preprocessing,
    metrics: Mapping[str, float],
    tool: str = "sightline train",
) -> ModelPackage:
    """Write the model package of a training.

    Args:
        folder: to make; an earlier package of the same training is replaced.
        weights: the best weights as safetensors.
        dataset: folder it learned from.
        network: what was trained.
        preprocessing: of its pictures.
        metrics: figures on val.
        tool: what wrote the weights.
    """
    labels = read_labels(dataset, "val")
    with torch.device("meta"):
        built = build_network(network, len(labels.classes))
    kind = "sigmoid" if labels.several else "softmax"
    side = network.image_size
    card = ModelCard(
        family="classification",
        network=network.model_dump(mode="json"),
        classes=tuple(ModelClass(name=name) for name in labels.classes),
        input=Input(shape=("batch", side, side, 3)),
        preprocessing=preprocessing,
        outputs=built.outputs(),
        postprocessing=Postprocessing(kind=kind).model_dump(mode="json"),
        # One class a picture: until `tune` has chosen, the surest is always named.
        threshold=Threshold(value=0.5 if labels.several else 0.0),
        licence=licence_of(network),
        metrics=tuple(
            Metric(name=name, value=value, split="val", artifact=WEIGHTS)
            for name, value in metrics.items()
        ),
    )
    artifact = NewArtifact("safetensors", {WEIGHTS: weights}, tool=tool)
    return ModelPackage.create(folder, card, [artifact])


def licence_of(network: NetworkOptions) -> Licence:
    """Say what the weights started from and what that asks for."""
    if network.weights == "none":
        return Licence(note="Trained from scratch: no published weights are in them.")
    if network.weights == "hub":
        import timm

        known = timm.get_pretrained_cfg(network.name)
        terms = getattr(known, "license", None) or "see their page"
        return Licence(
            note=f"They started from timm's published weights {network.name} ({terms}), whose "
            f"terms hold for these too."
        )
    return Licence(note="They started from other weights, whose terms this package doesn't know.")
