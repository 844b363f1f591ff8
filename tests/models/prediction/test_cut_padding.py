"""A letterbox cut away: where it is allowed, and what changes then."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.families import family
from models.package import Input, ModelCard, ModelClass, ModelPackage, NewArtifact
from models.prediction.padding import Unpadded, check_cutting
from models.preprocessing import Preprocessing
from models.reporting import Image
from models.runtimes import load_predictor
from models.training.weights import network_weights
from tests.models.prediction.conftest import Case, write_video

SIDE = 192


def package(
    folder: Path, backbone: str = "test_resnet.r160_in1k", name: str = "yolox"
) -> ModelPackage:
    """Make an untrained dense network that is sure of something everywhere."""
    options = NetworkOptions(name=name, backbone=backbone, image_size=SIDE, hidden_width=32)
    torch.manual_seed(0)
    network = build_network(options, 2)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    folder.mkdir(parents=True)
    save_file(network_weights(network), folder / "weights")
    card = ModelCard(
        family="detection",
        network=options.model_dump(mode="json"),
        classes=(ModelClass(name="red"), ModelClass(name="blue")),
        input=Input(shape=("batch", SIDE, SIDE, 3)),
        preprocessing=Preprocessing(height=SIDE, width=SIDE),
        outputs=network.outputs(),
        postprocessing=network.postprocessing().model_dump(mode="json"),
    )
    weights = NewArtifact("safetensors", {"weights.safetensors": folder / "weights"})
    return ModelPackage.create(folder / "package", card, [weights])


def pictures(*shapes: tuple[int, int]) -> list[Image]:
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in shapes]


def test_places_find_the_same_where_padding_was_cut(tmp_path: Path) -> None:
    """Whole strides are cut, so that the grid of places stays where it was."""
    made = package(tmp_path / "p")
    (wide,) = pictures((20, SIDE))
    with load_predictor(made, "torch", "cpu", 1) as predictor:
        cut = Unpadded(predictor, 0.0)
        inputs, placements = made.card.preprocessing([wide])
        smaller, moved = cut._cut(inputs[0], placements[0])
        assert smaller.shape == (128, SIDE, 3) and moved.top == placements[0].top - 32
        assert np.array_equal(smaller, inputs[0, 32:160])
        full, less = predictor.engine(inputs), predictor.engine(smaller[None])
    # The finest map: stride 8, 24 x 24 places against 16 x 24 of them. Those of the picture:
    picture = slice(86 // 8 - 4, 106 // 8 - 4)
    scores = full[0][0, : 24 * 24].reshape(24, 24, 2)[4:20][picture]
    boxes = full[1][0, : 24 * 24].reshape(24, 24, 4)[4:20][picture] * np.float32([SIDE] * 4)
    other_scores = less[0][0, : 16 * 24].reshape(16, 24, 2)[picture]
    other_boxes = less[1][0, : 16 * 24].reshape(16, 24, 4)[picture]
    other_boxes = other_boxes * np.float32([SIDE, 128] * 2)
    assert np.abs(scores - other_scores).max() < 0.005
    assert np.abs(boxes - np.float32([0, 32, 0, 0]) - other_boxes).max() < 0.1


def test_a_picture_without_padding_to_cut_finds_exactly_the_same(tmp_path: Path) -> None:
    made = package(tmp_path / "p")
    images = pictures((192, 192), (80, 192), (256, 200))
    with load_predictor(made, "torch", "cpu", 1) as predictor:
        expected = [predictor([image], 0.1)[0] for image in images]
        found = Unpadded(predictor, 0.1)(images)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_mixed_sizes_keep_their_order_and_their_pixels(tmp_path: Path) -> None:
    made = package(tmp_path / "p")
    images = pictures((40, 256), (256, 40), (128, 128), (20, 128), (30, 192))
    with load_predictor(made, "torch", "cpu", 1) as predictor:
        cut = Unpadded(predictor, 0.0)
        together = cut(images)
        alone = [cut([image])[0] for image in images]
    for image, one, other in zip(images, together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert len(one) and one.boxes[:, 2].max() <= image.shape[1]
        assert one.boxes[:, 3].max() <= image.shape[0]


@pytest.mark.parametrize(
    ("name", "backbone", "allowed"),
    [
        ("yolox", "auto", True),
        ("yolox", "resnet18", True),
        ("yolox", "mobilenetv4_conv_small_050", True),
        ("yolox-nano", "auto", True),
        ("yolox", "mobilenetv3_small_050", False),
        ("yolox", "resnetrs50", False),
        ("yolox", "resnetv2_50", False),
        ("ssd", "auto", False),
        ("atss", "auto", False),
        ("dfine", "auto", False),
        ("rtdetr", "auto", False),
        ("rfdetr-n", "auto", False),
    ],
)
def test_where_it_is_allowed(card: ModelCard, name: str, backbone: str, allowed: bool) -> None:
    options = NetworkOptions(name=name, backbone=backbone, image_size=384)
    described = card.model_copy(update={"network": options.model_dump(mode="json")})
    assert family("detection").input_step(described) == (32 if allowed else None)


@pytest.mark.parametrize("name", ["resnet10t", "resnet18", "mobilenetv4_conv_small_050"])
def test_allowed_backbones_look_at_surroundings_only(name: str) -> None:
    model = timm.create_model(name, features_only=True, pretrained=False)
    layers = {type(layer).__name__ for layer in model.modules()}
    looks_at_all = re.compile("AdaptiveAvg|SqueezeExcite|SEModule|GroupNorm|Attention|LayerNorm")
    assert not {one for one in layers if looks_at_all.search(one)}


def test_it_is_refused_with_the_reason(run: Case, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dfine finds other boxes on another input size"):
        run(photos, cut_padding=True)
    made = package(tmp_path / "p")
    with pytest.raises(ValueError, match="openvino runs inputs of one size; use runtime torch"):
        check_cutting(made, "openvino")
    stretched = made.card.preprocessing.model_copy(update={"resize_mode": "stretch"})
    changed = made.card.model_copy(update={"preprocessing": stretched})
    with pytest.raises(ValueError, match="there is no padding"):
        check_cutting(ModelPackage(changed, made.folder, made.sources), "torch")
    assert not run.out.exists()


def test_the_option_makes_the_input_smaller(
    run: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.runtimes.torch_engine import TorchEngine

    run.package = package(tmp_path / "p").folder
    video = write_video(tmp_path / "in" / "wide.avi", 2, (192, 24))
    seen: list[tuple[int, ...]] = []
    call = TorchEngine.__call__

    def watched(self: TorchEngine, inputs: np.ndarray) -> object:
        seen.append(inputs.shape)
        return call(self, inputs)

    monkeypatch.setattr(TorchEngine, "__call__", watched)
    run(video, cut_padding=True)
    run(video)
    assert seen == [(1, 128, SIDE, 3)] * 2 + [(1, SIDE, SIDE, 3)] * 2
