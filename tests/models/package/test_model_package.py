"""Model packages on disk: written whole, read strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.package import (
    Lineage,
    Metric,
    ModelCard,
    ModelPackage,
    NewArtifact,
    Threshold,
    library_versions,
)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_written_is_read(package: ModelPackage) -> None:
    loaded = ModelPackage.load(package.folder)
    assert loaded == package
    assert loaded.card.class_names == ("red", "blue")
    assert loaded.card.libraries == library_versions()
    assert "numpy" in loaded.card.libraries
    assert loaded.path(loaded.artifact("openvino")).read_bytes() == b"xml" * 100
    assert [a.bytes for a in loaded.card.artifacts] == [700, 600]
    assert set(content(package.folder)) == {
        "model.json",
        "openvino/model.bin",
        "openvino/model.xml",
        "weights.safetensors",
    }
    assert json.loads((package.folder / "model.json").read_text())["schema"] == 1


def test_a_threshold_is_set_in_place_and_elsewhere(package: ModelPackage, tmp_path: Path) -> None:
    before = content(package.folder)
    chosen = Threshold(value=0.25, metric="f1", iou=0.5, split="val", per_class={"red": 0.5})
    copy = package.with_threshold(chosen).save(tmp_path / "copy")
    assert content(package.folder) == before
    assert ModelPackage.load(copy.folder).card.threshold == chosen
    assert ModelPackage.load(copy.folder).card.class_thresholds == (0.5, 0.25)
    package.with_threshold(0.75).save(package.folder)
    after = content(package.folder)
    assert ModelPackage.load(package.folder).card.threshold == Threshold(value=0.75)
    del before["model.json"], after["model.json"]
    assert before == after


def test_with_artifacts_replaces_files_and_their_figures(
    package: ModelPackage, tmp_path: Path
) -> None:
    figures = [
        Metric(name="mAP", value=0.5, split="val", artifact="weights.safetensors"),
        Metric(name="mAP", value=0.4, split="val", artifact="openvino/model.xml"),
    ]
    package = package.with_metrics(figures)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "onnx").write_bytes(b"onnx")
    changed = package.with_artifacts(
        [
            NewArtifact("safetensors", {"weights.safetensors": tmp_path / "new"}),
            NewArtifact("onnx", {"model.onnx": tmp_path / "onnx"}),
        ]
    ).save(tmp_path / "changed")
    loaded = ModelPackage.load(changed.folder)
    assert [artifact.format for artifact in loaded.card.artifacts] == [
        "openvino",
        "safetensors",
        "onnx",
    ]
    assert loaded.path(loaded.artifact("safetensors")).read_bytes() == b"new"
    assert [metric.value for metric in loaded.card.metrics] == [0.4]


def test_figures_of_a_new_package_stay(card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"w")
    figure = Metric(name="mAP", value=0.5, split="val", artifact="weights.safetensors")
    package = ModelPackage.create(
        tmp_path / "p",
        card.model_copy(update={"metrics": (figure,)}),
        [NewArtifact("safetensors", {"weights.safetensors": tmp_path / "w"})],
    )
    assert package.card.metrics == (figure,)
    newer = figure.model_copy(update={"value": 0.6})
    test = figure.model_copy(update={"split": "test"})
    assert package.with_metrics([newer, test]).card.metrics == (newer, test)
    assert package.with_lineage(Lineage(task="t1")).card.lineage.task == "t1"


def test_nothing_is_overwritten(package: ModelPackage, tmp_path: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        package.save(occupied)
    assert content(occupied) == {"mine.txt": b"mine"}
    (tmp_path / "empty").mkdir()
    assert ModelPackage.load(package.save(tmp_path / "empty").folder).card == package.card


def test_a_failed_save_leaves_nothing(package: ModelPackage, tmp_path: Path) -> None:
    (package.folder / "openvino/model.bin").unlink()
    with pytest.raises(FileNotFoundError):
        package.save(tmp_path / "target" / "copy")
    assert list((tmp_path / "target").iterdir()) == []


def test_a_missing_form_is_said(package: ModelPackage) -> None:
    with pytest.raises(ValueError) as caught:
        package.artifact("onnx")
    assert str(caught.value).endswith(
        "has no onnx artifact, it has: safetensors float32, openvino float32; "
        "export the model first"
    )


def test_an_absent_file_cannot_be_packed(card: ModelCard, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        ModelPackage.create(
            tmp_path / "p", card, [NewArtifact("onnx", {"model.onnx": tmp_path / "gone"})]
        )
    assert not (tmp_path / "p").exists()


def put(*path: Any, value: Any) -> Callable[[Path], None]:
    """Change a value in model.json."""

    def change(folder: Path) -> None:
        file = folder / "model.json"
        whole = json.loads(file.read_text())
        part = whole
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        file.write_text(json.dumps(whole))

    return change


def drop(key: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "model.json"
        whole = json.loads(file.read_text())
        del whole[key]
        file.write_text(json.dumps(whole))

    return change


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).write_bytes(data), None][1]


def link_out(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    weights.rename(folder.parent / "elsewhere")
    weights.symlink_to(folder.parent / "elsewhere")


FILE = ("artifacts", 0, "files", 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.json").unlink(), "is no model package"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "'weights.safetensors' is miss"),
        (write("weights.safetensors", b"short"), "has 5 bytes, model.json says 700"),
        (write("weights.safetensors", b"weightz" * 100), "another SHA-256"),
        (link_out, "a link that leads out"),
        (write("model.json", b"{"), "is no JSON"),
        (write("model.json", b"\xff\xfe"), "is no JSON"),
        (write("model.json", b"[" * 100_000), "is no JSON"),
        (write("model.json", b"[]"), "has schema null"),
        (write("model.json", b"null"), "has schema null"),
        (put("schema", value=2), "has schema 2, and this Sightline reads schema 1"),
        (put("schema", value="1"), 'has schema "1"'),
        (put("schema", value=True), "has schema true"),
        (drop("schema"), "has schema null"),
        (drop("family"), "family: Field required"),
        (put("colour", value="red"), "colour: Extra inputs are not permitted"),
        (put("threshold", "valu", value=0.5), "threshold.valu: Extra inputs"),
        (put("threshold", "value", value="0.5"), "threshold.value: Input should be a valid number"),
        (put("threshold", "value", value=1.5), "threshold.value: Input should be less than"),
        (put("threshold", "value", value=float("nan")), "threshold.value"),
        (
            put("threshold", "per_class", value={"green": 0.5}),
            "names no class of this model: green",
        ),
        (put("classes", value=[]), "classes: Tuple should have at least 1 item"),
        (put("classes", value="red"), "classes: Input should be a valid array"),
        (put("classes", 1, "name", value="red"), "classes: red is there twice"),
        (put("classes", 1, "id", value=1), "category ids: 1 is there twice"),
        (put("input", "shape", value=["batch", 32, 96, 3]), "input.shape says (32, 96) pixels"),
        (put("input", "shape", value=[1, 64, 96, 3]), "input.shape.0: Input should be 'batch'"),
        (put("input", "channels", value="BGR"), "input.channels: Input should be 'RGB'"),
        (put("preprocessing", "std", value=[0, 1, 1]), "preprocessing.std.0"),
        (put("preprocessing", "height", value="64"), "preprocessing.height"),
        (put(*FILE, "file", value="../weights.safetensors"), "no plain path below"),
        (put(*FILE, "file", value="/etc/passwd"), "no plain path below"),
        (put(*FILE, "file", value="a\\b"), "no plain path below"),
        (put(*FILE, "file", value="a//b"), "no plain path below"),
        (put(*FILE, "file", value="C:x"), "no plain path below"),
        (put(*FILE, "file", value=""), "no plain path below"),
        (put(*FILE, "file", value="Model.json"), "model.json is the description itself"),
        (put(*FILE, "file", value="openvino/MODEL.xml"), "is there twice"),
        (put(*FILE, "sha256", value="abc"), "sha256: String should match pattern"),
        (put(*FILE, "bytes", value=-1), "bytes: Input should be greater"),
        (put("artifacts", 0, "format", value="pickle"), "artifacts.0.format: Input should be"),
        (put("artifacts", 0, "batch", value=10**9), "artifacts.0.batch: Input should be less"),
        (put("artifacts", 0, "device", value="cuda"), "artifacts.0.device: Input should be"),
        (
            put("artifacts", 0, "device", value={"gpu": "L4", "compute_capability": "x"}),
            "artifacts.0.device.compute_capability: String should match",
        ),
        (put("outputs", 0, "shape", value=["batch", 1 << 40, 2]), "outputs.0.shape.1"),
        (put("outputs", 0, "shape", value=["batch", "10", 2]), "outputs.0.shape.1"),
        (put("outputs", 0, "shape", value=["batch"] * 9), "outputs.0.shape: Tuple should have"),
        (
            put("outputs", 0, "shape", value=["batch", 1 << 20, 1 << 20]),
            "'logits' would have 1099511627776 values for each picture",
        ),
        (put("outputs", 0, "dtype", value="object"), "outputs.0.dtype: Input should be"),
        (put("network", value=["dfine"]), "network: Input should be an object"),
        (put("lineage", "parents", value="x"), "lineage.parents: Input should be a valid array"),
        (put("licence", "id", value=None), "licence.id: Input should be a valid string"),
    ],
)
def test_a_damaged_package_is_refused_in_one_line(
    package: ModelPackage, damage: Callable[[Path], None], words: str
) -> None:
    damage(package.folder)
    with pytest.raises(ValueError) as caught:
        ModelPackage.load(package.folder)
    assert words in str(caught.value)
    assert str(package.folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_list_is_looked_through_once(package: ModelPackage) -> None:
    names = [{"name": str(number)} for number in range(200_000)]
    put("classes", value=[*names, names[0]])(package.folder)
    with pytest.raises(ValueError, match="classes: 0 is there twice"):
        ModelPackage.load(package.folder)


def test_a_huge_description_is_not_read(package: ModelPackage) -> None:
    with (package.folder / "model.json").open("r+b") as file:
        file.truncate(17 << 20)
    with pytest.raises(ValueError, match="larger than 16 MiB"):
        ModelPackage.load(package.folder)


def test_unverified_loading_still_sees_what_is_missing(package: ModelPackage) -> None:
    write("weights.safetensors", b"weightz" * 100)(package.folder)
    ModelPackage.load(package.folder, verify=False)
    (package.folder / "weights.safetensors").unlink()
    with pytest.raises(ValueError, match="is missing"):
        ModelPackage.load(package.folder, verify=False)
