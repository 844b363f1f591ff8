from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.detection.networks.building import build_network
from models.detection.networks.detector import Detector
from models.detection.networks.freezing import freeze
from models.detection.networks.options import NetworkOptions
from models.detection.options import TrainOptions
from models.training.weights import load_network_weights, network_weights

WEIGHT = "layer3.0.conv1.weight"
Make = Callable[..., TrainOptions]


def pictures(count: int = 2, side: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=generator)


def targets(*counts: int) -> list[dict[str, Tensor]]:
    return [
        {
            "class_labels": torch.arange(count) % 2,
            "boxes": torch.tensor([[0.3 + 0.1 * i, 0.5, 0.2, 0.3] for i in range(count)]).view(
                -1, 4
            ),
        }
        for count in counts
    ]


@pytest.fixture
def network(tiny: Make) -> Detector:
    torch.manual_seed(0)
    return build_network(tiny().network, 2)


def test_the_inference_view_gives_logits_and_relative_boxes(network: Detector) -> None:
    logits, boxes = network.eval()(pictures(3))
    assert logits.shape == (3, 10, 2)
    assert boxes.shape == (3, 10, 4)
    assert ((boxes[..., :2] > -0.5) & (boxes[..., :2] < 1.5)).all()


def test_rtdetrs_losses_equal_those_of_transformers_own_forward(tiny: Make) -> None:
    options = tiny().network.model_copy(update={"name": "rtdetr"})
    network = build_network(options, 2).train()
    torch.manual_seed(1)  # the denoising queries are drawn
    ours = network.losses(pictures(), targets(2, 1))
    torch.manual_seed(1)
    theirs = network.network(pixel_values=pictures(), labels=targets(2, 1))
    assert torch.stack(list(ours.values())).sum().item() == pytest.approx(theirs.loss.item())
    assert set(ours) == {"classification", "box L1", "GIoU"}


def test_training_lowers_every_part_that_measures_a_fit(network: Detector) -> None:
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    history = []
    for step in range(25):
        torch.manual_seed(step % 2)
        parts = network.losses(pictures(), targets(2, 1))
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        history.append({name: part.item() for name, part in parts.items()})
    for name in ("box L1", "GIoU"):
        assert history[-1][name] < 0.9 * history[0][name]
    assert sum(history[-1].values()) < 0.9 * sum(history[0].values())


@pytest.mark.parametrize("counts", [(0, 0), (0, 3), (12, 1)])
def test_any_number_of_objects_can_be_learned_from(
    network: Detector, counts: tuple[int, int]
) -> None:
    network.train()
    loss = torch.stack(list(network.losses(pictures(), targets(*counts)).values())).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert torch.isfinite(loss) and all(torch.isfinite(g).all() for g in gradients)


def test_in_bf16_the_loss_is_still_computed_in_float32(network: Detector) -> None:
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        parts = network.losses(pictures(), targets(2, 1))
    assert {part.dtype for part in parts.values()} == {torch.float32}


def test_a_batch_mate_changes_nothing(network: Detector) -> None:
    network.eval()
    with torch.inference_mode():
        alone, together = network(pictures(1)), network(pictures(3))
    for one, all_three in zip(alone, together, strict=True):
        torch.testing.assert_close(one[0], all_three[0], atol=1e-5, rtol=1e-4)


def test_weights_rebuild_the_network_from_its_options_alone(network: Detector, tiny: Make) -> None:
    weights = network_weights(network)
    # Heads that share tensors are stored once, as safetensors demands.
    assert len({value.data_ptr() for value in weights.values()}) == len(weights)
    text = tiny().network.model_dump_json()  # as in model.json
    torch.manual_seed(9)
    other = build_network(NetworkOptions.model_validate_json(text), 2)
    load_network_weights(other, weights)
    with torch.inference_mode():
        for one, same in zip(network.eval()(pictures()), other.eval()(pictures()), strict=True):
            assert torch.equal(one, same)


def test_weights_of_another_network_are_refused(network: Detector, tiny: Make) -> None:
    other = build_network(tiny(network={"hidden_width": 64}).network, 2)
    with pytest.raises(ValueError, match="not those of this network"):
        load_network_weights(other, network_weights(network))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backbone", "resnet18"),
        ("queries", 7),
        ("levels", 3),
        ("hidden_width", 64),
        ("decoder_layers", 3),
        ("denoising_queries", 0),
        ("image_size", 96),
    ],
)
def test_each_option_has_an_effect(tiny: Make, name: str, value: Any) -> None:
    def look(options: NetworkOptions) -> tuple[Any, ...]:
        network = build_network(options, 2).train()
        torch.manual_seed(0)
        side = options.image_size
        outputs = network.network.model(pictures(side=side), labels=targets(2, 1))
        return (
            {name: value.shape for name, value in network_weights(network).items()},
            outputs.intermediate_logits.shape,
            outputs.enc_outputs_class.shape,
        )

    base = tiny().network
    assert look(base) != look(base.model_copy(update={name: value}))


