"""What training asks of any network: class targets that can be smoothed, and other input sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.training.smoothing import smoothed

BASE = {"backbone": "test_resnet", "levels": 2, "hidden_width": 32, "image_size": 96}
QUERIES = {"decoder_layers": 2, "queries": 10, "denoising_queries": 8}
NETWORKS: dict[str, dict[str, Any]] = {
    "dfine": {**BASE, **QUERIES},
    "rtdetr": {**BASE, **QUERIES},
    "rtdetrv2": {**BASE, **QUERIES},
    "deimv2-atto": {"image_size": 96, "queries": 10},
    "rfdetr-n": {"image_size": 96, "queries": 10},
    "yolox": {"backbone": "resnet10t", "hidden_width": 32, "image_size": 96},
    "yolox-nano": {"image_size": 96},
    "ssd": BASE,
    "atss": BASE,
}
MULTISCALE = tuple(name for name in NETWORKS if not name.startswith("rfdetr"))
TARGET = {
    "class_labels": torch.tensor([0, 1]),
    "boxes": torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.7, 0.6, 0.3, 0.4]]),
}


def test_a_loss_without_class_targets_refuses_label_smoothing() -> None:
    network = build_network(
        NetworkOptions.model_validate({"name": "rfdetr-n", **NETWORKS["rfdetr-n"]}), 2
    )
    with pytest.raises(ValueError, match="label_smoothing has no effect on this network"):
        smoothed(
            0.1, 2, network.class_loss, lambda: network.losses(torch.rand(1, 3, 96, 96), [TARGET])
        )


@pytest.mark.parametrize("name", MULTISCALE)
def test_label_smoothing_changes_the_class_loss_alone(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkOptions.model_validate({"name": name, **NETWORKS[name]}), 2)
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


@pytest.mark.parametrize("name", MULTISCALE)
def test_batches_of_other_sizes_train(name: str) -> None:
    options = NetworkOptions.model_validate({"name": name, **NETWORKS[name]})
    network = build_network(options, 2).train()
    for side in (64, 96, 128):
        parts = network.losses(torch.randn(1, 3, side, side), [TARGET])
        assert all(torch.isfinite(part) for part in parts.values())
    network.eval()
    with torch.no_grad():
        for found, told in zip(network(torch.randn(1, 3, 96, 96)), network.outputs(), strict=True):
            assert found.shape[1:] == told.shape[1:]


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bf16_the_loss_is_float32_and_near_that_of_float32(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkOptions.model_validate({"name": name, **NETWORKS[name]}), 2)
    pixels, totals = torch.randn(2, 3, 96, 96), []
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            parts = network.train().losses(pixels, [TARGET, TARGET])
        assert {part.dtype for part in parts.values()} == {torch.float32}
        totals.append(sum(part.item() for part in parts.values()))
    assert totals[1] == pytest.approx(totals[0], rel=0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_output_that_is_no_number_ends_training(name: str) -> None:
    network = build_network(NetworkOptions.model_validate({"name": name, **NETWORKS[name]}), 2)
    for weight in network.parameters():
        weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="no finite number"):
        network.train().losses(torch.randn(1, 3, 96, 96), [TARGET])
