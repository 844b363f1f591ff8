"""Tuning and evaluating a package whose predictions are known."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.detection.dataset import read_labels
from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.metrics.truth import Truth
from models.detection.options import TrainOptions
from models.detection.pictures import worst_pictures
from models.families import family
from models.outcomes import Checkpoints
from models.package import ModelPackage, Threshold
from tests.models.detection.conftest import TINY, Notes
from tests.models.detection.test_coco_figures import NAMES, RECALLS

DETECTION = family("detection")


@pytest.fixture(scope="module")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Checkpoints(tmp_path_factory.mktemp("trained"), None, lambda _: None)
    options = TrainOptions.model_validate({**TINY, "max_steps": 2})
    return DETECTION.train(shapes, options, place, Notes()).package


@pytest.fixture
def package(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "package"))


@pytest.fixture
def scripted(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, list[Detections]]]:
    """Let the predictor say, split after split, what a test wrote down; record how it was asked."""
    say: dict[str, list[Detections]] = {}
    asked: dict[str, Any] = {}

    def predict(
        package: Path,
        labels: Any,
        reporter: Any,
        runtime: str,
        batch_size: int,
        precision: str | None = None,
    ) -> list[Detections]:
        asked.update(runtime=runtime, batch_size=batch_size)
        return say[labels.folder.parent.name]

    monkeypatch.setattr("models.detection.judging.predict", predict)
    say["asked"] = asked  # type: ignore[assignment]
    yield say


def almost_right(shapes: Path, split: str) -> list[Detections]:
    """Every object at 0.6, as many false boxes at 0.3, and one false box at 0.8."""
    labels = read_labels(shapes, split)
    found = []
    for index, (boxes, classes) in enumerate(zip(labels.boxes, labels.labels, strict=True)):
        wrong = np.tile(np.array([[0, 0, 3, 3]], np.float32), (len(boxes) + (index == 0), 1))
        scores = [0.6] * len(boxes) + [0.3] * len(wrong)
        if index == 0:
            scores[-1] = 0.8
        order = np.argsort(-np.array(scores), kind="stable")
        found.append(
            Detections(
                np.concatenate([boxes, wrong])[order],
                np.array(scores, np.float32)[order],
                np.concatenate([classes, np.zeros(len(wrong), np.int64)])[order],
            )
        )
    return found


def test_tuning_finds_the_threshold_and_says_what_it_stands_for(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["val"] = almost_right(shapes, "val")
    tuning = DETECTION.tune(package, shapes, TuneOptions(), notes)
    objects = sum(map(len, read_labels(shapes, "val").labels))
    assert tuning.metric == "f1"
    assert tuning.threshold == pytest.approx(0.45)
    assert tuning.value == pytest.approx(2 * objects / (2 * objects + 1))
    assert notes.figures == [("threshold", "f1")]


@pytest.mark.parametrize(
    ("changes", "threshold"),
    [
        ({"smallest": 0.5}, 0.55),
        ({"grid": 9}, 0.6),
        ({"metric": "f0.5"}, 0.45),
        ({"iou": 0.9999}, 0.45),
    ],
)
def test_options_of_tuning(
    shapes: Path,
    package: Path,
    scripted: dict[str, Any],
    notes: Notes,
    changes: dict[str, Any],
    threshold: float,
) -> None:
    scripted["val"] = almost_right(shapes, "val")
    options = TuneOptions.model_validate(changes)
    tuning = DETECTION.tune(package, shapes, options, notes)
    assert tuning.threshold == pytest.approx(threshold)
    assert tuning.metric == options.metric


@pytest.mark.parametrize(
    ("changes", "better"),
    [({"max_detections": 1}, False), ({"matching": "any"}, True), ({"iou": 0.95}, False)],
)
def test_options_of_tuning_change_the_value(
    shapes: Path,
    package: Path,
    scripted: dict[str, Any],
    notes: Notes,
    changes: dict[str, Any],
    better: bool,
) -> None:
    labels = read_labels(shapes, "val")
    scripted["val"] = [
        Detections(
            boxes + np.float32(1.0),
            np.linspace(0.9, 0.8, len(boxes), dtype=np.float32),
            np.zeros(len(boxes), np.int64),
        )
        for boxes in labels.boxes
    ]
    base = DETECTION.tune(package, shapes, TuneOptions(), notes)
    other = DETECTION.tune(package, shapes, TuneOptions.model_validate(changes), notes)
    assert (other.value > base.value) is better
    assert other.value != base.value


def two_classes(shapes: Path, split: str) -> list[Detections]:
    """Squares at 0.6 with false squares at 0.5; discs at 0.3 with false discs at 0.1."""
    labels = read_labels(shapes, split)
    found = []
    for boxes, classes in zip(labels.boxes, labels.labels, strict=True):
        scores = np.concatenate([np.where(classes == 0, 0.6, 0.3), [0.5, 0.1]])
        wrong = np.array([[0, 0, 3, 3], [0, 0, 3, 3]], np.float32)
        order = np.argsort(-scores, kind="stable")
        found.append(
            Detections(
                np.concatenate([boxes, wrong])[order],
                scores[order].astype(np.float32),
                np.concatenate([classes, [0, 1]])[order],
            )
        )
    return found


def test_each_class_gets_its_threshold_where_it_has_enough_objects(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["val"] = two_classes(shapes, "val")
    plain = DETECTION.tune(package, shapes, TuneOptions(), Notes())
    options = TuneOptions(per_class=True, per_class_least=2)
    tuning = DETECTION.tune(package, shapes, options, notes)
    assert plain.per_class == {} and plain.threshold == tuning.threshold
    assert tuning.per_class == pytest.approx({"square": 0.55, "disc": 0.2})
    assert tuning.value == 1.0 > plain.value
    assert notes.tables == [("thresholds", "by class")]
    discs = sum(int((one == 1).sum()) for one in read_labels(shapes, "val").labels)
    squares = sum(int((one == 0).sum()) for one in read_labels(shapes, "val").labels)
    assert discs != squares
    some = TuneOptions(per_class=True, per_class_least=max(discs, squares))
    few = DETECTION.tune(package, shapes, some, notes)
    assert list(few.per_class) == ["disc" if discs > squares else "square"]
    assert any("takes the one for all" in line for line in notes.lines)
    with pytest.raises(ValueError, match="per_class needs matching=class"):
        TuneOptions(per_class=True, matching="any")


def test_thresholds_by_class_are_used_in_evaluation_and_can_be_overridden(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["test"] = two_classes(shapes, "test")
    chosen = Threshold(value=0.7, per_class={"disc": 0.2})
    ModelPackage.load(package).with_threshold(chosen).save(package)
    result = DETECTION.evaluate(package, shapes, "test", EvaluateOptions(), notes)
    assert result.threshold == 0.7
    rows = {row["class"]: row for row in result.per_class}
    assert (rows["square"]["recall"], rows["disc"]["f1"]) == (0.0, 1.0)
    forced = DETECTION.evaluate(package, shapes, "test", EvaluateOptions(threshold=0.55), notes)
    assert {row["threshold"] for row in forced.per_class} == {0.55}
    assert {row["class"]: row["recall"] for row in forced.per_class} == {"square": 1, "disc": 0}


def test_a_model_that_finds_nothing_keeps_its_threshold_with_a_warning(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["val"] = [Detections.none()] * 8
    tuning = DETECTION.tune(package, shapes, TuneOptions(), notes)
    assert (tuning.threshold, tuning.value) == (0.5, 0.0)
    assert any("warning" in line for line in notes.lines)


def test_evaluation_uses_the_threshold_of_the_package(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["test"] = almost_right(shapes, "test")
    objects = sum(map(len, read_labels(shapes, "test").labels))
    found = {}
    for threshold in (0.2, 0.5, 0.7):
        ModelPackage.load(package).with_threshold(threshold).save(package)
        result = DETECTION.evaluate(package, shapes, "test", EvaluateOptions(), notes)
        assert (result.split, result.threshold) == ("test", threshold)
        found[threshold] = result.values
    assert found[0.5]["precision"] == pytest.approx(objects / (objects + 1))
    assert found[0.5]["recall"] == found[0.2]["recall"] == 1.0
    assert found[0.2]["precision"] == pytest.approx(objects / (2 * objects + 1))
    assert found[0.7]["recall"] == 0.0
    # COCO's figures know no threshold.
    assert len({values["mAP50"] for values in found.values()}) == 1


def test_evaluation_shows_tables_plots_and_the_worst_pictures(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    scripted["test"] = almost_right(shapes, "test")
    options = EvaluateOptions(
        threshold=0.2, worst=3, samples=2, runtime="onnxruntime", batch_size=5
    )
    result = DETECTION.evaluate(package, shapes, "test", options, notes)
    assert scripted["asked"] == {"runtime": "onnxruntime", "batch_size": 5}
    assert result.threshold == 0.2
    assert [row["class"] for row in result.per_class] == ["square", "disc"]
    assert len(notes.figures) == 7 and len(notes.tables) == 3
    assert all(title.startswith("test: ") for title, _ in notes.figures + notes.tables)
    assert len(notes.images) == len({series for _, series, _ in notes.images}) == 3 + 2
    shown = [title for title, _, _ in notes.images]
    assert shown == ["truth | predictions on test"] * 2 + ["worst on test"] * 3
    # A second time draws over the first: the same names and steps.
    again = Notes()
    DETECTION.evaluate(package, shapes, "test", options, again)
    assert (again.images, again.figures, again.tables) == (
        notes.images, notes.figures, notes.tables
    )  # fmt: skip
    clean = Notes()
    scripted["test"] = [one.above(0.5).above(0.0) for one in almost_right(shapes, "test")]
    DETECTION.evaluate(package, shapes, "test", EvaluateOptions(threshold=0.5, samples=0), clean)
    assert len(clean.images) == 1  # the one with the false box at 0.8


def test_what_lies_in_a_crowd_is_no_mistake_to_show(shapes: Path) -> None:
    labels = read_labels(shapes, "test")
    crowd = np.array([[0, 0, 60, 60]], np.float32), np.array([0])
    empty = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    inside = Detections(
        np.array([[5, 5, 15, 15]], np.float32), np.array([0.9], np.float32), np.array([0])
    )
    found = [inside, *[Detections.none()] * (len(labels) - 1)]
    options = EvaluateOptions()
    for truth, names in (
        (empty, [labels.files[0]]),
        (Truth(empty.boxes, empty.classes, *crowd), []),
    ):
        truths = [truth, *[empty] * (len(labels) - 1)]
        worst = worst_pictures(labels, truths, found, 0.5, options)
        assert [name for name, _ in worst] == names


def test_cocos_figures_are_those_of_pycocotools_on_the_datasets_own_file(
    shapes: Path, package: Path, scripted: dict[str, Any], notes: Notes
) -> None:
    rng = np.random.default_rng(0)
    scripted["test"] = [
        Detections(one.boxes + rng.normal(0, 3, one.boxes.shape).astype(np.float32), *rest)
        for one in two_classes(shapes, "test")
        for rest in [(one.scores, one.classes)]
    ]
    labels = read_labels(shapes, "test")
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO(str(shapes / "test/labels.json"))
        ids = {row["file_name"]: row["id"] for row in ground.dataset["images"]}
        results = [
            {
                "image_id": ids[file],
                "category_id": (3, 7)[label],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "score": float(score),
            }
            for file, one in zip(labels.files, scripted["test"], strict=True)
            for (x0, y0, x1, y1), score, label in zip(
                one.boxes.astype(float).tolist(), one.scores, one.classes, strict=True
            )
        ]
        reference = COCOeval(ground, ground.loadRes(results), "bbox")
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    values = DETECTION.evaluate(package, shapes, "test", EvaluateOptions(), notes).values
    ours = [values.get(name, -1.0) for name in (*NAMES, *RECALLS)]
    assert ours == reference.stats.tolist()
    assert 0 < values["mAP"] < 1


def test_the_real_predictor_is_asked_for_uncut_detections(
    shapes: Path, package: Path, notes: Notes
) -> None:
    options = EvaluateOptions(batch_size=4, floor=0.0)
    result = DETECTION.evaluate(package, shapes, "val", options, notes)
    # 10 queries and 2 classes: nothing was cut.
    loose = DETECTION.evaluate(
        package, shapes, "val", options.model_copy(update={"threshold": 1e-6}), notes
    )
    detections = sum(row["detections"] for row in loose.per_class)
    assert detections == 8 * 20
    assert {"mAP", "mAP50", "f1"} <= set(result.values)
    assert ("predicting", 8, 8) in notes.progressed


def test_what_training_measured_is_what_the_package_measures(
    shapes: Path, tmp_path: Path, notes: Notes
) -> None:
    options = TrainOptions.model_validate(
        {**TINY, "epochs": 6, "validate_every": 6, "optimizer": {"lr": 3e-3}}
    )
    place = Checkpoints(tmp_path, None, lambda _: None)
    outcome = DETECTION.train(shapes, options, place, notes)
    judged = DETECTION.evaluate(outcome.package, shapes, "val", EvaluateOptions(floor=0.0), Notes())
    for name in ("mAP", "mAP50"):
        assert judged.values[name] == pytest.approx(outcome.metrics[name], abs=1e-4)
        (stored,) = [
            metric
            for metric in ModelPackage.load(outcome.package).card.metrics
            if metric.name == name
        ]
        assert (stored.value, stored.split) == (outcome.metrics[name], "val")


def test_other_classes_than_the_models_are_refused(
    shapes: Path, package: Path, tmp_path: Path, notes: Notes
) -> None:
    other = Path(shutil.copytree(shapes, tmp_path / "other"))
    text = (other / "dataset.json").read_text()
    (other / "dataset.json").write_text(text.replace("disc", "ring"))
    for call in (
        lambda: DETECTION.tune(package, other, TuneOptions(), notes),
        lambda: DETECTION.evaluate(package, other, "val", EvaluateOptions(), notes),
    ):
        with pytest.raises(ValueError, match="knows the classes square, disc"):
            call()
