import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp

from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.detection.synthetic.backgrounds import SEEN, UNSEEN, families
from models.detection.synthetic.barcodes import SPLITS, class_names, synthesize
from models.detection.synthetic.options import BarcodeOptions
from models.detection.synthetic.scenes import Placed, is_empty, make_scene
from models.reporting import Silence
from models.synthetic.symbols import KINDS, draw_symbol, payload_split, read


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make(folder: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts and the content of all label files."""
    chosen = {"train": 6, "val": 2, "test": 3} | options
    facts = synthesize(BarcodeOptions(**chosen), folder, Silence())
    return facts, {
        split: json.loads((folder / split / "labels.json").read_text()) for split in SPLITS
    }


@pytest.fixture(scope="module")
def default(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A set with the default options, small."""
    folder = tmp_path_factory.mktemp("default")
    facts, labels = make(folder, train=60, val=20, test=40)
    return folder, facts, labels


def test_same_options_give_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    make(tmp_path / "one", workers=1)
    make(tmp_path / "two", workers=4)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_picture_depends_on_no_other(tmp_path: Path) -> None:
    make(tmp_path / "few", train=3, val=1, test=1)
    make(tmp_path / "many", train=5, val=2, test=2)
    few, many = files(tmp_path / "few"), files(tmp_path / "many")
    for name in (name for name in few if name.endswith(".jpg")):
        assert few[name] == many[name]


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "two", seed=7)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert set(one) == set(two)
    assert all(one[name] != two[name] for name in one)


