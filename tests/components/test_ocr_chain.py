"""All stages for lines of text, and what a detector and a reader do together, in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.failure import GateError
from models.package import ModelPackage
from tests.components.test_local_chain import TINY_NETWORK, run_stage

SMALL = {
    "network.height": 16,
    "network.width": 160,
    "network.rates": [1, 1],
    "network.widths": [16, 16, 32],
    "network.depths": [1, 1, 1],
    "network.attention": 1,
    "precision": "float32",
    "batch_size": 8,
    "epochs": 1,
    "workers": 0,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ocr-chain")


@pytest.fixture(scope="module")
def chain(folder: Path) -> dict[str, dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    done: dict[str, dict[str, Any]] = {}
    lines = {"train": 24, "val": 12, "test": 8, "workers": 1}
    done["ingest"] = run_stage(
        folder, "ingest", family="ocr", **{f"synthetic.{k}": v for k, v in lines.items()}
    )
    done["prepare"] = run_stage(folder, "prepare", family="ocr", dataset=done["ingest"]["dataset"])
    data = {"family": "ocr", "dataset": done["prepare"]["dataset"]}
    done["train"] = run_stage(folder, "train", **data, **SMALL)
    done["tune"] = run_stage(folder, "tune", **data, model=done["train"]["model"])
    model = done["tune"]["model"]
    done["evaluate"] = run_stage(folder, "evaluate", **data, model=model)
    done["audit"] = run_stage(folder, "audit", **data, model=model, mistakes=3, rows=5)
    done["export"] = run_stage(
        folder, "export", **data, model=model, latency_calls=0, threads=1, formats="onnx,onnx-fused"
    )
    done["publish"] = run_stage(
        folder, "publish", family="ocr", model=done["export"]["model"], evaluation="evaluate"
    )
    return done


def test_every_stage_says_what_it_made(chain: dict[str, dict[str, Any]], folder: Path) -> None:
    assert chain["ingest"]["format"]
    assert chain["prepare"]["pictures"]["train"] > 0
    assert set(chain["train"]["metrics"]) >= {"exact_match", "cer"}
    assert chain["tune"]["metric"] == "coverage at precision 0.99"
    assert {"val/exact_match", "test/cer"} <= set(chain["evaluate"]["metrics"])
    published = ModelPackage.load(folder / "models" / chain["publish"]["model"])
    assert {artifact.format for artifact in published.card.artifacts} == {
        "safetensors",
        "onnx",
        "onnx-fused",
    }
    assert published.card.family == "ocr"


def test_a_gate_asks_for_exact_match(chain: dict[str, dict[str, Any]], folder: Path) -> None:
    with pytest.raises(GateError, match="exact_match"):
        run_stage(
            folder,
            "evaluate",
            family="ocr",
            dataset=chain["prepare"]["dataset"],
            model=chain["tune"]["model"],
            **{"gate.minimum": 1.0},
        )


def test_a_detector_and_a_reader_are_measured_together(
    chain: dict[str, dict[str, Any]], folder: Path
) -> None:
    scenes = {"train": 6, "val": 4, "test": 3, "workers": 1, "lines": True, "turn": 5}
    scenes |= {"symbologies": ["ean8"], "smallest": 0.4, "largest": 0.5, "difficulty": 0.1}
    scenes |= {"sizes": [[320, 240]], "empty": 0}
    raw = run_stage(folder, "ingest", **{f"synthetic.{key}": v for key, v in scenes.items()})
    data = run_stage(folder, "prepare", dataset=raw["dataset"])["dataset"]
    detector = run_stage(folder, "train", dataset=data, **TINY_NETWORK)["model"]
    given = {"dataset": raw["dataset"], "detector": detector, "reader": chain["tune"]["model"]}
    found = run_stage(folder, "read", **given, threshold=0.0, **{"read.threshold": 0.0})
    assert found["texts"] >= 3
    assert 0 <= found["read"] <= found["found"] <= 1
    written = json.loads(next(folder.rglob("reading*.json")).read_text())
    assert len(written["texts"]) == found["texts"]
    with pytest.raises(GateError, match="found and read right"):
        run_stage(folder, "read", **given, minimum=1.0)
    with pytest.raises(ValueError, match="no annotation in it has a text"):
        run_stage(folder, "read", **{**given, "dataset": data})
    with pytest.raises(ValueError, match="say one thing about each region"):
        run_stage(folder, "read", **{**given, "reader": detector})
