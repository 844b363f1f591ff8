"""Data and models on this disk say which task family they are for."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from components.registry import stage
from components.told import family_told
from models.families import families
from pipelines.recipe import read_recipe


def folder_with(tmp_path: Path, name: str, content: object) -> str:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(json.dumps(content))
    return str(tmp_path)


@pytest.mark.parametrize("name", families())
@pytest.mark.parametrize(("option", "file"), [("dataset", "dataset.json"), ("model", "model.json")])
def test_prepared_data_and_packages_tell_it(
    tmp_path: Path, name: str, option: str, file: str
) -> None:
    place = folder_with(tmp_path, file, {"family": name})
    assert family_told({option: place}) == name
    assert stage("evaluate").configure({"dataset": "d", "model": "m", option: place}).family == name


def test_a_zip_tells_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as zipped:
        zipped.writestr("m/model.json", json.dumps({"family": "detection"}))
    assert family_told({"model": str(tmp_path / "m.zip")}) == "detection"


def test_raw_data_tell_it(tmp_path: Path) -> None:
    raw = folder_with(tmp_path, "train/_annotations.coco.json", {})
    assert family_told({"data.source": raw}) == "detection"
    assert read_recipe(None, ["pipeline=data", f"data.source={raw}"]).family == "detection"


@pytest.mark.parametrize("content", ["[", "{}", '{"family": 3}', '{"family": "smell"}'])
def test_what_cannot_tell_is_left_to_the_stage(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    (tmp_path / "broken.zip").write_text("x")
    for reference in (str(tmp_path), str(tmp_path / "broken.zip"), "/nowhere", "name", "", 3):
        assert family_told({"model": reference}) is None


def test_what_the_user_says_rules(tmp_path: Path) -> None:
    place = folder_with(tmp_path, "dataset.json", {"family": "smell"})
    assert stage("publish").configure({"model": place, "family": "mine"}).family == "mine"