def test_a_frozen_batch_norm_keeps_its_statistics(tiny: Make, tmp_path: Path) -> None:
    file = tmp_path / "backbone.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    moved = {}
    for frozen in (False, True):
        options = tiny(network={"weights": str(file), "freeze_batch_norm": frozen}).network
        network = build_network(options, 2, pretrained=True).train()
        before = {k: v.clone() for k, v in network.backbone().state_dict().items()}
        network.losses(pictures(), targets(1, 1))
        after = network.backbone().state_dict()
        moved[frozen] = any(not torch.equal(after[k], v) for k, v in before.items())
    assert moved == {False: True, True: False}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_backbone_weights_come_from_a_file(tiny: Make, tmp_path: Path, suffix: str) -> None:
    source = timm.create_model("test_resnet").state_dict()
    file = tmp_path / f"backbone{suffix}"
    if suffix == ".pth":
        torch.save(source, file)
    else:
        save_file(source, file)
    options = tiny(network={"weights": str(file)}).network
    loaded: Any = build_network(options, 2, pretrained=True).backbone()
    fresh: Any = build_network(options, 2).backbone()
    for backbone, same in ((loaded, True), (fresh, False)):
        weight = backbone.model._backbone.state_dict()[WEIGHT]
        assert torch.equal(weight, source[WEIGHT]) is same


class _Trap:
    def __reduce__(self) -> Any:
        return print, ("code from a weights file ran",)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"backbone": "resnet10tt"}, "no model 'resnet10tt'.*resnet10t"),
        ({"backbone": "vit_tiny_patch16_224"}, "feature maps of stride 16, 16, 16"),
        ({"weights": "/nowhere/w.pth"}, "no file /nowhere/w.pth"),
        ({"weights": "trap.pth"}, "no file of plain tensors"),
        ({"weights": "other.pth"}, "does not fit 'test_resnet'"),
    ],
)
def test_what_cannot_be_built_is_one_clear_line(
    tiny: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    line: str,
) -> None:
    torch.save(_Trap(), tmp_path / "trap.pth")
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "other.pth")
    if changes.get("weights", "").endswith(("trap.pth", "other.pth")):
        changes = {"weights": str(tmp_path / changes["weights"])}
    with pytest.raises(ValueError, match=line) as caught:
        build_network(tiny(network=changes).network, 2, pretrained=True)
    assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out


def test_without_a_hub_its_weights_are_refused(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(timm.models._builder, "load_state_dict_from_hf", unreachable)
    options = tiny(network={"weights": "hub"}).network
    with pytest.raises(ValueError, match=r"from hub \(OSError: no route to host\)"):
        build_network(options, 2, pretrained=True)


@pytest.mark.parametrize(
    ("backbone", "parts"),
    [("test_resnet", 4), ("mobilenetv4_conv_small_050", 4), ("hgnetv2_b0", 4)],
)
def test_frozen_parts_of_a_backbone_learn_nothing(backbone: str, parts: int) -> None:
    network = timm.create_model(backbone, features_only=True, out_indices=(2, 3)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze(network, 2)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    torch.stack([one.square().mean() for one in network(pictures())]).sum().backward()
    optimizer.step()
    moved = {n for n, v in network.state_dict().items() if not torch.equal(v, before[n])}
    names = list(before)
    first = names.index(next(n for n in names if n in moved))
    assert 0 < first < len(names)  # all that lies before the first moved tensor has stood still,
    assert moved >= {n for n in names[first:] if n.endswith("running_mean")}  # and all after moved
    with pytest.raises(ValueError, match=f"network.freeze=9: the backbone has {parts} parts"):
        freeze(network, 9)


def test_the_option_freezes_the_backbone_and_nothing_else(tiny: Make, tmp_path: Path) -> None:
    file = tmp_path / "backbone.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    frozen = {}
    for count in (0, 1, 3):
        options = tiny(network={"weights": str(file), "freeze": count}).network
        network = build_network(options, 2, pretrained=True)
        frozen[count] = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert frozen[0] < frozen[1] < frozen[3]
    assert all("backbone" in name for name in frozen[3] - frozen[0])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"name": "dfin"}, "no 'dfin'; near it: dfine"),
        ({"name": "dfine-s", "levels": 2}, "network.levels=2 has no effect on dfine-s"),
        ({"name": "rtdetr-r18", "backbone": "resnet18"}, "network.backbone=resnet18 has no effect"),
        ({"freeze": 1}, "network.freeze needs network.weights"),
        ({"freeze_batch_norm": True}, "network.freeze_batch_norm needs network.weights"),
    ],
)
def test_options_that_do_not_apply_are_refused(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        NetworkOptions.model_validate(given)


def test_a_published_size_brings_its_own_defaults_and_a_package_keeps_them() -> None:
    published = NetworkOptions(name="dfine-s")
    assert (published.image_size, published.queries) == (640, 300)
    assert NetworkOptions(name="dfine-s", image_size=320).image_size == 320
    assert NetworkOptions.model_validate(published.model_dump()) == published
    assert (NetworkOptions().image_size, NetworkOptions().queries) == (320, 100)
