from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models.detection.networks import deimv2
from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions

SMALL = {"name": "deimv2-atto", "image_size": 320}  # the smallest there is: half a million weights


def published(folder: Path, classes: int = 3) -> dict[str, torch.Tensor]:
    """Write a snapshot as the hub's client would store it."""
    torch.manual_seed(7)
    network: Any = build_network(NetworkOptions.model_validate(SMALL), classes)
    network.network.save_pretrained(folder)
    return {
        name: value.clone().contiguous() for name, value in network.network.state_dict().items()
    }


def inner(weights: str, classes: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(8)
    options = NetworkOptions.model_validate({**SMALL, "weights": weights})
    network: Any = build_network(options, classes, pretrained=True)
    state: dict[str, torch.Tensor] = network.network.state_dict()
    return state


@pytest.mark.parametrize("form", ["folder", "model.safetensors", "weights.pth"])
def test_a_local_copy_is_loaded_whole(tmp_path: Path, form: str) -> None:
    source = published(tmp_path)
    if form == "weights.pth":
        torch.save(source, tmp_path / form)
    loaded = inner(str(tmp_path if form == "folder" else tmp_path / form))
    assert all(torch.equal(loaded[name], value) for name, value in source.items())
    fresh = inner("none")
    assert not all(torch.equal(fresh[name], value) for name, value in source.items())


def test_class_heads_of_another_size_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = published(tmp_path, classes=5)
    with caplog.at_level(logging.WARNING):
        loaded = inner(str(tmp_path), classes=2)
    other = {name for name, value in source.items() if loaded[name].shape != value.shape}
    assert other
    assert all(name in caplog.text for name in other if "denoising" not in name)
    assert all(torch.equal(loaded[n], v) for n, v in source.items() if n not in other)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    source = published(tmp_path)
    lost = next(name for name in source if name.startswith("model.encoder.") and "weight" in name)
    save_file({n: v for n, v in source.items() if n != lost}, tmp_path / "lacking.safetensors")
    with pytest.raises(ValueError, match=rf"does not fit deimv2-atto: 1 tensors.*{lost}"):
        inner(str(tmp_path / "lacking.safetensors"))


def test_the_hubs_own_cache_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client has fetched once is enough, without a network."""
    import huggingface_hub.constants as hub

    repository = NetworkOptions(name="deimv2-atto").entry.hub["coco"]
    folder = tmp_path / f"models--{repository.replace('/', '--')}"
    source = published(folder / "snapshots" / "0")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    loaded = inner("hub")
    assert all(torch.equal(loaded[name], value) for name, value in source.items())


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ("hub", "no weights of deimv2-atto from Intellindust/DEIMv2_HGNetv2_ATTO_COCO"),
        ("hub:objects365", "has no such published weights; there are: hub:coco"),
        ("/nowhere", "there is no file /nowhere"),
    ],
)
def test_weights_that_cannot_be_had_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str, line: str
) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=line) as caught:
        inner(weights)
    assert "\n" not in str(caught.value)


def test_every_preset_is_in_the_catalogue() -> None:
    assert all(NetworkOptions(name=name).entry.published for name in deimv2.PRESETS)
