"""Where the command line of a shipped model writes, and what it does with odd names."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.deployment import pack
from models.deployment.standalone.predict import main
from models.detection.standalone import Detector
from models.package import ModelCard
from tests.models.runtimes.conftest import bright_package


@pytest.fixture(autouse=True)
def shipped(card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code runs as if it lay in a packed folder."""
    folder = tmp_path / "shipped"
    pack(bright_package(card, tmp_path / "bright"), folder, runtime="onnxruntime")
    monkeypatch.setattr("models.deployment.standalone.model._HERE", folder)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), np.full((64, 96, 3), 200, np.uint8))
    return file


def test_folders_of_tables_are_made(picture: Path, tmp_path: Path) -> None:
    tables = [tmp_path / "new" / "one.json", tmp_path / "newer" / "one.csv"]
    words = [str(picture), "--json", str(tables[0]), "--csv", str(tables[1]), "--threshold", "0"]
    assert main(Detector, words) == 0
    assert len(json.loads(tables[0].read_text())["pictures"][0]["results"]) > 0
    assert tables[1].read_text().startswith("file,")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--csv", "FOLDER"], "that is a folder"),
        (["--json", "PICTURE"], "is a picture or the other table"),
        (["--json", "FOLDER/x", "--csv", "FOLDER/x"], "is a picture or the other table"),
        (["--json", "PICTURE/x"], "File exists"),
        (["--draw", "PICTURE"], "File exists"),
    ],
)
def test_what_cannot_be_written_is_refused_first(
    words: list[str], line: str, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = picture.read_bytes()
    places = [w.replace("PICTURE", str(picture)).replace("FOLDER", str(tmp_path)) for w in words]
    assert main(Detector, [str(picture), *places]) == 2
    said = capsys.readouterr()
    assert said.out == "", "nothing was looked at"
    assert line in said.err and said.err.count("\n") == 1
    assert picture.read_bytes() == before


def test_any_bytes_may_be_in_a_name(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "pictures" / os.fsdecode(b"b\xff.png")
    odd.parent.mkdir()
    shutil.copyfile(picture, odd)
    shutil.copyfile(picture, odd.with_name("c.png"))
    table, text = tmp_path / "t.csv", tmp_path / "t.json"
    words = [str(odd.parent), "--csv", str(table), "--json", str(text), "--threshold", "0"]
    assert main(Detector, words) == 0
    assert capsys.readouterr().out.count("\n") == 2
    with table.open(encoding="utf-8", newline="") as file:
        names = {Path(row["file"]).name for row in csv.DictReader(file)}
    assert names == {"b\\udcff.png", "c.png"}
    assert {Path(one["file"]).name for one in json.loads(text.read_text())["pictures"]} == names


def test_a_terminal_may_know_few_signs(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "prüfung.png"
    shutil.copyfile(picture, odd)
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(Detector, [str(odd)]) == 0
    out.seek(0)
    assert "pr\\xfcfung.png" in out.read()


def test_ctrl_c_keeps_what_was_found(picture: Path, tmp_path: Path) -> None:
    class Interrupted(Detector):
        def tally(self, result: Any) -> Any:
            if self.seen:
                raise KeyboardInterrupt
            self.seen = True
            return super().tally(result)

        seen = False

    for name in ("b.png", "c.png"):
        shutil.copyfile(picture, tmp_path / name)
    pictures = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    table, text = tmp_path / "t.csv", tmp_path / "t.json"
    words = [*pictures, "--csv", str(table), "--json", str(text), "--threshold", "0"]
    assert main(Interrupted, words) == 130
    files = [one["file"] for one in json.loads(text.read_text())["pictures"]]
    assert files == pictures[:2]
    with table.open(newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == set(files)
