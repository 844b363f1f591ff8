"""Networks: their sizes agree with what they compute, and what doesn't go together is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from models.ocr.networks.building import build_network
from models.ocr.networks.complexity import complexity
from models.ocr.networks.listing import NETWORKS, listing
from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.sizes import check_room, sizes
from models.ocr.sequence import longest, steps_needed

GIVEN: list[dict[str, Any]] = [
    {"name": "crnn"},
    {"name": "crnn", "recurrent": "gru", "layers": 2, "bidirectional": False, "hidden": 64},
    {"name": "crnn", "recurrent": "none", "features": 64},
    {"name": "crnn", "backbone": "resnet10t", "stage": 3, "stride": 8},
    {"name": "crnn", "backbone": "resnet18", "stage": 2, "height": 96, "width": 352},
    {"name": "crnn", "backbone": "mobilenetv3_small_050", "stage": 2, "stride": 8},
    {"name": "svtr"},
    {"name": "svtr", "stride": 8, "width": 256},
    {"name": "svtr", "stride": 2, "height": 48},
    {"name": "svtr", "attention": 0, "widths": [16, 32, 48], "depths": [1, 0, 1]},
    {"name": "svtr", "attention": 5, "rates": [1, 2]},
]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: " ".join(map(str, given.values())))
def test_the_sequence_is_as_long_as_foretold(given: dict[str, Any]) -> None:
    options = NetworkOptions.model_validate(given)
    network = build_network(options, 10).eval()
    pixels = torch.zeros(2, 3, options.height, options.width)
    (found,) = network(pixels)
    assert found.shape == (2, sizes(options).steps, 11)
    assert found.shape[1] == network.steps == options.width // options.stride
    assert network.outputs()[0].shape == ("batch", network.steps, 11)
    assert found.exp().sum(-1).detach() == pytest.approx(torch.ones(2, network.steps), abs=1e-4)
    for width in (options.width - 64, options.width + 64):
        other = torch.zeros(1, 3, options.height, width)
        assert network(other)[0].shape[1] == width // options.stride


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden": 64}, "network.hidden is crnn's and has no effect on svtr"),
        ({"name": "crnn", "attention": 1}, "network.attention is svtr's"),
        ({"height": 12}, "multiple of 8"),
        ({"widths": [16, 20, 48]}, "multiples of 16"),
        ({"attention": 9}, "there are only 5 blocks"),
        ({"stride": 16}, "svtr takes 2, 4 or 8"),
        ({"stride": 3}, "2, 4, 8 or 16"),
    ],
)
def test_refused_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkOptions.model_validate(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "crnn", "backbone": "resnet19"}, "timm has no model 'resnet19'; near it: "),
        ({"name": "crnn", "stage": 7}, "has the feature maps 0 to 4"),
        ({"name": "crnn", "stage": 1, "stride": 16}, "has a column for each 4 pixels"),
        ({"name": "svtr", "height": 8}, "has no row left"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sizes(NetworkOptions.model_validate(given))


@pytest.mark.parametrize(
    ("text", "steps"), [("", 0), ("7", 1), ("12", 2), ("11", 3), ("4006381333931", 16)]
)
def test_steps_of_a_text(text: str, steps: int) -> None:
    assert steps_needed(text) == steps


def test_the_text_with_the_most_steps() -> None:
    assert longest(["123456", "11111", "12"]) == "11111"
    assert longest([]) == ""


def test_a_sequence_too_short_is_refused_with_the_figures() -> None:
    options = NetworkOptions(width=96, stride=8)
    with pytest.raises(ValueError) as caught:
        check_room(options, "1111111")
    said = str(caught.value)
    assert "12 steps (network.width=96, network.stride=8)" in said
    assert "'1111111' needs 13: 7 characters and 6 blanks" in said
    assert "network.stride=4 or network.width=104" in said
    assert check_room(NetworkOptions(width=96, stride=4), "1111111").steps == 24
    assert check_room(NetworkOptions(width=104, stride=8), "1111111").steps == 13


def test_sixty_four_characters_fit_where_there_is_room() -> None:
    text = "01" * 32
    assert check_room(NetworkOptions(width=256), text).steps == 64
    with pytest.raises(ValueError, match="64 characters and 0 blanks"):
        check_room(NetworkOptions(width=192), text)


def test_a_backbone_starts_from_a_local_file(tmp_path: Any) -> None:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(1)
    whole = timm.create_model("mobilenetv4_conv_small_050")
    file = tmp_path / "weights.safetensors"
    save_file(whole.state_dict(), file)
    options = NetworkOptions(name="crnn", weights=str(file))
    started = build_network(options, 10, pretrained=True).backbone().state_dict()
    assert (started["conv_stem.weight"] == whole.state_dict()["conv_stem.weight"]).all()
    other = NetworkOptions(name="crnn", weights=str(file), backbone="mobilenetv4_conv_small")
    with pytest.raises(ValueError, match="does not fit mobilenetv4_conv_small"):
        build_network(other, 10, pretrained=True)
    with pytest.raises(ValueError, match="there is no"):
        build_network(NetworkOptions(name="crnn", weights="nowhere"), 10, pretrained=True)


def test_the_table_holds_what_is_counted() -> None:
    for name, (parameters, gflops, _) in NETWORKS.items():
        options = NetworkOptions.model_validate({"name": name})
        counted = complexity(options)
        assert (parameters, gflops) == pytest.approx(counted[:2], abs=0.006)
        (row,) = listing(name).rows
        assert row["steps"] == counted[2]
    assert listing("resnet").rows == []
    assert listing("svtr", latency=True).rows[0]["latency_ms"] > 0
