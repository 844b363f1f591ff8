from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.data import json_stream as subject
from models.data.json_stream import stream_items

CONTENT: dict[str, Any] = {
    "info": {"a": [1, 2, {"b": "}]"}], "c": '日本 \\ " 😀'},
    "empty": [],
    "images": [{"id": index, "name": "x" * index} for index in range(40)],
    "numbers": [1, -2.5e-3, 12345678901, True, None],
    "last": 123456,
}


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_items_come_one_by_one_wherever_the_window_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(subject, "_CHUNK", chunk)
    file = tmp_path / "x.json"
    file.write_text(json.dumps(CONTENT, indent=indent), encoding="utf-8")
    found: dict[str, Any] = {}
    for key, item in stream_items(file):
        if isinstance(CONTENT[key], list):
            found.setdefault(key, []).append(item)
        else:
            found[key] = item
    assert found == {key: value for key, value in CONTENT.items() if value != []}


@pytest.mark.parametrize("text", ["", "[1]", '{"a": [1, 2', '{"a": [1 2]}', '{"a" 1}', '{"a": x}'])
def test_what_is_no_whole_object_is_one_clear_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no whole JSON object") as caught:
        list(stream_items(file))
    assert "\n" not in str(caught.value)


def test_an_empty_object_has_no_items(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(" {} \n")
    assert list(stream_items(file)) == []
