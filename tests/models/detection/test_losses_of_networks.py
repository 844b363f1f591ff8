"""What training asks of any network: class targets that can be smoothed, and other input sizes."""

from __future__ import annotations

import pytest
import torch

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.training.smoothing import smoothed
from tests.models.detection.conftest import TINY

NETWORKS = ("dfine", "rtdetr", "rtdetrv2")
TARGET = {
    "class_labels": torch.tensor([0, 1]),
    "boxes": torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.7, 0.6, 0.3, 0.4]]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_label_smoothing_changes_the_class_loss_alone(name: str) -> None:
    torch.manual_seed(0)
    options = NetworkOptions.model_validate({**TINY["network"], "name": name, "image_size": 96})
    network = build_network(options, 2)
    pixels = torch.randn(2, 3, 96, 96)
    targets = [TARGET, {key: value[:0] for key, value in TARGET.items()}]

    def losses(amount: float) -> dict[str, float]:
        torch.manual_seed(1)
        network.train()
        if not amount:
            return {k: float(v.detach()) for k, v in network.losses(pixels, targets).items()}
        found = smoothed(amount, 2, network.class_loss, lambda: network.losses(pixels, targets))
        return {k: float(v.detach()) for k, v in found.items()}

    for module in network.modules():  # batch statistics are the same each time, not the running
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    plain, again, smooth = losses(0.0), losses(0.0), losses(0.3)
    assert plain == again
    assert smooth["classification"] != plain["classification"]
    others = set(plain) - {"classification"}
    assert {name: smooth[name] for name in others} == {name: plain[name] for name in others}


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_other_sizes_train(name: str) -> None:
    options = NetworkOptions.model_validate({**TINY["network"], "name": name, "image_size": 96})
    network = build_network(options, 2).train()
    for side in (64, 96, 128):
        parts = network.losses(torch.randn(1, 3, side, side), [TARGET])
        assert all(torch.isfinite(part) for part in parts.values())
    network.eval()
    with torch.no_grad():
        assert network(torch.randn(1, 3, 96, 96))[0].shape[1] == options.queries
