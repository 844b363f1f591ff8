"""Every family of networks through the stages: train, tune, evaluate, export with parity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.package import ModelPackage
from tests.components.test_local_chain import run_stage
from tests.models.detection.conftest import write_shapes

SIZES = {"train": 96, "val": 24, "test": 24}
TIMM = {"network.backbone": "resnet10t", "network.hidden_width": "64", "network.image_size": "96"}
QUERIES = {"network.queries": "30", "network.levels": "2", "network.decoder_layers": "2"}
NETWORKS: dict[str, dict[str, str]] = {
    "dfine": TIMM | QUERIES,
    "rtdetr": TIMM | QUERIES,
    "rtdetrv2": TIMM | QUERIES,
    "deimv2-atto": {"network.image_size": "128", "network.queries": "30"},
    "rfdetr-n": {
        "network.image_size": "96",
        "network.queries": "20",
        # A vision transformer from scratch: at 1e-3 it learns nothing.
        "optimizer.lr": "2e-4",
        "epochs": "16",
        "validate_every": "8",
    },
    "yolox": TIMM,
    "yolox-nano": {"network.image_size": "96"},
    "ssd": TIMM | {"network.levels": "2"},
    "atss": TIMM | {"network.levels": "3"},
}
SLOW = {"rtdetr": 0.2, "rtdetrv2": 0.2, "deimv2-atto": 0.1, "rfdetr-n": 0.2}
LEARNS = {name: SLOW.get(name, 0.5) for name in NETWORKS}
"""Least mAP50 on held-out pictures after these few steps. RT-DETR without D-FINE's distributions
learns boxes more slowly."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shapes(tmp_path_factory.mktemp("shapes") / "set", SIZES)
    about = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**about, "pictures": SIZES}))
    return folder


@pytest.mark.parametrize("name", NETWORKS)
def test_it_goes_through_all_stages(tmp_path: Path, shapes: Path, name: str) -> None:
    options: dict[str, Any] = {
        "dataset": str(shapes),
        "network.name": name,
        "epochs": 30,
        "batch_size": 8,
        "device": "cpu",
        "workers": 0,
        "precision": "bf16",
        "validate_every": 10,
        "optimizer.lr": 1e-3,
        "ema.decay": 0.99,
        **NETWORKS[name],
    }
    trained = run_stage(tmp_path, "train", **options)
    tuned = run_stage(tmp_path, "tune", dataset=str(shapes), model=trained["model"])
    given: dict[str, Any] = {"dataset": str(shapes), "model": tuned["model"]}
    figures = run_stage(tmp_path, "evaluate", **given)["metrics"]
    assert figures["test/mAP50"] >= LEARNS[name]
    exported = run_stage(tmp_path, "export", **given, latency_calls=0, formats="onnx,openvino")
    package = ModelPackage.load(exported["model"])
    assert package.card.network["name"] == name
    checked = {one.format: one.parity for one in package.card.artifacts if one.parity}
    assert set(checked) == {"onnx", "openvino"}
    for parity in checked.values():
        assert parity is not None and parity.outside <= 0.01 * parity.compared
    by_file = {
        metric.artifact: metric.value
        for metric in package.card.metrics
        if (metric.name, metric.split) == ("mAP50", "val")
    }
    assert max(by_file.values()) - min(by_file.values()) < 0.005
