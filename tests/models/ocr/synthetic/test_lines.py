import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from pydantic import ValidationError

from models.data.splits import SPLITS
from models.ocr.synthetic.lines import make_line, split_fonts, synthesize
from models.ocr.synthetic.options import LineOptions
from models.ocr.synthetic.payloads import draw_payload, place
from models.reporting import Silence
from models.synthetic.fonts import faces
from models.synthetic.symbols import payload_split, printed_text
from models.synthetic.typesetting import set_line

ALL = ("ean13", "ean8", "upca", "code128")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make(folder: Path, **options: Any) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    chosen = {"train": 12, "val": 4, "test": 6} | options
    facts = synthesize(LineOptions(**chosen), folder, Silence())
    rows = {
        split: [json.loads(line) for line in (folder / split / "labels.jsonl").open()]
        for split in SPLITS
    }
    return facts, rows


def test_same_options_give_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    make(tmp_path / "one", workers=1, bars="mixed")
    make(tmp_path / "two", workers=3, bars="mixed")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_line_depends_on_no_other(tmp_path: Path) -> None:
    make(tmp_path / "few")
    make(tmp_path / "many", train=16, val=5, test=7)
    few, many = files(tmp_path / "few"), files(tmp_path / "many")
    for name in (name for name in few if name.endswith(".jpg")):
        assert few[name] == many[name]


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "two", seed=7)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert set(one) == set(two)
    assert all(one[name] != two[name] for name in one)


def test_rows_and_pictures_fit(tmp_path: Path) -> None:
    facts, rows = make(tmp_path)
    assert facts["lines"] == {"train": 12, "val": 4, "test": 6}
    for split, found in rows.items():
        for row in found:
            picture = cv2.imread(str(tmp_path / split / row["file"]))
            assert picture is not None
            assert picture.shape[1] > picture.shape[0] >= 13
            assert isinstance(row["text"], str)
            assert row["symbology"] in ALL
            assert row["font"] in split_fonts(LineOptions(), split)
    assert Counter(row["symbology"] for row in rows["train"]) == dict.fromkeys(ALL, 3)


def test_splits_share_neither_texts_nor_fonts() -> None:
    options = LineOptions()
    fonts = [set(split_fonts(options, split)) for split in SPLITS]
    assert not fonts[0] & fonts[1] and not fonts[0] & fonts[2] and not fonts[1] & fonts[2]
    for number, split in enumerate(SPLITS):
        for index in range(40):
            text = draw_payload(place(ALL, index), split, (1, number)).text
            assert payload_split(text) == split


@pytest.mark.parametrize("symbology", ["ean13", "ean8", "upca"])
def test_digits_are_balanced(symbology: Any) -> None:
    counts: Counter[str] = Counter()
    for index in range(20):
        text = printed_text(draw_payload(place((symbology,), index), "train", (3, 0)))
        counts.update(text[:-1])  # the check digit follows from the others
    assert len(set(counts.values())) == 1
    assert len(counts) == 10


LENGTHS = {"ean13": {13}, "ean8": {8}, "upca": {12}, "code128": set(range(5, 17))}


@pytest.mark.parametrize("symbology", ALL)
def test_texts_are_what_is_printed(symbology: Any) -> None:
    for index in range(30):
        symbol = draw_payload(place((symbology,), index), "train", (5, 0))
        text = printed_text(symbol)
        assert len(text) in LENGTHS[symbology]
        assert not set(text) & set("IOQ ")
        assert symbol.text in (text, f"0{text}")


def digits_of(text: str) -> int:
    weights = [3 if place % 2 == 0 else 1 for place in range(len(text) - 1)]
    total = sum(int(digit) * w for digit, w in zip(reversed(text[:-1]), weights, strict=True))
    return (10 - total % 10) % 10


@pytest.mark.parametrize("symbology", ["ean13", "ean8", "upca"])
def test_check_digits_are_right(symbology: Any) -> None:
    for index in range(20):
        text = printed_text(draw_payload(place((symbology,), index), "test", (5, 2)))
        assert digits_of(text) == int(text[-1])


@pytest.mark.parametrize("symbology", ALL)
def test_bars_say_what_the_line_says(symbology: Any) -> None:
    """A flat print with its bars is read by a decoder, and nothing touches the bars' middle."""
    rng = np.random.default_rng(0)
    for index in range(4):
        symbol = draw_payload(place((symbology,), index), "train", (9, 0))
        flat = set_line(rng, symbol, faces("Arimo")[0], 0.4)
        x0, y0, x1, y1 = flat.line
        assert 0 < x0 < x1 < flat.cover.shape[1] and 0 < y0 < y1 < flat.cover.shape[0]
        (code,) = zxingcpp.read_barcodes(255 - flat.cover)
        assert code.text.endswith(flat.text)


def test_the_first_digit_of_ean13_stands_apart() -> None:
    rng = np.random.default_rng(1)
    symbol = draw_payload(place(("ean13",), 0), "train", (9, 0))
    apart = 0
    for _ in range(20):
        flat = set_line(rng, symbol, faces("OCR-B")[0], 0.4)
        apart += flat.line[0] < flat.whole[2] - 0.95 * (flat.whole[2] - flat.whole[0])
        assert flat.whole[0] == flat.line[0] or flat.line[0] > flat.whole[0]
    assert apart >= 10


@pytest.mark.parametrize("bars", ["none", "above"])
def test_lines_stay_legible_however_difficult(bars: Any) -> None:
    """Ink differs from what is around it, whatever fading, haze and shadow do."""
    options = LineOptions(bars=bars, difficulty=1.0)
    for index in range(40):
        green = make_line(options, "train", index).picture[..., 1].astype(np.float32)
        around = cv2.blur(green, (max(3, green.shape[0] // 2),) * 2)
        assert (green - around).std() > 9


def test_bars_make_crops_taller() -> None:
    shapes: dict[str, list[float]] = {"none": [], "above": []}
    for bars, found in shapes.items():
        for index in range(12):
            height, width = make_line(LineOptions(bars=bars), "val", index).picture.shape[:2]
            found.append(width / height)
    assert np.median(shapes["above"]) < 3.5 < np.median(shapes["none"])


def test_share_that_a_decoder_reads_is_measured(tmp_path: Path) -> None:
    facts, _ = make(tmp_path, bars="above", difficulty=0.0, symbologies=("ean13",))
    assert 0.5 < facts["read"] <= 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"symbologies": []}, "name at least one"),
        ({"symbologies": ["ean13", "ean13"]}, "twice"),
        ({"symbologies": ["qr"]}, "symbologies"),
        ({"text_heights": (30, 20)}, "greater than the largest"),
        ({"bars": "below"}, "bars"),
        ({"lines": 3}, "lines"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        LineOptions(**options)


def test_fonts_of_ones_own(tmp_path: Path) -> None:
    options = {"train_fonts": ["Arimo"], "val_fonts": ["Oxygen"], "test_fonts": ["OCR-B"]}
    facts, _ = make(tmp_path, **options)
    assert {split: list(found) for split, found in facts["fonts"].items()} == {
        "train": ["Arimo"],
        "val": ["Oxygen"],
        "test": ["OCR-B"],
    }
