"""Which of timm's networks are built on attention, by name."""

from __future__ import annotations

import re

_ATTENTION = re.compile(
    r"(test_)?(vit|deit|beit|eva|swin|cait|xcit|twins|pvt|pit|levit|mvit|maxvit|maxxvit|coat|"
    r"crossvit|davit|gcvit|nest|convit|volo|visformer|flexivit|samvit|hiera|tiny_vit|edgenext|"
    r"efficientformer|mobilevit|tnt|caformer|naflexvit|aimv2|lambda|halonet|botnet)"
)


def attends(name: str) -> bool:
    """Tell whether a network is built on attention, which is quantised in a way of its own."""
    return bool(_ATTENTION.match(name))
