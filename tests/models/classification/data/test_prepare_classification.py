"""From raw pictures to a dataset that training never has to doubt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from models.classification.data.options import PrepareOptions
from models.classification.data.prepare import prepare
from models.classification.labels import read_labels
from tests.models.classification.conftest import COLOURS, Notes, patch, save, write_classes
from tests.models.data.test_near_duplicates import again, scene

HALVES = {"split": {"ratios": [0.5, 0.25, 0.25], "seed": 83}}


def made(raw: Path, target: Path, **options: Any) -> tuple[Any, Notes]:
    notes = Notes()
    done = prepare(raw, target, PrepareOptions.model_validate({**HALVES, **options}), notes)
    return done, notes


def counts(target: Path, split: str) -> dict[str, int]:
    labels = read_labels(target, split)
    return dict(zip(labels.classes, labels.truth.sum(axis=0).tolist(), strict=True))


def test_every_class_is_divided_alike_and_the_same_again(tmp_path: Path) -> None:
    raw = write_classes(tmp_path / "raw", {"blue": 8, "green": 40, "red": 20})
    done, _ = made(raw, tmp_path / "a")
    assert counts(tmp_path / "a", "train") == {"blue": 4, "green": 20, "red": 10}
    assert counts(tmp_path / "a", "test") == {"blue": 2, "green": 10, "red": 5}
    assert done.pictures == {"train": 34, "val": 17, "test": 17}
    # Neither names nor order matter: the same pictures fall into the same splits.
    for file in sorted(raw.rglob("*.png"), reverse=True):
        file.rename(file.with_name(f"x{97 * int(file.stem) % 1009}.png"))
    made(raw, tmp_path / "b")
    a, b = (
        {f.read_bytes() for f in (tmp_path / name / "test" / "data").iterdir()} for name in "ab"
    )
    assert a == b


def test_without_stratify_a_rare_class_may_fall_anywhere(tmp_path: Path) -> None:
    raw = write_classes(tmp_path / "raw", {"blue": 8, "green": 40, "red": 20})
    made(raw, tmp_path / "a", stratify=False)
    assert counts(tmp_path / "a", "train") != {"blue": 4, "green": 20, "red": 10}


@pytest.mark.parametrize(
    ("options", "classes", "pictures"),
    [
        ({"classes": ["red", "blue"]}, ["blue", "red"], 16),
        ({"drop": ["green"]}, ["blue", "red"], 16),
        ({"merge": {"cold": ["blue", "green"]}}, ["cold", "red"], 24),
        ({"most_per_class": 4}, ["blue", "green", "red"], 12),
    ],
)
def test_choosing_classes(
    tmp_path: Path, options: dict[str, Any], classes: list[str], pictures: int
) -> None:
    raw = write_classes(tmp_path / "raw", dict.fromkeys(COLOURS, 8))
    done, _ = made(raw, tmp_path / "out", **options)
    assert list(done.classes) == classes
    assert sum(done.pictures.values()) == pictures


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"classes": ["rod"]}, r"no class 'rod' \(did you mean 'red'\?\)"),
        ({"drop": ["red", "green"]}, "only blue: there's nothing to tell apart"),
        ({"merge": {"a": ["red"], "b": ["red"]}}, "'red' is to be both 'a' and 'b'"),
        ({"merge": {"red": ["blue"]}}, "have a class 'red' already"),
    ],
)
def test_wrong_choices_get_one_line(tmp_path: Path, options: dict[str, Any], line: str) -> None:
    raw = write_classes(tmp_path / "raw", dict.fromkeys(COLOURS, 8))
    with pytest.raises(ValueError, match=line):
        made(raw, tmp_path / "out", **options)


def test_broken_and_turned_pictures(tmp_path: Path) -> None:
    raw = write_classes(tmp_path / "raw", dict.fromkeys(COLOURS, 8))
    (raw / "red" / "cut.png").write_bytes((raw / "red" / "0.png").read_bytes()[:300])
    (raw / "red" / "empty.jpg").write_bytes(b"")
    (raw / "red" / "text.jpg").write_text("no picture")
    done, _ = made(raw, tmp_path / "out")
    assert sorted(one.item for one in done.rejected) == [
        "red/cut.png",
        "red/empty.jpg",
        "red/text.jpg",
    ]
    assert sum(done.pictures.values()) == 24


def test_near_duplicates_leave_val_and_test_and_contradictions_are_told(tmp_path: Path) -> None:
    for seed in range(16):
        again_of = scene(seed)
        for number in range(2):  # each scene twice, coded anew
            place = tmp_path / "raw" / ("even" if seed % 2 == 0 else "odd")
            place.mkdir(parents=True, exist_ok=True)
            again(again_of, place / f"{seed}-{number}.jpg", 95 - 20 * number)
    again(scene(0), tmp_path / "raw" / "odd" / "0-wrong.jpg", 60)
    done, notes = made(tmp_path / "raw", tmp_path / "out")
    groups: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        for file in read_labels(tmp_path / "out", split).files:
            groups.setdefault(Path(file).stem.split("-")[0], set()).add(split)
    assert all(len(splits) == 1 for splits in groups.values())
    assert any("nearly the same picture is in" in one.reason for one in done.rejected)
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["suspicious_labels"] >= 1
    assert any("one of the two labels is likely wrong" in line for line in notes.lines)


def test_imbalance_is_told(tmp_path: Path) -> None:
    raw = write_classes(tmp_path / "raw", {"blue": 4, "green": 60, "red": 60})
    _, notes = made(raw, tmp_path / "out")
    assert any("times as many pictures" in line for line in notes.lines)
    assert any("very few pictures of blue" in line for line in notes.lines)


def test_a_class_with_too_few_pictures_says_what_to_do(tmp_path: Path) -> None:
    raw = write_classes(tmp_path / "raw", {"blue": 2, "green": 9})
    with pytest.raises(ValueError, match=r"of blue are too few .* split.ratios, or set stratify"):
        made(raw, tmp_path / "out")


def test_several_labels(tmp_path: Path) -> None:
    rows = ["file,class"]
    for number in range(24):
        save(tmp_path / "raw" / f"{number}.png", patch(COLOURS["red"], number))
        rows.append(f"{number}.png,{['a', 'b', 'a|b', ''][number % 4]}")
    (tmp_path / "raw" / "labels.csv").write_text("\n".join(rows))
    _, notes = made(tmp_path / "raw", tmp_path / "several")
    assert any(
        "6 of 24 pictures have several classes, such as 2.png (a, b)" in n for n in notes.lines
    )
    labels = read_labels(tmp_path / "several", "train")
    assert labels.several and {int(row.sum()) for row in labels.truth} == {0, 1, 2}
    done, _ = made(tmp_path / "raw", tmp_path / "one", multi_label=False)
    assert sum(done.pictures.values()) == 12 and len(done.rejected) == 12
    assert not read_labels(tmp_path / "one", "train").several


def test_splits_that_came_are_kept(tmp_path: Path) -> None:
    write_classes(tmp_path / "raw" / "train", dict.fromkeys(COLOURS, 6))
    write_classes(tmp_path / "raw" / "test", dict.fromkeys(COLOURS, 3), first=500)
    done, _ = made(tmp_path / "raw", tmp_path / "out")
    assert done.pictures["test"] == 9 and done.pictures["val"] > 0
    shutil.rmtree(tmp_path / "out")
    done, _ = made(tmp_path / "raw", tmp_path / "out", split={**HALVES["split"], "keep": False})
    assert done.pictures == {"train": 15, "val": 6, "test": 6} or sum(done.pictures.values()) == 27
