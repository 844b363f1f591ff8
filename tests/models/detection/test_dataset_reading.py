from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.detection import dataset as subject
from models.detection.augmentation import Augmentation
from models.detection.augmentation_options import AugmentationOptions
from models.detection.dataset import (
    Changes,
    Pictures,
    collate,
    read_categories,
    read_labels,
)
from models.preprocessing import Preprocessing
from models.training.options import CacheOptions
from models.training.order import Key
from models.training.picture_cache import PictureCache


def memory(megabytes: int) -> PictureCache:
    return PictureCache(CacheOptions(mb=megabytes), Path("unused"))


SQUARE = Preprocessing(height=64, width=64)


def test_category_ids_with_gaps_become_class_indices(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    coco = json.loads((shapes / "train/labels.json").read_text())
    assert read_categories(shapes) == [("square", 3), ("disc", 7)]
    assert labels.classes == ("square", "disc")
    assert len(labels) == 22
    for index, file in enumerate(labels.files):
        (image,) = [entry for entry in coco["images"] if entry["file_name"] == file]
        mine = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert labels.sizes[index] == (image["height"], image["width"])
        assert labels.labels[index].tolist() == [(3, 7).index(a["category_id"]) for a in mine]
        corners = [[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in mine)]
        assert labels.boxes[index].tolist() == corners
    assert any(not len(boxes) for boxes in labels.boxes)


def test_the_order_of_the_file_does_not_matter(shapes: Path, tmp_path: Path) -> None:
    coco = json.loads((shapes / "val/labels.json").read_text())
    (tmp_path / "val").mkdir()
    (tmp_path / "dataset.json").write_text((shapes / "dataset.json").read_text())
    turned = {**coco, "images": coco["images"][::-1]}
    (tmp_path / "val/labels.json").write_text(json.dumps(turned))
    assert list(read_labels(tmp_path, "val").files) == list(read_labels(shapes, "val").files)


def test_crowds_are_kept_apart_from_what_is_learned(shapes: Path, tmp_path: Path) -> None:
    coco = json.loads((shapes / "val/labels.json").read_text())
    (tmp_path / "val").mkdir()
    (tmp_path / "dataset.json").write_text((shapes / "dataset.json").read_text())
    coco["annotations"][0]["iscrowd"] = 1
    (tmp_path / "val/labels.json").write_text(json.dumps(coco))
    plain, packed = read_labels(shapes, "val"), read_labels(tmp_path, "val")
    counts = [sum(map(len, one.labels)) for one in (plain, packed)]
    assert counts[0] - counts[1] == 1
    assert [sum(map(len, one.crowd_labels)) for one in (plain, packed)] == [0, 1]
    (region,) = [boxes for boxes in packed.crowd_boxes if len(boxes)]
    x, y, w, h = coco["annotations"][0]["bbox"]
    assert region.tolist() == [[x, y, x + w, y + h]]


@pytest.mark.parametrize(
    ("split", "line"), [("tset", r"no split 'tset'; it has: test, train, val")]
)
def test_a_split_that_is_not_there_is_refused(shapes: Path, split: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        read_labels(shapes, split)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_broken_picture_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"picture .*x\.jpg") as caught:
        subject.read_picture(file)
    assert "\n" not in str(caught.value)


def test_boxes_follow_the_picture_into_the_input(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    pictures = Pictures(labels, SQUARE, memory(10))
    index = next(i for i in range(len(labels)) if len(labels.boxes[i]) == 1)
    sample = pictures[index]
    # 128 x 96 in 64 x 64: halved, 8 rows of padding above.
    expected = labels.boxes[index] / 2 + np.array([0, 8, 0, 8], np.float32)
    assert sample["boxes"] == pytest.approx(expected)
    x, y = expected[0].reshape(2, 2).mean(axis=0).astype(int)
    colour = [(80, 255, 80), (255, 80, 80)][sample["classes"][0]]
    # The picture is written BGR: what was (80, 255, 80) there is the same here, discs are not.
    assert sample["image"][y, x].tolist() in [list(colour), list(colour)[::-1]]
    assert sample["image"].dtype == np.uint8


def test_a_batch_holds_bytes_and_relative_centred_boxes(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    pictures = Pictures(labels, SQUARE, memory(10))
    batch = collate([pictures[i] for i in range(4)])
    assert batch["images"].shape == (4, 64, 64, 3)
    assert batch["images"].dtype == torch.uint8
    assert batch["indices"] == [0, 1, 2, 3]
    for index, target in enumerate(batch["targets"]):
        boxes = pictures[index]["boxes"]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 128
        assert target["boxes"].numpy() == pytest.approx(
            np.concatenate([centres, (boxes[:, 2:] - boxes[:, :2]) / 64], axis=1), abs=1e-6
        )
        assert target["class_labels"].dtype == torch.int64


def test_a_picture_is_decoded_once_while_the_budget_lasts(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    original = subject.read_picture

    def count(file: Path) -> Any:
        decoded.append(file)
        return original(file)

    monkeypatch.setattr(subject, "read_picture", count)
    labels = read_labels(shapes, "train")
    for megabytes, times in ((1, 22), (0, 44)):
        decoded.clear()
        pictures = Pictures(labels, SQUARE, memory(megabytes))
        first = [pictures[i]["image"].copy() for i in range(22)]
        again = [pictures[i]["image"] for i in range(22)]
        assert len(decoded) == times
        assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    large = Preprocessing(height=512, width=512)  # 576 KiB a picture: one fits
    decoded.clear()
    pictures = Pictures(labels, large, memory(1))
    for _ in range(2):
        [pictures[i] for i in range(3)]
    assert len(decoded) == 5


def test_augmentation_depends_on_seed_epoch_and_picture_alone(shapes: Path) -> None:
    labels = read_labels(shapes, "train")

    def pixels(epoch: int, seed: int = 0, light_from: int | None = None) -> bytes:
        change = Augmentation(AugmentationOptions(mosaic=0.5, mixup=0.2), SQUARE.fill)
        changes = Changes(change, seed, light_from=light_from)
        image: bytes = Pictures(labels, SQUARE, memory(1), changes)[Key(epoch, 4, 0)][
            "image"
        ].tobytes()
        return image

    assert pixels(1) == pixels(1)
    assert len({pixels(epoch) for epoch in range(6)}) > 4
    assert len({pixels(1, seed) for seed in range(6)}) > 4
    plain = Pictures(labels, SQUARE, memory(1))
    still = {plain[4]["image"].tobytes(), plain[4]["image"][:, ::-1].tobytes()}
    assert {pixels(epoch, light_from=3) for epoch in range(3, 9)} <= still
    assert pixels(2, light_from=3) == pixels(2)


def test_mosaics_end_where_they_should(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    plain = Pictures(labels, SQUARE, memory(1))[4]["image"]
    change = Augmentation(
        AugmentationOptions(mosaic=1.0, mixup=1.0, flip=0, affine=0, colour=0, blur=0, noise=0),
        SQUARE.fill,
    )
    pictures = Pictures(labels, SQUARE, memory(1), Changes(change, combine_until=2))
    same = [np.array_equal(pictures[Key(epoch, 4, 0)]["image"], plain) for epoch in range(4)]
    assert same == [False, False, True, True]


@pytest.mark.parametrize("where", ["memory", "disk", "none"])
def test_where_pictures_are_kept_does_not_change_them(
    shapes: Path, tmp_path: Path, where: str
) -> None:
    labels = read_labels(shapes, "train")
    change = Augmentation(AugmentationOptions(mosaic=0.5), SQUARE.fill)
    cache = PictureCache(CacheOptions.model_validate({"where": where}), tmp_path)
    pictures = Pictures(labels, SQUARE, cache, Changes(change))
    fresh = Pictures(labels, SQUARE, memory(0), Changes(change))
    keys = [Key(epoch, index, 0) for epoch in range(2) for index in range(22)]
    for key in keys:
        assert np.array_equal(pictures[key]["image"], fresh[key]["image"])
        assert np.array_equal(pictures[key]["boxes"], fresh[key]["boxes"])


def test_a_batch_has_one_size_and_batches_differ(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    large = Preprocessing(height=128, width=128)
    change = Augmentation(AugmentationOptions(affine=0, flip=0), large.fill)

    def sizes(light_from: int | None = None, seed: int = 0) -> list[set[tuple[int, ...]]]:
        changes = Changes(change, seed, 0.5, light_from=light_from)
        pictures = Pictures(labels, large, memory(0), changes)
        return [
            {pictures[Key(1, index, batch)]["image"].shape for index in range(3)}
            for batch in range(12)
        ]

    found = sizes()
    assert all(len(batch) == 1 for batch in found)
    sides = {next(iter(batch))[0] for batch in found}
    assert sides <= {64, 96, 128, 160, 192} and len(sides) >= 3
    assert sizes() == found != sizes(seed=1)
    assert set.union(*sizes(light_from=1)) == {(128, 128, 3)}
    still = Pictures(labels, large, memory(0))[4]["boxes"]
    pictures = Pictures(labels, large, memory(0), Changes(change, multiscale=0.5))
    for batch in range(6):
        sample = pictures[Key(1, 4, batch)]
        assert sample["boxes"] == pytest.approx(still * sample["image"].shape[0] / 128, abs=1e-3)


def test_the_cache_is_left_alone_by_augmentation(shapes: Path) -> None:
    labels = read_labels(shapes, "train")
    change = Augmentation(
        AugmentationOptions(colour=1.0, noise=1.0, mosaic=0.3, coarse_dropout=1.0), SQUARE.fill
    )
    for shape in (SQUARE, Preprocessing(height=64, width=64, resize_mode="stretch")):
        moving = Pictures(labels, shape, memory(1), Changes(change))
        before = moving[0]["image"].copy()
        for epoch in range(10):
            moving[Key(epoch, 0, 0)]
        assert np.array_equal(moving[0]["image"], before)
