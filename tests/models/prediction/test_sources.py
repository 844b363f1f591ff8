"""What a user's words mean, and names of results."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest

from models.prediction.names import Names, part, shown, written
from models.prediction.sources import Sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with everything in it."""
    root = tmp_path / "tree"
    for name in ("a.jpg", "b.PNG", "sub/a.jpg", "sub/deep/c.mp4", "d.pdf", "notes.txt", ".x.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def walk(*words: str, **more: object) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    problems: list[tuple[str, str]] = []
    sources = Sources(words, **more)  # type: ignore[arg-type]
    found = [
        (source.kind, str(source.below))
        for source in sources.walk(lambda *line: problems.append(line))
    ]
    return found, problems


def test_a_folder_is_walked_in_a_fixed_order_with_its_folders(tree: Path) -> None:
    sources = Sources([str(tree)])
    found = [(s.kind, str(s.below)) for s in sources.walk(lambda name, reason: None)]
    assert found == [
        ("picture", "a.jpg"),
        ("picture", "b.PNG"),
        ("pdf", "d.pdf"),
        ("picture", "sub/a.jpg"),
        ("video", "sub/deep/c.mp4"),
    ]
    assert sources.ignored == 1


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", ["a.jpg"]),
        ("**/*.jpg", [".x.jpg", "a.jpg", "sub/a.jpg"]),
        ("s?b/*.jpg", ["sub/a.jpg"]),
        ("[b-z].*", ["b.PNG", "d.pdf"]),
    ],
)
def test_a_pattern_keeps_the_folders_behind_its_fixed_part(
    tree: Path, pattern: str, names: list[str]
) -> None:
    found, problems = walk(str(tree / pattern))
    assert [name for _, name in found if name != ".x.jpg"] == [n for n in names if n != ".x.jpg"]
    assert not problems


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree: Path) -> None:
    (tree / "[1].jpg").write_bytes(b"x")
    assert walk(str(tree / "[1].jpg"))[0] == [("picture", "[1].jpg")]


def test_links_in_a_loop_end_and_are_told(tree: Path) -> None:
    (tree / "sub" / "again").symlink_to(tree)
    (tree / "twice").symlink_to(tree / "sub" / "deep")
    (tree / "gone.jpg").symlink_to(tree / "nowhere")
    found, problems = walk(str(tree))
    assert [name for _, name in found].count("a.jpg") == 1
    assert sum(name.endswith("c.mp4") for _, name in found) == 1
    reasons = {Path(name).name: reason for name, reason in problems}
    assert reasons == {
        "again": "the link leads back to a folder above it",
        "gone.jpg": "it is no file, or a link that leads nowhere",
    }
    through_pattern, _ = walk(str(tree / "**" / "*.jpg"))
    assert sum(PurePath(name).name == "a.jpg" for _, name in through_pattern) == 2


def test_the_folder_of_results_is_walked_past(tree: Path) -> None:
    found, _ = walk(str(tree), leave_out=tree / "sub")
    assert [name for _, name in found] == ["a.jpg", "b.PNG", "d.pdf"]
    found, _ = walk(str(tree / "**" / "*.mp4"), leave_out=tree / "sub")
    assert not found


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("nothing.jpg", "there is no such file or folder"),
        ("no*.jpg", "no picture, video or PDF fits this pattern"),
        ("empty", "no picture, video or PDF lies in this folder"),
        ("a\0b.jpg", "there is no such file or folder"),
        ("x" * 5000, "its name is none that a file can have"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, word: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    found, problems = walk(f"{tmp_path}/{word}")
    assert not found
    assert [told for _, told in problems] == [reason]
    assert all(name.isprintable() for name, _ in problems)


@pytest.mark.parametrize("lines", [[], ["\n", "\r\n"]])
def test_an_empty_list_is_a_problem(lines: list[str]) -> None:
    assert walk("-", listed=lines) == ([], [("standard input", "it names no path")])


def test_standard_input_lists_files_with_any_bytes_in_their_names(tree: Path) -> None:
    odd = os.fsdecode(b"odd\xff\n.jpg".replace(b"\n", b""))
    (tree / odd).write_bytes(b"x")
    lines = [f"{tree}/a.jpg\n", "\n", f"{tree}/{odd}\r\n", "missing.jpg"]
    found, problems = walk("-", listed=lines)
    assert [PurePath(name).name for _, name in found] == ["a.jpg", odd]
    assert problems == [("missing.jpg", "there is no such file or folder")]
    assert not Sources(["-"]).countable


def test_cameras_and_streams_are_known_and_their_secrets_are_not_shown() -> None:
    sources = Sources(["camera:3", "rtsp://me:secret@host:554/live?token=1"])
    camera, stream = sources.walk(lambda name, reason: None)
    assert (camera.kind, camera.path) == ("live", "3")
    assert stream.path == "rtsp://me:secret@host:554/live?token=1"
    assert "secret" not in stream.shown and "token" not in stream.shown
    assert not sources.countable


def test_no_source_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="name a picture"):
        Sources([])


def test_names_are_unique_without_upper_case_and_across_suffixes() -> None:
    names = Names()
    given = ["a.jpg", "A.png", "a.jpg", "sub/a.jpg", "a_2.gif"]
    assert [str(names.take(PurePath(name))) for name in given] == [
        "a",
        "A_2",
        "a_3",
        "sub/a",
        "a_2_2",
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("../../etc/passwd.jpg", "etc/passwd.jpg"),
        ("/root/x.jpg", "root/x.jpg"),
        ("a\nb\x07.jpg", "a_b_.jpg"),
        ("odd\udcff.jpg", "odd_.jpg"),
        ('c:<|>"?*.jpg', "c_.jpg"),
        (" .hidden. ", "hidden"),
        ("..", "_"),
    ],
)
def test_a_name_stays_inside_and_is_plain(path: str, name: str) -> None:
    assert str(written(PurePath(path))) == name


def test_long_names_fit_a_file_system(tmp_path: Path) -> None:
    for text in ("x" * 250, "字" * 85):
        assert len(part(text).encode()) <= 200
    assert shown("a\nb\udcff\u2028") == r"a\nb\udcff\u2028"
