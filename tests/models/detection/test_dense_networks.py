"""YOLOX, SSD and ATSS as modules: published names, weights, options."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.detection.options import TrainOptions
from models.detection.train import preprocessing_of
from models.normalisation import Normalisation

PUBLISHED = {
    "yolox-s": {
        "backbone.backbone.stem.conv.conv.weight": (32, 12, 3, 3),
        "backbone.backbone.stem.conv.bn.running_mean": (32,),
        "backbone.backbone.dark2.0.conv.weight": (64, 32, 3, 3),
        "backbone.backbone.dark2.1.conv1.conv.weight": (32, 64, 1, 1),
        "backbone.backbone.dark2.1.m.0.conv2.bn.weight": (32,),
        "backbone.backbone.dark3.1.m.2.conv2.conv.weight": (64, 64, 3, 3),
        "backbone.backbone.dark5.1.conv2.conv.weight": (512, 1024, 1, 1),
        "backbone.backbone.dark5.2.conv3.conv.weight": (512, 512, 1, 1),
        "backbone.lateral_conv0.conv.weight": (256, 512, 1, 1),
        "backbone.C3_p4.conv1.conv.weight": (128, 512, 1, 1),
        "backbone.reduce_conv1.conv.weight": (128, 256, 1, 1),
        "backbone.C3_p3.m.0.conv1.conv.weight": (64, 64, 1, 1),
        "backbone.bu_conv2.conv.weight": (128, 128, 3, 3),
        "backbone.C3_n3.conv3.conv.weight": (256, 256, 1, 1),
        "backbone.bu_conv1.bn.num_batches_tracked": (),
        "backbone.C3_n4.conv2.conv.weight": (256, 512, 1, 1),
        "head.stems.2.conv.weight": (128, 512, 1, 1),
        "head.cls_convs.0.1.conv.weight": (128, 128, 3, 3),
        "head.reg_convs.1.0.bn.bias": (128,),
        "head.cls_preds.0.weight": (80, 128, 1, 1),
        "head.reg_preds.1.weight": (4, 128, 1, 1),
        "head.obj_preds.2.bias": (1,),
    },
    "yolox-nano": {
        "backbone.backbone.stem.conv.conv.weight": (16, 12, 3, 3),
        "backbone.backbone.dark2.0.dconv.conv.weight": (16, 1, 3, 3),
        "backbone.backbone.dark2.0.pconv.conv.weight": (32, 16, 1, 1),
        "backbone.backbone.dark3.1.m.0.conv2.dconv.conv.weight": (32, 1, 3, 3),
        "backbone.bu_conv2.pconv.conv.weight": (64, 64, 1, 1),
        "head.cls_convs.0.0.dconv.conv.weight": (64, 1, 3, 3),
    },
}
"""Names and shapes of the authors' checkpoints, 80 classes."""


def options(**changes: Any) -> NetworkOptions:
    return NetworkOptions.model_validate({"name": "yolox-nano", "image_size": 96, **changes})


@pytest.mark.parametrize("name", PUBLISHED)
def test_tensors_have_the_published_names_and_shapes(name: str) -> None:
    network: Any = build_network(NetworkOptions(name=name), 80)
    state = {key: tuple(value.shape) for key, value in network.network.state_dict().items()}
    assert {key: state.get(key) for key in PUBLISHED[name]} == PUBLISHED[name]
    assert all(key.startswith(("backbone.", "head.")) for key in state)


def checkpoint(file: Path, classes: int = 2) -> dict[str, torch.Tensor]:
    """Write weights as the authors store them."""
    torch.manual_seed(7)
    network: Any = build_network(options(), classes)
    for layer in network.network.head.reg_preds:  # of chance they'd say next to nothing
        layer.weight.data *= 100
    state = {key: value.clone() for key, value in network.network.state_dict().items()}
    torch.save({"start_epoch": 300, "model": state}, file)
    return state


def test_published_weights_see_blue_green_red_bytes(tmp_path: Path) -> None:
    """The authors feed BGR from 0 to 255; we feed RGB, normalised for this network."""
    state = checkpoint(tmp_path / "yolox_nano.pth")
    given = options(weights=str(tmp_path / "yolox_nano.pth"))
    ours: Any = build_network(given, 2, pretrained=True).eval()
    theirs: Any = build_network(options(), 2).eval()
    theirs.network.load_state_dict(state)
    image = torch.randint(0, 256, (1, 96, 96, 3), dtype=torch.uint8)
    normalise = Normalisation(preprocessing_of(TrainOptions(network=given)))
    with torch.inference_mode():
        found = ours(normalise(image))
        bgr = image.permute(0, 3, 1, 2).flip(1).float()
        for one, other in zip(found, theirs(bgr), strict=True):
            torch.testing.assert_close(one, other)
        assert not torch.allclose(found[1], theirs(bgr.flip(1))[1])


