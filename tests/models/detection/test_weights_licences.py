from __future__ import annotations

import pytest

from models.detection.networks.licence import licence_of
from models.detection.networks.options import NetworkOptions


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"name": "dfine"}, "from scratch"),
        ({"name": "dfine", "weights": "hub"}, "timm's weights"),
        ({"name": "dfine-n", "weights": "hub"}, "published weights of dfine-n (Apache-2.0)"),
        ({"name": "deimv2-s", "weights": "hub"}, "DINOv3 License (Meta)"),
        ({"name": "deimv2-x", "weights": "hub"}, "DINOv3 License (Meta)"),
        ({"name": "deimv2-n", "weights": "hub"}, "published weights of deimv2-n (Apache-2.0)"),
        ({"name": "dfine-n", "weights": "mine.safetensors"}, "a local file"),
    ],
)
def test_the_start_of_the_weights_is_named(options: dict[str, str], note: str) -> None:
    found = licence_of(NetworkOptions.model_validate(options))
    assert note in found.note
    assert found.id == "unstated"
    assert ("hold for these too" in found.note) == ("DINOv3" in note)
