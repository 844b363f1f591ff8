"""Lines from one table to another: nothing is lost on the way there and back."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from models.ocr.data.convert import convert
from models.ocr.data.formats import read, recognise
from models.ocr.data.options import PrepareOptions
from models.reporting import Silence
from pipelines.cli import main

TEXTS = {
    "train": ["0012", 'say "hi"', "Grüße, Welt", "a;b", " back\\slash", "#1"],
    "val": ["12\u00a03", "שלום"],
}
FORMATS = ("csv", "tsv", "jsonl", "paddle")


@pytest.fixture
def source(folder: Any) -> Path:
    """A table of texts that are hard to quote."""
    import json

    for split, texts in TEXTS.items():
        rows = []
        for number, text in enumerate(texts):
            folder.picture(f"{split}/data/{number}.png", f"{split}{number}")
            kind = "ean13" if number == 0 else None
            rows.append({"file": f"data/{number}.png", "text": text, "symbology": kind})
        content = "".join(json.dumps(row) + "\n" for row in rows)
        folder.text(f"{split}/labels.jsonl", content)
    root: Path = folder.root
    return root


def texts(folder: Path, scratch: Path) -> dict[str, list[tuple[str, str | None]]]:
    scratch.mkdir(exist_ok=True)
    raw = read(folder, PrepareOptions(), scratch, Silence())
    assert raw.rejected == []
    return {
        split: [(one.text, one.symbology) for one in sorted(found, key=lambda one: one.name)]
        for split, found in raw.splits.items()
    }


@pytest.mark.parametrize(("first", "second"), itertools.product(FORMATS, FORMATS))
def test_there_and_back(source: Path, tmp_path: Path, first: Any, second: Any) -> None:
    convert(source, tmp_path / "one", first, Silence())
    done = convert(tmp_path / "one", tmp_path / "two", second, Silence())
    assert done.pictures == {"train": 6, "val": 2}
    assert done.rejected == []
    expected = texts(source, tmp_path / "s")
    got = texts(tmp_path / "two", tmp_path / "s")
    if "paddle" in (first, second):
        expected = {split: [(text, None) for text, _ in rows] for split, rows in expected.items()}
    assert got == expected
    assert [text.strip() for text in TEXTS["train"]] == [text for text, _ in got["train"]]
    name = {"paddle": "tsv"}.get(second, second)
    assert recognise(tmp_path / "two") == name


def test_what_is_lost_is_said(source: Path, tmp_path: Path) -> None:
    done = convert(source, tmp_path / "new", "paddle", Silence())
    assert done.notes == ["which symbologies the lines belong to is lost"]


def test_the_command(source: Path, tmp_path: Path) -> None:
    arguments = ["convert", str(source), str(tmp_path / "new"), "--to", "tsv"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "8 pictures (train 6, val 2), 8 different texts" in done.output
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code != 0
    assert "isn't an empty folder" in again.output
