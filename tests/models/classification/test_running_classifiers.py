"""What a classifier's package says, whoever runs it: results, rows, tensors, fused graph, audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.classification.data.options import PrepareOptions
from models.classification.data.prepare import prepare
from models.classification.family import CLASSIFICATION
from models.classification.judging import best_threshold
from models.classification.labels import read_labels
from models.classification.naming import Classification
from models.classification.options import TrainOptions
from models.data.reading import read_picture
from models.outcomes import Checkpoints
from models.package import ModelPackage
from models.reporting import Silence
from models.runtimes import load_predictor
from tests.models.classification.conftest import COLOURS, TINY, Notes, patch, save


@pytest.fixture(scope="module")
def package(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    options = TrainOptions.model_validate({**TINY, "epochs": 6})
    place = Checkpoints(tmp_path_factory.mktemp("training"), None, lambda _: None)
    done = CLASSIFICATION.train(colours, options, place, Silence())
    opened = ModelPackage.load(done.package).with_postprocessing({"temperature": 2.0})
    return opened.with_threshold(0.4).save(tmp_path_factory.mktemp("package") / "p")


def result(scores: list[float], named: list[int]) -> Classification:
    return Classification(np.array(scores, np.float32), np.array(named, np.int64))


def test_names_scores_and_dont_know(package: ModelPackage, colours: Path) -> None:
    labels = read_labels(colours, "test")
    images = [read_picture(labels.folder / file) for file in labels.files]
    with load_predictor(package) as predictor:
        sure, everything = predictor(images), predictor(images, 0.0)
    assert all(len(one) == 1 for one in everything)
    assert [len(one) for one in sure] == [int(one.scores.max() >= 0.4) for one in everything]
    assert all(one.scores.sum() == pytest.approx(1.0, abs=1e-5) for one in everything)


def test_rows_and_drawings_show_what_isnt_known(package: ModelPackage) -> None:
    presenter = CLASSIFICATION.presenter(package.card)
    known, unknown = result([0.1, 0.8, 0.1], [1]), result([0.3, 0.36, 0.34], [])
    assert list(presenter.rows(known)) == [{"class": "green", "score": 0.8, "known": True}]
    assert list(presenter.rows(unknown)) == [{"class": "green", "score": 0.36, "known": False}]
    assert presenter.tally(known) == {"green": 1} and presenter.tally(unknown) == {}
    for one in (known, unknown):
        image = patch(COLOURS["red"], 0)
        drawn = presenter.draw(image, one)
        assert drawn.shape == image.shape and not np.array_equal(drawn, image)
        assert np.array_equal(image, patch(COLOURS["red"], 0))


def test_tensors_of_a_service(package: ModelPackage) -> None:
    found = CLASSIFICATION.result_tensors(
        package.card, [result([0.1, 0.8, 0.1], [1]), result([0.3, 0.4, 0.3], [])]
    )
    assert found["count"].tolist() == [1, 0]
    assert found["names"].tolist() == ["green"] and found["classes"].tolist() == [1]
    assert found["confidences"].shape == (2, 3)
    assert CLASSIFICATION.result_tensors(package.card, [])["confidences"].shape == (0, 3)


def test_differences_are_those_of_confident_classes() -> None:
    one, other = result([0.7, 0.3, 0.0], [0]), result([0.6, 0.38, 0.02], [0])
    found = CLASSIFICATION.differences([one], [other], 0.05)["score"]
    assert found == pytest.approx([0.1, 0.08])
    assert not len(CLASSIFICATION.differences([], [], 0.05)["score"])


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_fused_graph_says_the_same(package: ModelPackage, kind: str, tmp_path: Path) -> None:
    import onnxruntime
    from onnx import TensorProto, helper

    from models.export.fusing import Nodes

    card = package.card.model_copy(update={"postprocessing": {"kind": kind, "temperature": 2.0}})
    fused, plain = CLASSIFICATION.fused(card), CLASSIFICATION.postprocessor(card)
    nodes = Nodes()
    names = fused.write(["logits"], nodes)
    graph = helper.make_graph(
        nodes.nodes,
        "g",
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 3])],
        [
            helper.make_tensor_value_info(names[0], TensorProto.FLOAT, None),
            helper.make_tensor_value_info(names[1], TensorProto.INT64, None),
        ],
        nodes.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    logits = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32) * 3
    for threshold in (None, 0.0, 0.6):
        inside = fused.place(session.run(list(names), {"logits": logits}), [], threshold)
        outside = plain([logits], [], threshold)
        for one, other in zip(inside, outside, strict=True):
            assert one.scores == pytest.approx(other.scores, abs=1e-6)
            assert one.named.tolist() == other.named.tolist()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"postprocessing": {"kind": "argmax"}}, "postprocessing.kind"),
        ({"postprocessing": {"kind": "softmax", "temperature": 0}}, "postprocessing.temperature"),
        ({"network": {"name": "resnet18", "colour": 1}}, "network.colour"),
    ],
)
def test_a_package_that_isnt_understood_gets_one_line(
    package: ModelPackage, change: dict[str, Any], line: str
) -> None:
    card = package.card.model_copy(update=change)
    with pytest.raises(ValueError, match=f"model.json: {line}"):
        CLASSIFICATION.network(card, {}) if "network" in change else CLASSIFICATION.fused(card)


def test_wrong_labels_are_suspected(colours: Path, package: ModelPackage, tmp_path: Path) -> None:
    import shutil

    spoilt = tmp_path / "spoilt"
    shutil.copytree(colours, spoilt)
    file = spoilt / "train" / "labels.json"
    content = json.loads(file.read_text())
    labels = read_labels(colours, "train")
    with load_predictor(package) as predictor:
        images = [read_picture(labels.folder / name) for name in labels.files]
        said = [int(one.scores.argmax()) for one in predictor(images, 0.0)]
    right = [i for i, (s, t) in enumerate(zip(said, labels.single, strict=True)) if s == t][:2]
    for place in right:
        content["pictures"][place]["classes"] = [(said[place] + 1) % 3]
    file.write_text(json.dumps(content))
    options = CLASSIFICATION.audit_options.model_validate({"quality": 0.45})
    found = CLASSIFICATION.audit(package.folder, spoilt, "train", options, notes := Notes())
    names = {row["picture"] for row in found.suspects}
    assert {labels.files[place] for place in right} <= names
    assert any(image.startswith("mistakes on train") for image in notes.images)
    nothing = CLASSIFICATION.audit_options.model_validate({"quality": 0.0})
    assert not CLASSIFICATION.audit(package.folder, spoilt, "train", nothing, Silence()).suspects


def test_several_classes_from_training_to_thresholds(tmp_path: Path) -> None:
    rows = ["file,class"]
    for number in range(60):
        names = [name for bit, name in enumerate(("blue", "red")) if number % 4 >> bit & 1]
        image = np.full((40, 40, 3), 90, np.uint8)
        for name, half in zip(("blue", "red"), (slice(0, 20), slice(20, 40)), strict=True):
            if name in names:
                image[half] = COLOURS[name]
        noise = np.random.default_rng(number).integers(0, 30, image.shape, dtype=np.uint8)
        save(tmp_path / "raw" / f"{number}.png", image // 2 + noise)
        rows.append(f"{number}.png,{'|'.join(names)}")
    (tmp_path / "raw" / "labels.csv").write_text("\n".join(rows))
    options = PrepareOptions.model_validate(
        {"split": {"ratios": [0.6, 0.2, 0.2]}, "duplicates": "ignore"}
    )
    prepare(tmp_path / "raw", tmp_path / "data", options, Silence())
    given = TrainOptions.model_validate({**TINY, "epochs": 10, "best_metric": ["mAP", "f1"]})
    place = Checkpoints(tmp_path / "training", None, lambda _: None)
    done = CLASSIFICATION.train(tmp_path / "data", given, place, Silence())
    assert ModelPackage.load(done.package).card.postprocessing["kind"] == "sigmoid"
    assert done.metrics["mAP"] >= 0.85
    wanted = CLASSIFICATION.tune_options.model_validate({"per_class_least": 2})
    tuned = CLASSIFICATION.tune(done.package, tmp_path / "data", wanted, Silence())
    assert set(tuned.per_class) == {"blue", "red"} and tuned.metric == "f1"
    file = tmp_path / "data" / "val" / "labels.json"
    plain = file.read_text()
    content = json.loads(plain)
    for picture in content["pictures"][::4]:  # wrong labels, so that the figures aren't all 1
        picture["classes"] = [one for one in (0, 1) if one not in picture["classes"]]
    file.write_text(json.dumps(content))
    check_value(done.package, tmp_path / "data", {"metric": "f2", "per_class": False})
    check_value(done.package, tmp_path / "data", {"metric": "f0.5", "per_class_least": 2})
    file.write_text(plain)
    found = CLASSIFICATION.evaluate(
        done.package, tmp_path / "data", "test", CLASSIFICATION.evaluate_options(), Silence()
    )
    assert found.values["mAP"] >= 0.8 and "confusion" not in found.details
    audited = CLASSIFICATION.audit(
        done.package, tmp_path / "data", "train", CLASSIFICATION.audit_options(), Silence()
    )
    assert audited.pictures == 36


def check_value(package: Path, data: Path, change: dict[str, Any]) -> None:
    """Hold what tune says of its thresholds against scikit-learn's F-measure."""
    from sklearn.metrics import fbeta_score

    wanted = CLASSIFICATION.tune_options.model_validate({"temperature": False, **change})
    tuned = CLASSIFICATION.tune(package, data, wanted, notes := Notes())
    labels = read_labels(data, "val")
    images = [read_picture(labels.folder / file) for file in labels.files]
    with load_predictor(package) as predictor:
        scores = np.stack([one.scores for one in predictor(images, 0.0)])
    limits = [tuned.per_class.get(name, tuned.threshold) for name in labels.classes]
    beta = float(wanted.metric[1:])
    given = labels.truth, scores >= np.array(limits, np.float32)
    assert tuned.metric == wanted.metric
    assert 0 < tuned.value < 1
    assert tuned.value == pytest.approx(fbeta_score(*given, beta=beta, average="macro"))
    each = fbeta_score(*given, beta=beta, average=None)
    assert [row[3] for row in notes.tables["thresholds by class"]] == pytest.approx(list(each))


def test_the_best_threshold_lies_between_two_scores() -> None:
    scores = np.array([0.9, 0.8, 0.4, 0.2])
    truth = np.array([True, True, False, True])
    assert best_threshold(scores, truth, 1.0) == (pytest.approx(0.1), pytest.approx(6 / 7))
    # Precision weighs more: the false one is kept out.
    assert best_threshold(scores, truth, 0.5)[0] == pytest.approx(0.6)
    assert best_threshold(scores, ~truth & False, 1.0) == (0.5, 0.0)


def test_the_catalogue_and_timm_are_listed() -> None:
    plain = CLASSIFICATION.networks("", False)
    assert {"resnet50", "vit_base_patch16_224"} <= {row["name"] for row in plain.rows}
    assert all(0 < row["top1"] < row["top5"] < 100 for row in plain.rows)
    (row,) = CLASSIFICATION.networks("resnet10t", False).rows  # only timm has it
    assert (row["name"], row["top1"], row["image_size"]) == ("resnet10t", None, 176)
    assert CLASSIFICATION.networks("no such network", False).rows == []
