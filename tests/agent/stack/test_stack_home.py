import errno
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.stack.errors import StackError
from agent.stack.home import StackHome, find_home, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_find_home_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    inside = project / "a" / "b"
    inside.mkdir(parents=True)
    (project / ".git").mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.delenv("SIGHTLINE_HOME", raising=False)
    assert find_home().root == project / ".sightline"
    monkeypatch.setenv("SIGHTLINE_HOME", str(tmp_path / "named"))
    assert find_home().root == tmp_path / "named"
    assert find_home(tmp_path / "argument").root == tmp_path / "argument"


def test_find_home_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGHTLINE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert find_home().root == tmp_path / ".sightline"


def test_create_is_private_whatever_the_umask(tmp_path: Path) -> None:
    home = StackHome(tmp_path / "deep" / "state")
    before = os.umask(0)
    try:
        home.create()
        home.create()
    finally:
        os.umask(before)
    assert mode(home.root) == 0o700
    assert {mode(path) for path in (home.server, home.agents, home.logs, home.cache)} == {0o700}
    assert (home.root / ".gitignore").read_text() == "*\n"


def test_create_tightens_an_open_folder(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o777)
    StackHome(tmp_path / "s").create()
    assert mode(tmp_path / "s") == 0o700


def test_unwritable_state_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"can't write the state folder .*SIGHTLINE_HOME") as info:
        StackHome(tmp_path / "file" / "state").create()
    assert "\n" not in str(info.value)


def test_an_almost_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=12_345_678))
    with pytest.raises(StackError, match=r"has only 12 MB left; free some space"):
        StackHome(tmp_path / "s").create()


def test_write_private_replaces_and_keeps_0600(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_private(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StackError, match=r"disk of the state folder .* is full"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
