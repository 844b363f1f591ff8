"""PyTorch's compiler on a network without transformers, whose results it must keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.package import Input, ModelCard, ModelClass, ModelPackage, NewArtifact, Preprocessing
from models.runtimes import load_predictor
from models.training.weights import network_weights


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_compiled_is_the_same_at_any_batch_size(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    options = NetworkOptions(
        name="ssd", backbone="test_resnet", image_size=96, hidden_width=32, levels=2
    )
    network = build_network(options, 2).eval()
    save_file(network_weights(network), tmp_path / "weights")
    card = ModelCard(
        family="detection",
        network=options.model_dump(mode="json"),
        classes=(ModelClass(name="red"), ModelClass(name="blue")),
        input=Input(shape=("batch", 96, 96, 3)),
        preprocessing=Preprocessing(height=96, width=96),
        outputs=network.outputs(),
        postprocessing=network.postprocessing().model_dump(mode="json"),
    )
    weights = NewArtifact("safetensors", {"weights.safetensors": tmp_path / "weights"})
    package = ModelPackage.create(tmp_path / "package", card, [weights])
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (80, 100, 3), dtype=np.uint8) for _ in range(3)]
    with (
        load_predictor(package, "torch", "cpu", 1) as eager,
        load_predictor(package, "torch", "cpu", 1, compiled=True) as compiled,
    ):
        assert hasattr(compiled.engine._network, "_orig_mod")  # type: ignore[attr-defined]
        for count in (1, 3, 2):
            expected, found = (one.raw(pictures[:count])[0] for one in (eager, compiled))
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_allclose(other, one, atol=1e-5)