def test_class_heads_of_another_number_start_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = checkpoint(tmp_path / "w.pth", classes=5)
    given = options(weights=str(tmp_path / "w.pth"))
    with caplog.at_level(logging.WARNING):
        network: Any = build_network(given, 2, pretrained=True)
    assert "head.cls_preds.0.weight" in caplog.text
    loaded = network.network.state_dict()
    assert torch.equal(loaded["head.obj_preds.0.weight"], state["head.obj_preds.0.weight"])
    assert loaded["head.cls_preds.0.weight"].shape[0] == 2


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda f: torch.save({"a": torch.zeros(1)}, f / "w"), "does not fit yolox-nano"),
        (lambda f: (f / "w").write_bytes(b"no weights"), "no file of plain tensors"),
        (lambda f: (f / "w").mkdir(), "starts from a file"),
    ],
)
def test_what_is_no_such_weights_is_one_clear_line(tmp_path: Path, make: Any, line: str) -> None:
    make(tmp_path)
    with pytest.raises(ValueError, match=line) as caught:
        build_network(options(weights=str(tmp_path / "w")), 2, pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["yolox", "ssd", "atss"])
def test_a_timm_backbone_starts_from_a_file_and_can_be_frozen(tmp_path: Path, name: str) -> None:
    source = timm.create_model("resnet10t").state_dict()
    save_file(source, tmp_path / "resnet10t.safetensors")
    base = {
        "name": name,
        "backbone": "resnet10t",
        "image_size": 64,
        "hidden_width": 32,
        "weights": str(tmp_path / "resnet10t.safetensors"),
    }
    network = build_network(NetworkOptions.model_validate(base), 2, pretrained=True)
    weight = network.backbone().state_dict()["layer4.0.conv1.weight"]
    assert torch.equal(weight, source["layer4.0.conv1.weight"])
    target = {"class_labels": torch.tensor([0]), "boxes": torch.tensor([[0.5, 0.5, 0.4, 0.4]])}
    for change, stays in (
        ({}, ()),
        ({"freeze": 2}, ("conv1.0.weight", "layer1.0.conv1.weight", "bn1.running_mean")),
        ({"freeze_batch_norm": True}, ("bn1.running_mean", "layer4.0.bn1.weight")),
    ):
        network = build_network(NetworkOptions.model_validate(base | change), 2, pretrained=True)
        before = {k: v.clone() for k, v in network.backbone().state_dict().items()}
        optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
        parts = network.train().losses(torch.rand(2, 3, 64, 64), [target, target])
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        after = network.backbone().state_dict()
        still = {k for k, v in before.items() if torch.equal(after[k], v)}
        assert set(stays) <= still, change
        assert "layer4.0.downsample.1.weight" not in still  # others start behind a zero


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("yolox", {"hidden_width": 64}),
        ("yolox", {"backbone": "resnet18"}),
        ("ssd", {"hidden_width": 64}),
        ("ssd", {"levels": 2}),
        ("ssd", {"backbone": "resnet10t"}),
        ("atss", {"hidden_width": 32}),
        ("atss", {"levels": 2}),
        ("atss", {"backbone": "resnet10t"}),
    ],
)
def test_each_option_changes_the_network(name: str, change: dict[str, Any]) -> None:
    def shapes(**given: Any) -> dict[str, Any]:
        chosen = NetworkOptions.model_validate({"name": name, "image_size": 64, **given})
        with torch.device("meta"):
            return {k: v.shape for k, v in build_network(chosen, 2).state_dict().items()}

    assert shapes() != shapes(**change)


@pytest.mark.parametrize("name", ["yolox", "ssd", "atss", "yolox-s"])
@pytest.mark.parametrize("option", ["queries", "denoising_queries", "decoder_layers"])
def test_options_of_queries_are_refused(name: str, option: str) -> None:
    with pytest.raises(ValueError, match=f"network.{option}=2 has no effect on {name}"):
        NetworkOptions.model_validate({"name": name, option: 2})


def test_the_automatic_backbone_is_mobilenetv2_where_the_network_is_made_for_it() -> None:
    assert NetworkOptions(name="ssd").timm_backbone == "mobilenetv2_100"
    assert NetworkOptions(name="atss").timm_backbone == "mobilenetv2_100"
    assert NetworkOptions(name="yolox").timm_backbone == "resnet10t"
    assert (NetworkOptions(name="atss").hidden_width, NetworkOptions().hidden_width) == (64, 128)


def test_pixels_come_as_each_networks_weights_were_made_for(tmp_path: Path) -> None:
    def means(**network: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
        found = preprocessing_of(TrainOptions.model_validate({"network": network}))
        return found.mean, found.std

    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    plain = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert means(name="dfine") == imagenet
    assert means(name="dfine-s") == means(name="rtdetr-r18") == means(name="deimv2-pico") == plain
    assert means(name="rfdetr-n") == means(name="deimv2-s") == imagenet
    half = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert means(name="dfine", backbone="mobilenetv3_large_100", weights="hub") == imagenet
    assert means(name="dfine", backbone="tf_efficientnet_es", weights="hub") == half
