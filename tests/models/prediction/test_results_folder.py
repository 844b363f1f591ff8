"""What may be removed and overwritten, and what never."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from models.prediction.writing.folder import LIST, ResultsFolder
from tests.models.prediction.conftest import Case


def test_only_an_earlier_runs_files_are_replaced(run: Case, photos: Path) -> None:
    run(photos, save=["pictures", "csv"])
    mine = run.out / "pictures" / "mine.txt"
    mine.write_text("mine")
    (photos / "sub" / "a.jpg").unlink()
    run(photos, save=["pictures"])
    assert run.files() == ["pictures/a.jpg", "pictures/a_2.jpg", "pictures/mine.txt", "result.json"]
    assert mine.read_text() == "mine"
    assert not (run.out / "pictures" / "sub").exists()


def test_a_foreign_file_keeps_its_name_and_content(run: Case, photos: Path) -> None:
    run(photos / "sub", save=["csv"])
    foreign = run.out / "pictures" / "a.jpg"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    for _ in range(2):
        run(photos / "sub", save=["pictures"])
        assert foreign.read_text() == "mine"
        assert run.files() == ["pictures/a.jpg", "pictures/a_2.jpg", "result.json"]


def test_a_folder_with_something_else_in_it_is_refused(run: Case, photos: Path) -> None:
    run.out.mkdir()
    (run.out / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds what no earlier predict has written"):
        run(photos)
    assert (run.out / "thesis.txt").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(run: Case, photos: Path) -> None:
    run.out.write_text("mine")
    with pytest.raises(ValueError, match="is a file: give a folder"):
        run(photos)


def test_the_list_of_files_leads_nowhere_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("1")
    (out / "link").symlink_to(tmp_path / "folder")
    (out / "to-file").symlink_to(tmp_path / "precious")
    names = ["../precious", str(tmp_path / "precious"), "link/precious", "to-file", "", "..", 7]
    lines = [json.dumps(name) for name in names]
    (out / LIST).write_text("\n".join([*lines, "no json", '"a\\u0000b"']) + "\n")
    ResultsFolder(out).close()
    assert (tmp_path / "precious").exists() and (tmp_path / "folder" / "precious").exists()
    assert (out / "to-file").is_symlink()


def test_sources_among_the_results_are_refused(run: Case, photos: Path) -> None:
    run(photos, save=["pictures"])
    with pytest.raises(ValueError, match="lies in the folder of results"):
        run(run.out / "pictures")
    assert (run.out / "pictures" / "a.jpg").exists()


def test_results_inside_the_source_are_not_read_again(run: Case, photos: Path) -> None:
    run.out = photos / "predictions"
    assert run(photos, save=["pictures"]).pictures == 3
    assert run(photos, save=["pictures"]).pictures == 3


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out") as folder:
        part = folder.part(PurePosixPath("a/b.txt"))
        part.write_text("half")
        assert [p.name for p in (tmp_path / "out" / "a").iterdir()] == [".part-b.txt"]
        assert folder.keep(part, PurePosixPath("a/b.txt")).read_text() == "half"
        assert folder.write(PurePosixPath("a/b.txt"), b"2").name == "b_2.txt"
    assert sorted(p.name for p in (tmp_path / "out" / "a").iterdir()) == ["b.txt", "b_2.txt"]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "out")
    folder.part(PurePosixPath("pictures/a.jpg")).write_text("half")
    folder.close()
    ResultsFolder(tmp_path / "out").close()
    assert not (tmp_path / "out" / "pictures").exists()


def test_a_folder_that_can_not_be_made_is_one_line() -> None:
    with pytest.raises(ValueError, match="can't be written"):
        ResultsFolder(Path("/proc/predictions"))
