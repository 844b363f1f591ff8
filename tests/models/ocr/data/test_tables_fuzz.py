"""Tables of any content: read, or refused with a line; never a crash, never a text made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.data.tables.rows import read_table
from models.ocr.data.formats import read, recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.texts import tidy
from models.reporting import Silence

NAMES = ("a.png", "b.png")
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# No control characters, no lone surrogates: those are refused later, as texts.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"))


@pytest.fixture
def pictures(folder: Any) -> Any:
    folder.pictures(NAMES)
    return folder


def texts(folder: Any) -> dict[str, str]:
    scratch = folder.root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    raw = read(folder.root, PrepareOptions(), scratch, Silence())
    return {one.name: one.text for found in raw.splits.values() for one in found}


@SETTINGS
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".tsv", ".txt", ".json"]))
def test_any_bytes(pictures: Any, content: bytes, suffix: str) -> None:
    for old in pictures.root.glob("t.*"):
        old.unlink()
    path: Path = pictures.text(f"t{suffix}", b"a.png\t1\n" + content)
    try:
        read_table(path)
    except ValueError as error:
        assert "t." in str(error)
    recognise(pictures.root)


@SETTINGS
@given(rows=st.lists(st.tuples(st.sampled_from(NAMES), TEXT), min_size=1, unique_by=lambda r: r[0]))
def test_texts_come_back_as_they_were_written(pictures: Any, rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"file": name, "text": text}) for name, text in rows]
    pictures.text("t.jsonl", "".join(f"{line}\n" for line in lines))
    assert texts(pictures) == {name: tidy(text) for name, text in rows}


@SETTINGS
@given(rows=st.lists(st.tuples(st.sampled_from(NAMES), TEXT), min_size=1, unique_by=lambda r: r[0]))
def test_csv_of_pythons_own_writer(pictures: Any, rows: list[tuple[str, str]]) -> None:
    import csv
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([("file", "text"), *rows])
    pictures.text("t.csv", out.getvalue())
    assert texts(pictures) == {name: tidy(text) for name, text in rows}
