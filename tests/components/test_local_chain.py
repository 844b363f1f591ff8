"""All stages as plain functions into one local folder: tiny pictures, a tiny network, no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.failure import GateError
from components.packages import metadata_of
from components.registry import stage
from components.run import LocalRun
from models.detection.detections import Detections
from models.model_card import markdown
from models.package import ModelPackage

TINY_NETWORK = {
    "network.backbone": "lcnet_035",
    "network.image_size": "64",
    "network.levels": "2",
    "network.queries": "20",
    "network.hidden_width": "32",
    "network.decoder_layers": "2",
    "network.denoising_queries": "4",
    "precision": "float32",
    "batch_size": "4",
    "epochs": "2",
    "workers": "0",
    "device": "cpu",
    "augmentation.affine": "0",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


def run_stage(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    one = stage(name)
    run = LocalRun(folder, name, quiet=True)
    values = {key.replace("__", "."): value for key, value in options.items()}
    config = one.configure(values)
    run.begin({key: str(value) for key, value in values.items()})
    result: dict[str, Any] = one.function(config, run).model_dump(mode="json")
    run.finish(result)
    return result


@pytest.fixture(scope="module")
def chain(folder: Path) -> dict[str, dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    done: dict[str, dict[str, Any]] = {}
    scenes = {"train": 8, "val": 4, "test": 4, "sizes": "[[200, 160]]", "workers": 1}
    done["ingest"] = run_stage(
        folder, "ingest", **{f"synthetic.{key}": value for key, value in scenes.items()}
    )
    done["prepare"] = run_stage(folder, "prepare", dataset=done["ingest"]["dataset"])
    data = done["prepare"]["dataset"]
    done["train"] = run_stage(folder, "train", dataset=data, **TINY_NETWORK)
    done["tune"] = run_stage(folder, "tune", dataset=data, model=done["train"]["model"])
    model = done["tune"]["model"]
    done["evaluate"] = run_stage(folder, "evaluate", dataset=data, model=model)
    done["audit"] = run_stage(folder, "audit", dataset=data, model=model, mistakes=3, rows=5)
    done["export"] = run_stage(
        folder, "export", dataset=data, model=model, latency_calls=0, threads=1, formats="onnx"
    )
    done["publish"] = run_stage(
        folder, "publish", model=done["export"]["model"], evaluation="evaluate"
    )
    return done


INT8 = {"forms": "onnx", "calibration_pictures": 4, "resamples": 100, "parity_pictures": 3}
INT8 |= {"latency_calls": 0, "threads": 1, "tolerance.outside": 1}


def test_quantising_hands_on_a_model_that_is_measured_in_int8(
    folder: Path, chain: dict[str, dict[str, Any]]
) -> None:
    data, model = chain["prepare"]["dataset"], chain["export"]["model"]
    done = run_stage(folder, "quantize", dataset=data, model=model, budget=1, **INT8)
    assert done["formats"] == ["onnx"] and done["metric"] == "mAP"
    assert set(done["losses"]) == set(done["upper"]) == {"onnxruntime"}
    card = ModelPackage.load(done["model"]).card
    assert [a.precision for a in card.artifacts] == ["float32", "float32", "int8"]
    assert card.lineage.parents[0] == model
    assert "val/mAP onnx-int8" in metadata_of(ModelPackage.load(done["model"]))
    layers = (folder / "quantize/tables").glob("*layers*")
    assert "onnx_operators=Conv" in next(layers).read_text()
    measured = run_stage(
        folder / "int8",
        "evaluate",
        dataset=data,
        model=done["model"],
        runtime="onnxruntime",
        precision="int8",
        splits="val",
    )
    assert measured["artifact"] == "model-int8.onnx"
    figures = {m.name: m.value for m in card.metrics if m.artifact == "model-int8.onnx"}
    assert measured["metrics"]["val/mAP"] == pytest.approx(figures["mAP"], abs=1e-3)


def test_a_loss_over_the_budget_is_the_gates(
    folder: Path, chain: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import models.quantization

    def refuse(*_: Any) -> None:
        raise models.quantization.BudgetError("lost too much")

    monkeypatch.setattr(models.quantization, "quantize", refuse)
    options = {"dataset": chain["prepare"]["dataset"], "model": chain["export"]["model"]}
    with pytest.raises(GateError, match="lost too much"):
        run_stage(folder / "over", "quantize", **options)


def test_each_stage_hands_on_what_the_next_one_takes(chain: dict[str, dict[str, Any]]) -> None:
    assert chain["ingest"]["format"] == "coco"
    assert chain["prepare"]["pictures"] == {"train": 8, "val": 4, "test": 4}
    assert chain["prepare"]["classes"] == ["linear", "matrix"]
    assert chain["train"]["epochs"] == 2 and not chain["train"]["interrupted"]
    assert 0 < chain["tune"]["threshold"] < 1
    assert "test/mAP50" in chain["evaluate"]["metrics"]
    assert chain["export"]["formats"] == ["safetensors", "onnx"]
    assert len({chain[name]["model"] for name in ("train", "tune", "export", "publish")}) == 4


def test_the_published_package_says_where_it_comes_from_and_what_it_can(
    chain: dict[str, dict[str, Any]],
) -> None:
    card = ModelPackage.load(chain["publish"]["model"]).card
    assert card.lineage.dataset.id == chain["prepare"]["dataset"]
    assert card.lineage.dataset.version == "1.0.0"
    assert card.lineage.parents == (
        chain["export"]["model"],
        chain["tune"]["model"],
        chain["train"]["model"],
    )
    assert card.training.epochs == 2 and {"epochs", "augmentation.affine"} <= {
        *card.training.chosen
    }
    assert card.training.options["augmentation.affine"] == 0
    assert "augmentation.flip" not in card.training.chosen
    assert not [name for name in card.training.options if name.startswith("network.")]
    assert card.threshold.value == chain["tune"]["threshold"]
    assert (card.threshold.split, card.threshold.iou) == ("val", 0.5)
    figures = {(m.name, m.split, m.artifact): m.value for m in card.metrics}
    measured = chain["evaluate"]["metrics"]
    assert figures["mAP50", "test", "weights.safetensors"] == measured["test/mAP50"]
    assert ("mAP50", "val", "model.onnx") in figures


def test_the_folder_holds_what_people_look_at(
    folder: Path, chain: dict[str, dict[str, Any]]
) -> None:
    points = [json.loads(line) for line in (folder / "train/scalars.jsonl").open()]
    losses = [step for title, _, step, _ in points if title == "loss"]
    assert losses and all(isinstance(step, int) for step in losses)
    for pattern in (
        "train/images/*/*.jpg",
        "prepare/images/Previews/*.jpg",
        "evaluate/plots/*.html",
        "evaluate/tables/*.csv",
        "evaluate/artifacts/evaluation.json",
        "evaluate/artifacts/pictures.json",
        "publish/artifacts/model_card.md",
        "publish/artifacts/model_card_page.html",
        "*/result.json",
        "*/config.json",
    ):
        assert list(folder.glob(pattern)), pattern
    assert not (folder / "train/scratch").exists()
    values = json.loads((folder / "evaluate/values.json").read_text())
    assert values["test/mAP50"] == chain["evaluate"]["metrics"]["test/mAP50"]
    text = (folder / "publish/artifacts/model_card.md").read_text()
    assert "| mAP50 |" in text and "Classes: linear, matrix." in text
    assert "The evaluation ran on " in text
    assert "Classes learned from fewer than 50 objects: linear (" in text
    assert "No figures on test were measured for model.onnx." in text
    page = (folder / "publish/artifacts/model_card_page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 6  # three of each kind, of test
    assert page.count("<svg") == 2 and 'src="http' not in page


def test_the_audit_shows_and_counts_what_went_wrong(
    folder: Path, chain: dict[str, dict[str, Any]]
) -> None:
    found = chain["audit"]
    assert found["pictures"] == 12 and found["model"] == chain["tune"]["model"]
    kept = json.loads((folder / "audit/artifacts/audit.json").read_text())
    for split in ("train", "val"):
        rows = kept["mistakes"][split]
        assert len(rows) == sum(
            count for name, count in found["mistakes"].items() if name.startswith(f"{split}/")
        )
        # A hardly trained model errs on every picture; each has a file of its own.
        pictures = list(folder.glob(f"audit/images/mistakes_on_{split}/*.jpg"))
        assert len(pictures) == 3, list(folder.glob("audit/images/*"))
    assert list((folder / "audit/tables").glob("*.csv"))


def test_the_audit_looks_through_the_splits_it_is_given(
    folder: Path, chain: dict[str, dict[str, Any]]
) -> None:
    given = {key: chain[stage]["dataset" if key == "dataset" else "model"]
             for key, stage in (("dataset", "prepare"), ("model", "tune"))}  # fmt: skip
    found = run_stage(folder / "once", "audit", **given, splits="test", mistakes=0, suspects=0)
    assert found["pictures"] == 4
    assert {name.split("/")[0] for name in found["mistakes"]} == {"test"}


def test_thresholds_by_class_travel_with_the_model(
    chain: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(package: Path, labels: Any, *_: Any) -> list[Detections]:
        return [
            Detections(boxes, np.where(classes == 0, 0.9, 0.3).astype(np.float32), classes)
            for boxes, classes in zip(labels.boxes, labels.labels, strict=True)
        ]

    monkeypatch.setattr("models.detection.judging.predict", predict)
    options = {"dataset": chain["prepare"]["dataset"], "model": chain["train"]["model"]}
    found = run_stage(tmp_path, "tune", **options, per_class=True, per_class_least=1)
    package = ModelPackage.load(found["model"])
    assert set(found["per_class"]) == {"linear", "matrix"}
    assert package.card.threshold.per_class == pytest.approx(found["per_class"])
    values = json.loads((tmp_path / "tune/values.json").read_text())
    assert values["threshold/matrix"] == found["per_class"]["matrix"] < 0.3
    assert "matrix 0.1" in markdown(package.card, "model")
    assert "matrix 0.1" in str(metadata_of(package)["thresholds by class"])


def test_a_gate_stops_a_bad_model_with_the_figures(
    folder: Path, chain: dict[str, dict[str, Any]]
) -> None:
    options = {"dataset": chain["prepare"]["dataset"], "model": chain["tune"]["model"]}
    with pytest.raises(GateError, match=r"doesn't pass the gate: test/mAP50 0\.\d+ < 0\.99"):
        run_stage(folder / "gate", "evaluate", **options, gate__minimum=0.99)
    kept = json.loads((folder / "gate/evaluate/artifacts/evaluation.json").read_text())
    assert kept["metrics"]["test/mAP50"] == chain["evaluate"]["metrics"]["test/mAP50"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("train", {"dataset": "nothing"}, "no dataset 'nothing'; there is no dataset yet"),
        ("train", {"dataset": "/nowhere"}, "/nowhere: there is no such file or folder"),
        ("train", {"dataset": "RAW"}, "isn't a prepared one"),
        ("train", {"dataset": "DATA", "family": "speech"}, "family: no task family 'speech'"),
        ("train", {"dataset": "DATA", "family": "ocr"}, "is for detection: set family=detection"),
        ("tune", {"dataset": "DATA", "model": "nothing"}, "no model 'nothing'"),
        ("evaluate", {"dataset": "DATA", "model": "MODEL", "gate.split": "train",
                      "gate.minimum": "0.1"}, "gate.split: expected one of val, test"),
        ("evaluate", {"dataset": "DATA", "model": "MODEL", "runtime": "openvino"},
         "the model has no form for openvino"),
        ("evaluate", {"dataset": "DATA", "model": "MODEL", "runtime": "torch",
                      "precision": "int8"}, "the model has no int8 form for torch"),
        ("evaluate", {"dataset": "DATA", "model": "MODEL", "gate.metric": "map5",
                      "gate.minimum": "0.1"}, "no figure 'map5'; did you mean 'mAP"),
        ("publish", {"model": "MODEL", "evaluation": "nothing"}, "no folder of a finished run"),
        ("publish", {"model": "MODEL", "evaluation": "TRAIN"}, "isn't a run of the evaluate"),
        ("ingest", {"data.source": "/nowhere"}, "there is no file or folder '/nowhere'"),
        ("ingest", {"data.source": "EMPTY"}, "found nothing there that detection can read"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line(
    folder: Path,
    chain: dict[str, dict[str, Any]],
    tmp_path: Path,
    name: str,
    options: dict[str, str],
    message: str,
) -> None:
    places = {
        "RAW": chain["ingest"]["dataset"],
        "DATA": chain["prepare"]["dataset"],
        "MODEL": chain["tune"]["model"],
        "TRAIN": str(folder / "train"),
        "EMPTY": str(tmp_path),
    }
    given = {key: places.get(value, value) for key, value in options.items()}
    with pytest.raises(ValueError) as caught:
        run_stage(tmp_path / "out", name, **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pictures_behind_links_to_folders_come_along(folder: Path, tmp_path: Path) -> None:
    from tests.models.detection.conftest import write_shapes

    shapes = write_shapes(tmp_path / "shapes", {"train": 3})
    source = tmp_path / "source"
    source.mkdir()
    (source / "train").symlink_to(shapes / "train")
    done = run_stage(tmp_path / "out", "ingest", **{"data.source": str(source)})
    kept = Path(done["dataset"]) / "train/data"
    assert len(list(kept.iterdir())) == 3 and not kept.is_symlink()
    assert done["files"] == 4
