from __future__ import annotations

from pathlib import Path

import pytest

from models.data.looking import files_below, folders_below, walk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with links to a file, to a folder elsewhere, back to itself, and to nothing."""
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (elsewhere / "c.JPG").touch()
    folder = tmp_path / "set"
    for name in ("a.jpg", "in/b.txt", ".hidden/x.jpg", "__MACOSX/y.jpg", "empty/.keep"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "one").symlink_to(tmp_path / "elsewhere")
    (folder / "two").symlink_to(tmp_path / "elsewhere")
    (folder / "in" / "round").symlink_to(folder)
    (folder / "d.jpg").symlink_to(folder / "a.jpg")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    return folder


def names(folder: Path, found: object) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in found)  # type: ignore[attr-defined]


def test_links_are_followed_but_never_in_a_circle(folder: Path) -> None:
    assert names(folder, walk(folder)) == [
        *(".hidden/x.jpg", "__MACOSX/y.jpg", "a.jpg", "d.jpg", "empty/.keep", "in/b.txt"),
        *("one/deep/c.JPG", "two/deep/c.JPG"),
    ]


def test_hidden_things_are_passed_over(folder: Path) -> None:
    found = files_below(folder, {".jpg"})
    assert names(folder, found) == ["a.jpg", "d.jpg", "one/deep/c.JPG", "two/deep/c.JPG"]
    assert found == sorted(found)
    assert files_below(folder / "no", {".jpg"}) == []


def test_folders_with_something_in_them(folder: Path) -> None:
    assert names(folder, folders_below(folder)) == [
        *(".", "empty", "in", "one", "one/deep", "two", "two/deep"),
    ]
