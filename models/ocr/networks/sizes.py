"""Does the output sequence have room for the texts? All sizes of a network, checked together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.ocr.networks.options import NetworkOptions
from models.ocr.sequence import steps_needed


@dataclass(frozen=True)
class Sizes:
    """What a network makes of a picture."""

    steps: int
    """Length of the output sequence."""
    stride: int
    """Pixels of the input's width for a step."""
    channels: int
    """Of the feature map that becomes the sequence."""
    rows: int
    """Of that feature map."""


def sizes(options: NetworkOptions) -> Sizes:
    """Find the sizes of a network without computing anything.

    Raises:
        ValueError: options that don't go together.
    """
    with torch.device("meta"):
        if options.name == "crnn":
            from models.ocr.networks.crnn import columns_of, cut_backbone

            steps, channels, rows = columns_of(cut_backbone(options), options)
            return Sizes(steps, options.stride, channels, rows)
        from models.ocr.networks.svtr import Svtr

        network = Svtr(options, 2)
        rows = options.rows // 4 // (options.rates[0] * options.rates[1])
        return Sizes(network.steps, options.stride, options.widths[-1], rows)


def check_room(options: NetworkOptions, longest: str) -> Sizes:
    """Make sure that the sequence has room for the text that takes the most steps.

    Raises:
        ValueError: it hasn't, with the figures and what to change.
    """
    found = sizes(options)
    needed = steps_needed(longest)
    if needed <= found.steps:
        return found
    repeats = needed - len(longest)
    width = -(-needed * options.stride // 8) * 8
    ways = [f"network.width={width}"]
    if options.stride > 2:
        finer: int = options.stride
        while finer > 2 and options.width // finer < needed:
            finer //= 2
        if options.width // finer >= needed:
            ways.insert(0, f"network.stride={finer}")
    shown = longest if len(longest) <= 40 else f"{longest[:37]}..."
    raise ValueError(
        f"the output sequence is too short: {found.steps} steps (network.width={options.width}, "
        f"network.stride={options.stride}), but '{shown}' needs {needed}: {len(longest)} "
        f"characters and {repeats} blanks between equal neighbours; set {' or '.join(ways)}, or "
        f"leave such texts out with prepare's max_length"
    )
