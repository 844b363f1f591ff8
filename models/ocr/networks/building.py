"""From `network` options to a network."""

from __future__ import annotations

from typing import cast

import torch

from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.reader import Reader


def build_network(options: NetworkOptions, characters: int, *, pretrained: bool = False) -> Reader:
    """Build a reader with random weights; no hub and no file is needed.

    Args:
        options: the network's options.
        characters: size of the vocabulary; the blank comes on top.
        pretrained: start from the weights that `options.weights` names: for the start of a
            training.

    Raises:
        ValueError: options that don't go together, or weights that cannot be had.
    """
    network: Reader
    if options.name == "crnn":
        from models.ocr.networks.crnn import Crnn

        crnn = Crnn(options, characters + 1)
        if pretrained and options.weights != "none":
            from models.ocr.networks.starting import start_backbone

            start_backbone(crnn.features, options)
        network = crnn
    else:
        from models.ocr.networks.svtr import Svtr

        network = Svtr(options, characters + 1)
    return cast(Reader, network.to(memory_format=torch.channels_last))
