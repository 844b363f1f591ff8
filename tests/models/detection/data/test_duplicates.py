"""What becomes of near-duplicates when a dataset is prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from tests.models.data.test_near_duplicates import again, scene
from tests.models.detection.conftest import Notes


def raw(folder: Path, pictures: dict[str, tuple[int, int]]) -> Path:
    """Write COCO splits from `split/name` to a scene's seed and JPEG quality."""
    splits: dict[str, list[str]] = {}
    for path, (seed, quality) in pictures.items():
        split, name = path.split("/")
        (folder / split / "data").mkdir(parents=True, exist_ok=True)
        again(scene(seed), folder / split / "data" / name, quality)
        splits.setdefault(split, []).append(name)
    for split, names in splits.items():
        images = [
            {"id": number, "file_name": name, "width": 320, "height": 240}
            for number, name in enumerate(names)
        ]
        annotations = [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [10, 10, 50 + n, 50]}
            for n in range(len(names))
        ]
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "thing"}],
        }
        (folder / split / "labels.json").write_text(json.dumps(content))
    return folder


def go(folder: Path, notes: Notes | None = None, **options: Any) -> Any:
    chosen = PrepareOptions.model_validate(options)
    return prepare(folder / "raw", folder / "set", chosen, notes or Notes())


CAME = {f"train/{n}.jpg": (n, 90) for n in range(5)} | {
    "val/a.jpg": (1, 50),
    "val/b.jpg": (11, 90),
    "test/c.jpg": (11, 60),
    "test/d.jpg": (12, 90),
}


@pytest.mark.parametrize(
    ("duplicates", "pictures", "listed"),
    [("remove", (5, 1, 2), 2), ("report", (5, 2, 2), 2), ("ignore", (5, 2, 2), 0)],
)
def test_each_choice_does_what_it_says(
    tmp_path: Path, notes: Notes, duplicates: str, pictures: tuple[int, ...], listed: int
) -> None:
    came = CAME if duplicates != "remove" else CAME | {"val/e.jpg": (30, 90)}
    raw(tmp_path / "raw", came)
    result = go(tmp_path, notes, duplicates=duplicates)
    assert tuple(result.pictures.values()) == pictures
    about = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert about["near_duplicates"] == listed
    assert (("Dataset", "near-duplicates") in notes.tables) is (listed > 0)
    assert sum(series.startswith("nearly the same") for _, series, _ in notes.images) == listed
    reasons = {one.item: one.reason for one in result.rejected}
    assert reasons == (
        {
            "val/data/a.jpg": "nearly the same picture is in train (train/data/1.jpg)",
            "val/data/b.jpg": "nearly the same picture is in test (test/data/c.jpg)",
        }
        if duplicates == "remove"
        else {}
    )


def test_drawn_splits_never_part_a_group_whatever_the_names(tmp_path: Path) -> None:
    homes = []
    for turn in range(2):
        folder = tmp_path / str(turn)
        names = [f"{n if turn else 99 - n}.jpg" for n in range(36)]
        (folder / "raw" / "data").mkdir(parents=True)
        pictures = {f"train/{name}": (n % 12, 60 + n) for n, name in enumerate(names)}
        raw(folder / "raw", pictures)
        result = go(folder, split={"keep": False, "ratios": [0.5, 0.25, 0.25]})
        where: dict[int, set[str]] = {}
        for split in result.pictures:
            content = json.loads((folder / "set" / split / "labels.json").read_text())
            for row in content["images"]:
                seed = pictures[f"train/{row['file_name']}"][0]
                where.setdefault(seed, set()).add(split)
        assert all(len(splits) == 1 for splits in where.values())
        # Of three alike pictures val and test keep one.
        assert result.pictures["train"] % 3 == 0
        assert sum(result.pictures.values()) < 36
        homes.append(where)
    assert homes[0] == homes[1]


def test_the_same_picture_with_other_boxes_is_noted(tmp_path: Path, notes: Notes) -> None:
    raw(tmp_path / "raw", {"train/a.jpg": (1, 90), "train/b.jpg": (1, 90), "train/c.jpg": (2, 90)})
    go(tmp_path, notes, split={"ratios": [1, 0, 0]})
    assert any("a.jpg and train/data/b.jpg are the same picture" in line for line in notes.lines)
