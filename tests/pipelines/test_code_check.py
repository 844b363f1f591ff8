"""Whether agents could get the code of a checkout, with the remote broken in each way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.doctor.findings import Finding, Level
from pipelines.code_check import check_code

REMOTE_SERVER = "https://api.clear.example"
LOCAL_SERVER = "http://127.0.0.1:8008"


def git(folder: Path, *arguments: str) -> str:
    name = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *name, "-C", str(folder), *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout whose one commit is on its remote, `../remote`."""
    (tmp_path / "remote").mkdir()
    git(tmp_path / "remote", "init", "--bare", "--quiet", "--initial-branch=main")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote"), str(folder))
    (folder / "components").mkdir()
    (folder / "components" / "train.py").write_text("print(1)\n")
    commit(folder)
    git(folder, "push", "--quiet", "origin", "HEAD:main")
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "one")


def nothing(clone: Path) -> None:
    pass


def change(clone: Path) -> None:
    (clone / "components" / "train.py").write_text("print(2)\n")
    (clone / "components" / "new.py").write_text("print(3)\n")


def remove_remote(clone: Path) -> None:
    git(clone, "remote", "remove", "origin")


def delete_remote(clone: Path) -> None:
    shutil.rmtree(clone.parent / "remote")


def take_it_off_the_remote(clone: Path) -> None:
    """Somebody has pushed by force; this clone hasn't noticed, but knows the older commit."""
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "two")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    git(clone.parent / "remote", "update-ref", "refs/heads/main", "refs/heads/main~1")


def push_something_else(clone: Path) -> None:
    """Somebody has pushed by force what this clone doesn't know."""
    other = clone.parent / "other"
    git(clone.parent, "clone", "--quiet", str(clone.parent / "remote"), str(other))
    git(other, "checkout", "--quiet", "--orphan", "anew")
    (other / "README.md").write_text("Another history.\n")
    commit(other)
    git(other, "push", "--quiet", "--force", "origin", "HEAD:main")


@pytest.mark.parametrize(
    ("server", "broken", "level", "said"),
    [
        (LOCAL_SERVER, nothing, Level.OK, "commit "),
        (LOCAL_SERVER, change, Level.OK, "2 changed file(s) travel with each task"),
        (LOCAL_SERVER, remove_remote, Level.OK, "commit "),
        ("", remove_remote, Level.OK, "commit "),
        (REMOTE_SERVER, nothing, Level.OK, "has the commit"),
        (REMOTE_SERVER, change, Level.OK, "has the commit"),
        (REMOTE_SERVER, commit, Level.ERROR, "git push first"),
        (REMOTE_SERVER, remove_remote, Level.ERROR, "has no remote"),
        (REMOTE_SERVER, delete_remote, Level.ERROR, "remote"),
        (REMOTE_SERVER, take_it_off_the_remote, Level.ERROR, "is on no branch of"),
        (REMOTE_SERVER, push_something_else, Level.WARNING, "doesn't know"),
    ],
)
def test_a_checkout(
    clone: Path, server: str, broken: Callable[[Path], None], level: Level, said: str
) -> None:
    broken(clone)
    findings = check_code(server, clone)
    worst = max(findings, key=lambda found: list(Level).index(found.level))
    assert worst.level is level, findings
    assert any(said in found.said for found in findings), findings
    assert all(found.advice for found in findings if found.level is not Level.OK)


def test_no_checkout_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only() -> Finding:
        (found,) = check_code(LOCAL_SERVER, tmp_path)
        assert found.level is Level.ERROR
        assert found.advice
        return found

    assert "isn't a git checkout" in only().said
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git isn't installed" in only().said
