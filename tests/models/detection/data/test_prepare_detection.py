import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from models.detection.data.checks import turn_boxes
from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.outcomes import Preparation, Rejected
from models.reporting import Silence

BCCD = Path(__file__).parents[5] / "shared" / "datasets" / "bccd"


def picture(seed: int, width: int = 80, height: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height))


class Source:
    """A COCO source that grows by pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[str, dict[str, Any]] = {}

    def add(
        self,
        name: str,
        boxes: list[list[float]] | None = None,
        split: str = "",
        content: bytes | None = None,
        seed: int | None = None,
        **row: Any,
    ) -> Path:
        part = self.parts.setdefault(
            split,
            {
                "images": [],
                "annotations": [],
                "categories": [{"id": 2, "name": "cat"}, {"id": 5, "name": "a dog"}],
            },
        )
        number = len(part["images"]) + 1
        path = self.folder / split / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            seed = random.Random(name).randrange(2**31) if seed is None else seed
            coded = cv2.imencode(path.suffix, picture(seed))[1]
            content = coded.tobytes()
        path.write_bytes(content)
        size = {"width": 80, "height": 60}
        part["images"].append({"id": number, "file_name": name} | size | row)
        for box in [[10, 10, 20, 20]] if boxes is None else boxes:
            part["annotations"].append(
                {
                    "id": len(part["annotations"]) + 1,
                    "image_id": number,
                    "category_id": 2 + 3 * (len(part["annotations"]) % 2),
                    "bbox": box,
                }
            )
        return path

    def write(self) -> Path:
        for split, part in self.parts.items():
            (self.folder / split / "labels.json").write_text(json.dumps(part))
        return self.folder


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


def go(source: Source, **options: Any) -> tuple[Preparation, Path]:
    target = source.folder.parent / "dataset"
    return prepare(source.write(), target, PrepareOptions(**options), Silence()), target


def labels(target: Path, split: str = "train") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((target / split / "labels.json").read_text())
    return content


def files(target: Path) -> dict[str, bytes]:
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


def only_train(**options: Any) -> dict[str, Any]:
    return {"split": {"ratios": (1, 0, 0)}} | options


def test_the_dataset_folder(source: Source) -> None:
    for i in range(20):
        source.add(f"{i}.jpg", [[1, 2, 30, 40]] * (i % 3 > 0))
    result, target = go(source)
    assert result.pictures == {"train": 14, "val": 3, "test": 3}
    assert result.classes == ("cat", "a dog")
    assert result.rejected == ()
    about = json.loads((target / "dataset.json").read_text())
    assert about["family"] == "detection"
    assert about["classes"] == ["cat", "a dog"]
    assert about["category_ids"] == [2, 5]
    assert about["pictures"] == result.pictures
    assert about["splits"]["origin"] == dict.fromkeys(("train", "val", "test"), "drawn")
    assert about["statistics"]["train"]["pictures"] == 14
    ids = []
    for split, count in result.pictures.items():
        content = labels(target, split)
        assert content["categories"] == [{"id": 2, "name": "cat"}, {"id": 5, "name": "a dog"}]
        assert len(content["images"]) == count
        for row in content["images"]:
            path = target / split / "data" / row["file_name"]
            assert path.read_bytes() == (source.folder / "data" / row["file_name"]).read_bytes()
            assert path.samefile(source.folder / "data" / row["file_name"])
            ids.append(row["id"])
        for row in content["annotations"]:
            assert row["bbox"] == [1, 2, 30, 40]
            assert row["area"] == 1200
    assert sorted(ids) == list(range(1, 21))
    assert [name.split("/")[0] for name, _ in result.previews].count("train") == 4
    assert len(result.previews) == 10
    assert all(image.dtype == np.uint8 and image.ndim == 3 for _, image in result.previews)


def test_same_input_gives_same_bytes_whatever_the_order(source: Source, tmp_path: Path) -> None:
    for i in range(30):
        source.add(f"{i}.jpg")
    _, target = go(source)
    first = files(target)
    part = source.parts[""]
    random.Random(3).shuffle(part["images"])
    _, again = go(source, workers=3)
    second = files(again)
    assert {name for name in second if name.endswith(".jpg")} == {
        name for name in first if name.endswith(".jpg")
    }
    assert second["dataset.json"] == first["dataset.json"]
    go(source)
    assert files(target) == second


def test_seed_and_ratios_have_an_effect(source: Source) -> None:
    for i in range(40):
        source.add(f"{i}.jpg")

    def split_of(**split: Any) -> dict[str, set[str]]:
        _, target = go(source, split=split)
        return {
            name: {row["file_name"] for row in labels(target, name)["images"]}
            for name in ("train", "val", "test")
        }

    base = split_of()
    assert split_of(seed=42) == base
    assert split_of(seed=1)["test"] != base["test"]
    sizes = {name: len(found) for name, found in split_of(ratios=(0.5, 0.25, 0.25)).items()}
    assert sizes == {"train": 20, "val": 10, "test": 10}


def test_duplicates_stay_in_one_split(source: Source) -> None:
    for i in range(30):
        source.add(f"{i}.jpg", seed=i % 10)
    result, target = go(source, duplicates="report")
    home: dict[bytes, set[str]] = {}
    for name, content in files(target).items():
        if name.endswith(".jpg"):
            home.setdefault(content, set()).add(name.split("/")[0])
    assert len(home) == 10
    assert all(len(splits) == 1 for splits in home.values())
    assert sum(result.statistics[split]["duplicates"] for split in result.pictures) == 20


def test_a_missing_split_is_drawn_from_train(source: Source) -> None:
    for i in range(17):
        source.add(f"t{i}.jpg", split="train")
    for i in range(5):
        source.add(f"v{i}.jpg", split="valid")
    result, target = go(source)
    assert result.pictures == {"train": 14, "val": 5, "test": 3}
    names = {row["file_name"] for row in labels(target, "val")["images"]}
    assert names == {f"v{i}.jpg" for i in range(5)}
    origin = json.loads((target / "dataset.json").read_text())["splits"]["origin"]
    assert origin == {"train": "kept, less test", "val": "kept", "test": "drawn from train"}


def test_splits_that_came_can_be_divided_anew(source: Source) -> None:
    for i in range(20):
        source.add(f"{i}.jpg", split="train" if i < 15 else "test")
    assert go(source)[0].pictures == {"train": 12, "val": 3, "test": 5}
    assert go(source, split={"keep": False})[0].pictures == {"train": 14, "val": 3, "test": 3}


def test_what_is_learned_from_leaves_val_and_test(source: Source) -> None:
    for i in range(6):
        source.add(f"{i}.jpg", split="train", seed=i)
    for name, split, seed in (
        ("v", "val", 1),
        ("w", "val", 8),
        ("x", "val", 8),
        ("y", "val", 9),
        ("t", "test", 2),
        ("u", "test", 9),
    ):
        source.add(f"{name}.jpg", split=split, seed=seed)
    result, _ = go(source)
    assert result.pictures == {"train": 6, "val": 1, "test": 1}
    reasons = {one.item: one.reason for one in result.rejected}
    assert reasons == {
        "test/data/t.jpg": "the same picture is in train (train/data/2.jpg)",
        "val/data/v.jpg": "the same picture is in train (train/data/1.jpg)",
        "val/data/x.jpg": "the same picture is in val (val/data/w.jpg)",
        "val/data/y.jpg": "the same picture is in test (test/data/u.jpg)",
    }
    assert go(source, duplicates="report")[0].pictures == {"train": 6, "val": 4, "test": 2}


def test_a_split_that_train_holds_wholly_is_one_clear_line(source: Source) -> None:
    for i in range(6):
        source.add(f"{i}.jpg", split="train", seed=i)
    source.add("v.jpg", split="val", seed=1)
    with pytest.raises(ValueError, match="every picture of val is in another split too"):
        go(source)


def test_splits_without_train_are_one_clear_line(source: Source) -> None:
    for i in range(4):
        source.add(f"{i}.jpg", split="test")
    with pytest.raises(ValueError, match=r"no train split: set split\.keep=false"):
        go(source)
    assert go(source, split={"keep": False})[0].pictures["train"] == 2


def jpeg(width: int = 80, height: int = 60) -> bytes:
    return bytes(cv2.imencode(".jpg", picture(5, width, height))[1])


def remove(path: Path) -> None:
    path.unlink()


BAD: dict[str, tuple[Callable[[Source], Any], str]] = {
    "not a picture": (lambda s: s.add("bad.jpg", content=b"<html>"), "isn't a picture"),
    "empty": (lambda s: s.add("bad.jpg", content=b""), "the file is empty"),
    "truncated": (lambda s: s.add("bad.jpg", content=jpeg()[:900]), "broken or cut off"),
    "missing": (lambda s: remove(s.add("bad.jpg")), "the file is missing"),
    "wrong size": (lambda s: s.add("bad.jpg", width=800), "says 800x60 pixels, the file has 80x60"),
    "swapped size": (lambda s: s.add("bad.jpg", width=60, height=80), "says 60x80"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_are_set_aside(source: Source, case: str) -> None:
    for i in range(4):
        source.add(f"{i}.jpg")
    break_it, reason = BAD[case]
    break_it(source)
    result, target = go(source, **only_train())
    (rejected,) = result.rejected
    assert rejected.item == "data/bad.jpg"
    assert reason in rejected.reason
    assert result.pictures["train"] == 4
    assert not (target / "train" / "data" / "bad.jpg").exists()
    assert json.loads((target / "rejected.json").read_text())["rejected"] == [
        {"item": rejected.item, "reason": rejected.reason}
    ]


NAN = float("nan")
BOXES: dict[str, tuple[list[float], list[float] | None, str]] = {
    "inside": ([1, 2, 3, 4], [1, 2, 3, 4], ""),
    "whole picture": ([0, 0, 80, 60], [0, 0, 80, 60], ""),
    "a little out": ([-1, -1, 20, 20], [0, 0, 19, 19], ""),
    "sticks out": ([60, 50, 40, 40], [60, 50, 20, 10], "clipped"),
    "outside": ([90, 10, 10, 10], None, "lies outside"),
    "left of it": ([-30, 10, 20, 10], None, "lies outside"),
    "no width": ([10, 10, 0, 10], None, "is empty"),
    "negative": ([10, 10, -5, 10], None, "negative size"),
    "nan": ([NAN, 10, 5, 10], None, "finite"),
    "infinite": ([1, 10, float("inf"), 10], None, "finite"),
    "enormous": ([1, 10, 1e30, 10], None, "finite"),
    "tiny": ([10, 10, 1, 1], None, "smaller than 2 pixels"),
    "sliver after clipping": ([79, 10, 30, 30], None, "smaller than 2 pixels"),
}


@pytest.mark.parametrize("case", BOXES)
def test_boxes_are_checked(source: Source, case: str) -> None:
    box, expected, reason = BOXES[case]
    source.add("a.jpg", [[20, 20, 5, 5], box])
    result, target = go(source, **only_train())
    found = [row["bbox"] for row in labels(target)["annotations"]]
    assert found == [[20, 20, 5, 5], *([expected] if expected else [])]
    report = json.loads((target / "rejected.json").read_text())
    lines = report["mended" if expected else "rejected"]
    assert [reason in line["reason"] for line in lines] == [True] * bool(reason)
    assert len(result.rejected) == (expected is None)


def test_the_same_box_twice(source: Source) -> None:
    source.add("a.jpg", [[20, 20, 5, 5]] * 3)  # classes alternate
    result, target = go(source, **only_train())
    assert len(labels(target)["annotations"]) == 2
    assert [one.reason for one in result.rejected] == ["is there twice"]


def with_orientation(orientation: int) -> bytes:
    """A black picture, 80x60 as stored, with a white field at x 10..30, y 5..15."""
    field = np.zeros((60, 80, 3), np.uint8)
    field[5:15, 10:30] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(field).save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("frame", ["stored", "upright"])
def test_pictures_are_turned_upright_and_boxes_fit(
    source: Source, orientation: int, frame: str
) -> None:
    upright = turn_boxes(np.array([[10.0, 5, 30, 15]]), orientation, 80, 60)
    x0, y0, x1, y1 = upright[0]
    box = [x0, y0, x1 - x0, y1 - y0]
    size = {"width": 80, "height": 60}
    if orientation >= 5:
        size = {"width": 60, "height": 80} if frame == "upright" else size
        box = box if frame == "upright" else [10, 5, 20, 10]
    source.add("a.jpg", [box], content=with_orientation(orientation), **size)
    _, target = go(source, **only_train())
    content = labels(target)
    image = cv2.imread(str(target / "train" / "data" / "a.jpg"), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (content["images"][0]["height"], content["images"][0]["width"])
    x, y, wide, tall = content["annotations"][0]["bbox"]
    rows, columns = np.nonzero(image > 127)
    assert (columns.min(), rows.min()) == (x, y)
    assert (columns.max() + 1, rows.max() + 1) == (x + wide, y + tall)
    assert "turned upright" in (target / "rejected.json").read_text()


def test_unusual_pictures_are_written_anew(source: Source) -> None:
    source.add("a.tif")
    source.add("b.jpg", content=jpeg())
    _, target = go(source, **only_train())
    names = [row["file_name"] for row in labels(target)["images"]]
    assert names == ["a.png", "b.jpg"]
    expected = cv2.imread(str(source.folder / "data" / "a.tif"))
    assert np.array_equal(cv2.imread(str(target / "train" / "data" / "a.png")), expected)


def test_equal_names_in_subfolders(source: Source) -> None:
    for name in ("one/a.jpg", "two/a.jpg", "two/A.jpg"):
        source.add(name)
    _, target = go(source, **only_train())
    names = [row["file_name"] for row in labels(target)["images"]]
    assert len({name.casefold() for name in names}) == 3
    assert all((target / "train" / "data" / name).is_file() for name in names)


def test_options_have_an_effect(source: Source) -> None:
    for i in range(6):
        source.add(f"{i}.jpg", [[1, 1, 9, 9], [20, 20, 3, 3]] if i else [])
    base, _ = go(source, **only_train())
    assert base.pictures["train"] == 6
    assert base.statistics["train"]["boxes"] == 10
    assert go(source, **only_train(negatives=False))[0].pictures["train"] == 5
    assert go(source, **only_train(smallest_box=5))[0].statistics["train"]["boxes"] == 5
    assert go(source, **only_train(previews=0))[0].previews == ()
    assert len(go(source, **only_train(previews=3))[0].previews) == 3
    one, target = go(source, **only_train(classes=["a dog"]))
    assert one.classes == ("a dog",)
    assert one.statistics["train"]["boxes"] == 5
    assert one.pictures["train"] == 6
    assert {row["category_id"] for row in labels(target)["annotations"]} == {5}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"classes": ["a dgo"]}, "no class 'a dgo' .did you mean 'a dog'"),
        ({"split": {"ratios": (0.5, 0.1, 0.1)}}, "sum to 0.7"),
        ({"split": {"ratios": (0, 0.5, 0.5)}}, "share of train is 0"),
        ({"spilt": {}}, "spilt"),
        ({"previews": -1}, "previews"),
    ],
)
def test_wrong_options_are_refused(source: Source, options: dict[str, Any], match: str) -> None:
    source.add("a.jpg")
    with pytest.raises(ValueError, match=match):
        go(source, **options)


def test_nothing_good_left(source: Source) -> None:
    source.add("a.jpg", content=b"no")
    with pytest.raises(
        ValueError, match=r"no picture with a box is left; 1 were set aside.*a\.jpg"
    ):
        go(source)
    assert not (source.folder.parent / "dataset").exists()


def test_a_foreign_target_is_left_alone(source: Source, tmp_path: Path) -> None:
    source.add("a.jpg")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds no dataset"):
        go(source)
    assert (tmp_path / "dataset" / "thesis.txt").read_text() == "mine"


def test_what_is_reported(source: Source) -> None:
    class Notes(Silence):
        def __init__(self) -> None:
            self.figures: dict[str, Any] = {}
            self.tables: dict[str, Any] = {}
            self.images: list[str] = []

        def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
            self.figures[series] = figure

        def table(self, title: str, series: str, columns: Any, rows: Any, step: int = 0) -> None:
            assert all(len(row) == len(columns) for row in rows)
            self.tables[series] = rows

        def image(self, title: str, series: str, image: Any, step: int) -> None:
            self.images.append(series)

    for i in range(10):
        source.add(f"{i}.jpg")
    source.add("bad.jpg", content=b"")
    notes = Notes()
    prepare(source.write(), source.folder.parent / "d", PrepareOptions(), notes)
    assert set(notes.figures) == {"boxes by class", "box size", "box aspect", "boxes per picture"}
    assert notes.figures["boxes by class"].layout.xaxis.type == "category"
    bars = notes.figures["boxes by class"].data
    assert sum(sum(bar.y) for bar in bars) == 10
    assert notes.tables["set aside"] == [["data/bad.jpg", "the file is empty"]]
    assert [row[0] for row in notes.tables["splits"]] == ["train", "val", "test"]
    assert len(notes.images) == 7


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"no BCCD at {BCCD}")
def test_bccd(tmp_path: Path) -> None:
    options = PrepareOptions(duplicates="report")
    result = prepare(BCCD, tmp_path / "set", options, Silence())
    assert result.classes == ("Platelets", "RBC", "WBC")
    assert result.pictures == {"train": 169, "val": 87, "test": 36}
    assert {one.reason for one in result.rejected} == {"is smaller than 2 pixels"}
    names = (BCCD / "ImageSets" / "Main" / "val.txt").read_text().split()
    found = [Path(row["file_name"]).stem for row in labels(tmp_path / "set", "val")["images"]]
    assert found == sorted(names)
    boxes = [row["bbox"] for row in labels(tmp_path / "set", "train")["annotations"]]
    assert np.min(boxes) >= 0
    assert np.max(np.array(boxes)[:, :2] + np.array(boxes)[:, 2:], axis=0).tolist() == [640, 480]


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"no BCCD at {BCCD}")
def test_bccd_has_one_field_of_cells_in_two_splits(tmp_path: Path) -> None:
    result = prepare(BCCD, tmp_path / "set", PrepareOptions(), Silence())
    assert result.pictures == {"train": 169, "val": 86, "test": 36}
    assert [one for one in result.rejected if "same picture" in one.reason] == [
        Rejected(
            "JPEGImages/BloodImage_00037.jpg",
            "nearly the same picture is in train (JPEGImages/BloodImage_00038.jpg)",
        )
    ]


@pytest.mark.parametrize("mode", ["CMYK", "LA", "P", "1", "I;16"])
def test_pictures_written_anew_are_listed_with_the_reason(source: Source, mode: str) -> None:
    made = Image.fromarray(picture(7))
    if mode == "I;16":
        made = Image.fromarray(np.asarray(made.convert("L"), np.uint16) * 257)
    memory = io.BytesIO()
    made.convert(mode).save(memory, "JPEG" if mode == "CMYK" else "PNG")
    source.add("odd.jpg" if mode == "CMYK" else "odd.png", content=memory.getvalue())
    source.add("plain.png")
    _, target = go(source, **only_train())
    mended = json.loads((target / "rejected.json").read_text())["mended"]
    assert [one["item"].rsplit("/")[-1].split(".")[0] for one in mended] == ["odd"]
    assert "written anew" in mended[0]["reason"]


def test_a_number_too_long_for_a_float_is_set_aside(source: Source) -> None:
    source.add("a.jpg", [[1, 1, 10**400, 5], [1, 1, 20, 20]])
    result, _ = go(source, **only_train())
    assert [one.reason for one in result.rejected] == ["isn't made of finite numbers"]


def test_objects_too_small_to_be_seen_are_counted_and_told(source: Source, notes: Any) -> None:
    source.add("a.jpg", [[1, 1, 20, 20], [30, 30, 20, 0.9 * 80 * 8 / 640]])
    source.add("b.jpg", [[1, 1, 3, 2.5], [30, 30, 20, 8]])
    options = PrepareOptions.model_validate(only_train(smallest_box=0.1))
    result = prepare(source.write(), source.folder.parent / "d", options, notes)
    figures = result.statistics["train"]
    assert (figures["tiny"], figures["boxes"]) == (1, 4)
    assert figures["tiny_by_class"] == {"cat": 0, "a dog": 1}
    assert any("1 of 4 boxes (25.0%) are shorter than 8 pixels" in line for line in notes.lines)