def test_labels_and_pictures_fit(default: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    folder, facts, labels = default
    assert facts["pictures"] == {"train": 60, "val": 20, "test": 40}
    for split, content in labels.items():
        assert [row["name"] for row in content["categories"]] == ["linear", "matrix"]
        for row in content["images"]:
            image = cv2.imread(str(folder / split / "data" / row["file_name"]))
            assert image.shape == (row["height"], row["width"], 3)
        assert sum(facts["symbols"][split].values()) == len(content["annotations"])


def test_boxes_are_whole_tight_and_hardly_overlap(
    default: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    for content in default[2].values():
        sizes = {row["id"]: (row["width"], row["height"]) for row in content["images"]}
        boxes: dict[int, list[np.ndarray]] = {}
        for row in content["annotations"]:
            width, height = sizes[row["image_id"]]
            x, y, wide, tall = row["bbox"]
            assert 0 <= x < x + wide <= width
            assert 0 <= y < y + tall <= height
            outline = np.array(row["segmentation"][0]).reshape(4, 2)
            expected = [*outline.min(axis=0), *np.ptp(outline, axis=0)]
            assert row["bbox"] == pytest.approx(expected, abs=0.03)
            sides = np.linalg.norm(outline - np.roll(outline, -1, axis=0), axis=1)
            length = max(sides[0] + sides[2], sides[1] + sides[3]) / 2
            assert 0.08 - 1e-3 <= length / width <= 0.5 + 1e-3
            boxes.setdefault(row["image_id"], []).append(np.array([x, y, x + wide, y + tall]))
        for found in boxes.values():
            for i, a in enumerate(found):
                for b in found[:i]:
                    inner = np.clip(np.minimum(a, b)[2:] - np.maximum(a, b)[:2], 0, None).prod()
                    assert inner <= 0.1 * min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod())


def test_symbols_come_in_any_number_size_and_direction(
    default: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    train = default[2]["train"]
    counts = np.bincount([row["image_id"] for row in train["annotations"]], minlength=61)[1:]
    assert counts.min() == 0
    assert counts.max() >= 5
    outlines = np.array([row["segmentation"][0] for row in train["annotations"]]).reshape(-1, 4, 2)
    along = outlines[:, 1] - outlines[:, 0]
    angles = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    assert (np.histogram(angles, 8, (-180, 180))[0] > 0).all()
    widths = {row["id"]: row["width"] for row in train["images"]}
    shares = [row["bbox"][2] / widths[row["image_id"]] for row in train["annotations"]]
    assert min(shares) < 0.12
    assert max(shares) > 0.4
    assert {row["symbology"] for row in train["annotations"]} == {
        "ean13", "code128", "qr", "datamatrix",
    }  # fmt: skip


def test_a_share_is_empty_and_yet_not_blank(
    default: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    assert default[1]["empty"] == {"train": 6, "val": 2, "test": 4}
    options = BarcodeOptions()
    index = next(i for i in range(100) if is_empty(options, "train", i))
    picture = make_scene(options, "train", index).picture
    bare = make_scene(options.model_copy(update={"clutter": 0}), "train", index).picture
    assert np.abs(picture.astype(int) - bare).max() > 60


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.37, 1.0])
def test_the_empty_share_is_exact(share: float) -> None:
    options = BarcodeOptions(empty=share)
    found = sum(is_empty(options, "test", i) for i in range(200))
    assert found == pytest.approx(200 * share, abs=1)


def test_no_payload_and_no_background_of_test_is_seen_in_training(
    default: tuple[Path, dict[str, Any], dict[str, Any]],
) -> None:
    labels = default[2]
    payloads = {
        split: {row["payload"] for row in content["annotations"]}
        for split, content in labels.items()
    }
    assert not payloads["test"] & (payloads["train"] | payloads["val"])
    assert not payloads["train"] & payloads["val"]
    kinds = {
        split: {row["background"] for row in content["images"]} for split, content in labels.items()
    }
    assert kinds["test"] <= set(UNSEEN)
    assert kinds["train"] | kinds["val"] <= set(SEEN)
    assert not set(SEEN) & set(UNSEEN)
    assert not set(SEEN.values()) & set(UNSEEN.values())
    assert len(kinds["train"]) == len(SEEN)


@pytest.mark.parametrize("symbology", KINDS)
def test_symbols_are_real_and_their_payloads_belong_to_one_split(symbology: Any) -> None:
    for index, split in enumerate(SPLITS):
        rng = np.random.default_rng(index)
        for _ in range(5):
            symbol = draw_symbol(rng, symbology, split)
            assert payload_split(symbol.text) == split
            rows = 20 if symbol.kind.linear else 1
            paper = np.pad(np.repeat(symbol.modules, rows, axis=0), 12, constant_values=255)
            image = np.kron(paper, np.ones((3, 3), np.uint8))
            assert symbol.text in read(image, [symbology])


def test_every_payload_has_a_split() -> None:
    found = [payload_split(str(i)) for i in range(1000)]
    assert {split: found.count(split) > 100 for split in SPLITS} == dict.fromkeys(SPLITS, True)


def test_boxes_lie_where_a_decoder_finds_the_symbol() -> None:
    options = BarcodeOptions(
        difficulty=0, symbologies=("qr", "datamatrix", "aztec"), smallest=0.2, clutter=0, empty=0
    )
    gaps = []
    for index in range(12):
        scene = make_scene(options, "train", index)
        found = {one.text: one.position for one in zxingcpp.read_barcodes(scene.picture)}
        gaps += [
            _gap(placed, found[placed.symbol.text])
            for placed in scene.placed
            if placed.symbol.text in found
        ]
    assert len(gaps) > 15
    assert np.median(gaps) < 1.5
    assert np.quantile(gaps, 0.9) < 4


def _gap(placed: Placed, position: Any) -> float:
    """Largest distance between a box's edges and those of what the decoder found, pixels."""
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    points = np.array([(corner.x, corner.y) for corner in corners])
    other = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return float(np.abs(other - placed.box).max())


def test_hard_but_real(default: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    shares = default[1]["read"]
    assert 0.4 < shares["all"]["all"] < 0.8
    assert all(0.3 < shares["all"][name] < 0.9 for name in ("linear", "matrix"))
    rows = [row for content in default[2].values() for row in content["annotations"]]
    assert shares["all"]["all"] == pytest.approx(np.mean([row["read"] for row in rows]), abs=1e-4)


def test_difficulty_makes_symbols_harder_to_read(tmp_path: Path) -> None:
    shares = [
        make(tmp_path / str(level), train=20, difficulty=level)[0]["read"]["all"]["all"]
        for level in (0, 0.5, 1)
    ]
    assert shares[0] > shares[1] > shares[2] + 0.15
    assert shares[0] > 0.75


def test_options_have_an_effect(tmp_path: Path) -> None:
    options = {
        "classes": "symbology",
        "symbologies": ("code39", "pdf417"),
        "sizes": ((320, 240),),
        "symbols": 1,
        "smallest": 0.3,
        "largest": 0.4,
        "empty": 0,
    }
    facts, labels = make(tmp_path / "a", **options)
    content = labels["train"]
    assert [row["name"] for row in content["categories"]] == ["Code 39", "PDF417"]
    assert {(row["width"], row["height"]) for row in content["images"]} == {(320, 240)}
    assert facts["symbols"]["train"]["Code 39"] + facts["symbols"]["train"]["PDF417"] == 6
    for row in content["annotations"]:
        name = "Code 39" if row["symbology"] == "code39" else "PDF417"
        assert content["categories"][row["category_id"] - 1]["name"] == name
        outline = np.array(row["segmentation"][0]).reshape(4, 2)
        assert np.linalg.norm(np.ptp(outline, axis=0)) >= 0.3 * 320
    make(tmp_path / "b", **options, quality=60)
    rough, fine = (
        sum(len(content) for name, content in files(tmp_path / part).items() if "jpg" in name)
        for part in "ba"
    )
    assert rough < 0.7 * fine


def test_clutter_lies_about_and_can_be_left_out(tmp_path: Path) -> None:
    edges = {}
    for most in (0, 20):
        make(tmp_path / str(most), train=8, empty=1, clutter=most, difficulty=0)
        pictures = [cv2.imread(str(file)) for file in (tmp_path / str(most)).rglob("*.jpg")]
        edges[most] = np.mean([cv2.Canny(one, 100, 200).mean() for one in pictures])
    assert edges[20] > 1.3 * edges[0]


def test_class_names() -> None:
    assert class_names(BarcodeOptions()) == ["linear", "matrix"]
    assert class_names(BarcodeOptions(symbologies=("qr",))) == ["matrix"]
    named = BarcodeOptions(classes="symbology", symbologies=("qr", "ean13"))
    assert class_names(named) == ["QR Code", "EAN-13"]


def test_prepare_finds_nothing_wrong(
    default: tuple[Path, dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    folder, facts, labels = default
    result = prepare(folder, tmp_path / "set", PrepareOptions(), Silence())
    assert result.rejected == ()
    assert result.pictures == facts["pictures"]
    found = json.loads((tmp_path / "set" / "train" / "labels.json").read_text())["annotations"]
    expected = [row["bbox"] for row in labels["train"]["annotations"]]
    assert np.array([row["bbox"] for row in found]) == pytest.approx(np.array(expected), abs=0.02)


@pytest.mark.parametrize("name", [*SEEN, *UNSEEN])
@pytest.mark.parametrize("size", [(480, 640), (161, 333), (900, 170)])
def test_backgrounds_fill_any_size_and_vary(name: str, size: tuple[int, int]) -> None:
    painter = (SEEN | UNSEEN)[name]
    pictures = [painter(np.random.default_rng(seed), *size) for seed in range(2)]
    for picture in pictures:
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 1
    assert not np.array_equal(*pictures)
    assert np.array_equal(pictures[0], painter(np.random.default_rng(0), *size))


def test_families_by_split() -> None:
    assert families("train") == families("val") == SEEN
    assert families("test") == UNSEEN


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"smallest": 0.5, "largest": 0.2}, "greater than largest"),
        ({"symbologies": ()}, "symbologies is empty"),
        ({"symbologies": ("qr", "qr")}, "one twice"),
        ({"symbologies": ("maxicode",)}, "symbologies"),
        ({"sizes": ()}, "sizes is empty"),
        ({"sizes": ((10, 10),)}, "sizes"),
        ({"difficulty": 2}, "difficulty"),
        ({"trian": 5}, "trian"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BarcodeOptions(**options)
