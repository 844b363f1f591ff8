"""The audit of a package whose predictions are known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detection.audit import mirrored
from models.detection.audit_options import AuditOptions
from models.detection.dataset import read_labels
from models.detection.detections import Detections
from models.families import family
from models.package import ModelPackage, Threshold
from tests.models.detection.conftest import Notes
from tests.models.detection.test_judging import trained  # noqa: F401 (a fixture)

DETECTION = family("detection")
NO_LOOK = {"second_look": False}


@pytest.fixture
def package(trained: Path, tmp_path: Path) -> Path:  # noqa: F811 (the fixture)
    return Path(shutil.copytree(trained, tmp_path / "package"))


@pytest.fixture
def asked(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Let the predictor find every object of the clean set at 0.9."""
    asked: dict[str, Any] = {}

    def predict(
        package: Path, labels: Any, reporter: Any, runtime: str, batch_size: int, floor: float
    ) -> list[Detections]:
        asked.update(runtime=runtime, batch_size=batch_size, floor=floor)
        clean = read_labels(shapes, labels.folder.parent.name)
        return [
            Detections(boxes, np.full(len(classes), 0.9, np.float32), classes)
            for boxes, classes in zip(clean.boxes, clean.labels, strict=True)
        ]

    monkeypatch.setattr("models.detection.audit.predict", predict)
    yield asked


