"""From `network` options to a network."""

from __future__ import annotations

import importlib

import torch

from models.detection.networks.detector import Detector
from models.detection.networks.freezing import freeze
from models.detection.networks.options import NetworkOptions


def build_network(options: NetworkOptions, classes: int, *, pretrained: bool = False) -> Detector:
    """Build a detector with random weights; no hub and no file is needed.

    To rebuild a shipped network pass the network options of its `model.json` and load its weights
    with `models.training.weights.load_network_weights`.

    Args:
        options: the network's options.
        classes: number of classes.
        pretrained: start from the weights that `options.weights` names: for the start of a
            training.

    Raises:
        ValueError: no such backbone, too few feature maps, or weights that cannot be had.
    """
    module, function = options.entry.builder.split(":")
    build = getattr(importlib.import_module(f"models.detection.networks.{module}"), function)
    network: Detector = build(options, classes, pretrained=pretrained)
    if options.freeze:
        freeze(network.backbone(), options.freeze)
    return network.to(memory_format=torch.channels_last)
