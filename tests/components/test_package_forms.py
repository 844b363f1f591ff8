"""How a model's forms and their figures are named in ClearML."""

from __future__ import annotations

from pathlib import Path

from components.packages import artifact_for, flat_figures, forms_of
from models.package import (
    Input,
    Metric,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Output,
    Preprocessing,
)


def test_forms_of_one_format_keep_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"any")
    card = ModelCard(
        family="detection",
        network={"name": "dfine"},
        classes=(ModelClass(name="red"),),
        input=Input(shape=("batch", 64, 64, 3)),
        preprocessing=Preprocessing(height=64, width=64),
        outputs=(Output(name="logits", shape=("batch", 5, 1)),),
        postprocessing={"kind": "detr"},
    )
    files = {
        "weights.safetensors": ("safetensors", "float32"),
        "model.onnx": ("onnx", "float32"),
        "model-float16.onnx": ("onnx", "float16"),
        "model-fused.onnx": ("onnx-fused", "float32"),
    }
    package = ModelPackage.create(
        tmp_path / "package",
        card,
        [
            NewArtifact(form, {name: tmp_path / "file"}, precision)  # type: ignore[arg-type]
            for name, (form, precision) in files.items()
        ],
    ).with_metrics(
        [
            Metric(name="mAP", value=number / 10, split="val", artifact=name)
            for number, name in enumerate(files)
        ]
    )
    assert forms_of(package.card) == ("safetensors", "onnx", "onnx-float16", "onnx-fused")
    assert flat_figures(package) == {
        "val/mAP": 0.0,
        "val/mAP onnx": 0.1,
        "val/mAP onnx-float16": 0.2,
        "val/mAP onnx-fused": 0.3,
    }
    assert artifact_for(package, "onnxruntime") == "model.onnx"
    assert artifact_for(package, "onnxruntime-fused") == "model-fused.onnx"