def spoil(shapes: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """Copy the set and spoil four labels of train; gives what was done by picture."""
    target = Path(shutil.copytree(shapes, folder / "spoilt"))
    file = target / "train/labels.json"
    coco = json.loads(file.read_text())
    clean = read_labels(shapes, "train")
    alone = [name for name, boxes in zip(clean.files, clean.boxes, strict=True) if len(boxes) == 1]
    ids = {image["file_name"]: image["id"] for image in coco["images"]}
    of = {a["image_id"]: a for a in coco["annotations"]}
    empty = next(n for n, boxes in zip(clean.files, clean.boxes, strict=True) if not len(boxes))
    done = dict(zip(alone, ("missing", "wrong class", "badly placed"), strict=False))
    for name, kind in done.items():
        annotation = of[ids[name]]
        if kind == "missing":
            coco["annotations"].remove(annotation)
        elif kind == "wrong class":
            annotation["category_id"] = 10 - annotation["category_id"]
        else:
            annotation["bbox"][0] += annotation["bbox"][2] * 0.5
    coco["annotations"].append(
        {"id": 1000, "image_id": ids[empty], "category_id": 3, "bbox": [5, 5, 20, 20],
         "area": 400, "iscrowd": 0}
    )  # fmt: skip
    file.write_text(json.dumps(coco))
    return target, {**done, empty: "needless"}


def test_spoilt_labels_are_found_and_nothing_else(
    shapes: Path, package: Path, tmp_path: Path, asked: dict[str, Any], notes: Notes
) -> None:
    spoilt, done = spoil(shapes, tmp_path)
    assert len(done) == 4
    options = AuditOptions.model_validate({**NO_LOOK, "quality": 1.0})
    made = DETECTION.audit(package, spoilt, "train", options, notes)
    assert {row["picture"]: row["kind"] for row in made.suspects} == done
    assert made.pictures == 22
    kinds = {row["picture"]: set() for row in made.mistakes}
    for row in made.mistakes:
        kinds[row["picture"]].add(row["kind"])
    assert set(kinds) == set(done)
    by_kind = {kind: name for name, kind in done.items()}
    assert kinds[by_kind["missing"]] == {"background"}
    assert kinds[by_kind["wrong class"]] == {"class", "missed"}
    assert kinds[by_kind["badly placed"]] == {"localisation", "missed"}
    assert kinds[by_kind["needless"]] == {"missed"}
    json.dumps([list(made.mistakes), list(made.suspects)], allow_nan=False)
    # A picture of its own for each.
    shown = [title for title, _, _ in notes.images]
    assert shown == ["mistakes on train"] * 4 + ["suspected labels on train"] * 4
    assert len({series for _, series, _ in notes.images}) == 8
    assert [title for title, _ in notes.tables] == ["train: mistakes", "train: suspected labels"]
    again = Notes()
    DETECTION.audit(package, spoilt, "train", options, again)
    assert (again.images, again.tables) == (notes.images, notes.tables)


def test_a_clean_set_gives_nothing_to_look_at(
    shapes: Path, package: Path, asked: dict[str, Any], notes: Notes
) -> None:
    made = DETECTION.audit(package, shapes, "val", AuditOptions(), notes)
    assert not made.mistakes and not made.suspects
    assert not notes.images and not notes.tables


@pytest.mark.parametrize(
    ("changes", "mistakes", "suspects", "pictures"),
    [
        ({}, 6, 4, 4 + 4),
        ({"quality": 0.05}, 6, 1, 4 + 1),
        ({"placed": 0.3}, 6, 3, 4 + 3),
        ({"iou": 0.3}, 4, 4, 3 + 4),
        ({"mistakes": 1}, 6, 4, 1 + 4),
        ({"suspects": 0}, 6, 4, 4),
        ({"threshold": 0.95}, None, None, None),
    ],
)
def test_each_option_has_an_effect(
    shapes: Path,
    package: Path,
    tmp_path: Path,
    asked: dict[str, Any],
    notes: Notes,
    changes: dict[str, Any],
    mistakes: int | None,
    suspects: int,
    pictures: int,
) -> None:
    spoilt, _ = spoil(shapes, tmp_path)
    options = AuditOptions.model_validate({**NO_LOOK, "runtime": "openvino", "batch_size": 3,
                                           **changes})  # fmt: skip
    made = DETECTION.audit(package, spoilt, "train", options, notes)
    assert asked == {"runtime": "openvino", "batch_size": 3, "floor": 0.01}
    if mistakes is None:  # everything is missed
        labels = read_labels(spoilt, "train").labels
        assert [row["kind"] for row in made.mistakes] == ["missed"] * sum(map(len, labels))
        return
    assert (len(made.mistakes), len(made.suspects)) == (mistakes, suspects)
    assert len(notes.images) == pictures


def test_the_thresholds_of_the_package_count(
    shapes: Path, package: Path, asked: dict[str, Any], notes: Notes
) -> None:
    limits = Threshold(value=0.5, per_class={"disc": 0.95})
    ModelPackage.load(package).with_threshold(limits).save(package)
    made = DETECTION.audit(package, shapes, "val", AuditOptions(), notes)
    assert {row["true"] for row in made.mistakes} == {"disc"}


def test_tables_are_cut_where_the_options_say(
    shapes: Path,
    package: Path,
    tmp_path: Path,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoilt, _ = spoil(shapes, tmp_path)
    sizes = []
    notes = Notes()
    monkeypatch.setattr(notes, "table", lambda *given, **_: sizes.append(len(given[3])))
    for rows in (200, 2):
        options = AuditOptions.model_validate({**NO_LOOK, "rows": rows})
        made = DETECTION.audit(package, spoilt, "train", options, notes)
        assert len(made.mistakes) == 6
    assert sizes == [6, 4, 2, 2]


def test_the_second_look_is_at_the_mirrored_picture(
    shapes: Path, package: Path, tmp_path: Path, asked: dict[str, Any], notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    spoilt, done = spoil(shapes, tmp_path)
    looked: list[list[int]] = []

    def look(package: Path, labels: Any, pictures: list[int], options: Any) -> list[Detections]:
        looked.append(pictures)
        return [Detections.none() for _ in pictures]

    monkeypatch.setattr("models.detection.audit.mirrored", look)
    options = AuditOptions(quality=1.0, second_look=True)
    made = DETECTION.audit(package, spoilt, "train", options, notes)
    (index,) = looked[0]
    assert done[read_labels(spoilt, "train").files[index]] == "missing"
    (row,) = [row for row in made.suspects if row["kind"] == "missing"]
    assert row["quality"] == pytest.approx(0.55, abs=1e-4)


def test_mirrored_boxes_come_back_as_the_picture_is(
    shapes: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = read_labels(shapes, "val")
    turned = []

    class Fake:
        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *_: object) -> None: ...

        def __call__(self, images: list[Any], threshold: float) -> list[Detections]:
            turned.extend(images)
            box = np.array([[10, 5, 30, 25]], np.float32)
            return [Detections(box, np.ones(1, np.float32), np.zeros(1, int))] * len(images)

    monkeypatch.setattr("models.runtimes.load_predictor", lambda *_, **__: Fake())
    found = mirrored(package, labels, [1, 3, 4], AuditOptions(batch_size=2))
    assert [one.boxes.tolist() for one in found] == [[[98, 5, 118, 25]]] * 3
    from models.detection.dataset import read_picture

    assert np.array_equal(turned[0][:, ::-1], read_picture(labels.folder / labels.files[1]))


def test_the_real_network_looks_twice(shapes: Path, package: Path, notes: Notes) -> None:
    made = DETECTION.audit(package, shapes, "val", AuditOptions(threshold=0.011), notes)
    assert made.pictures == 8 and made.mistakes
