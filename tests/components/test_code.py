from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import components.code as code_module
from components.code import (
    CodeError,
    is_this_machine,
    public_url,
    read_code_state,
    refuse_foreign_imports,
)

LOCAL = "http://127.0.0.1:8008"
REMOTE = "https://api.clear.ml"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    command = ("git", "-C", str(folder), *identity, *arguments)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    top = tmp_path / "a checkout"
    (top / "components").mkdir(parents=True)
    (top / "models").mkdir()
    (top / "components" / "train.py").write_text("print(1)\n" * 30)
    (top / "components" / "gone.py").write_text("x = 1\n")
    (top / "components" / "old name.py").write_text("y = 1\n" * 20)
    (top / "models" / "net.py").write_text("net\n")
    (top / "requirements.lock").write_text("torch==2.15.0\n")
    (top / ".gitignore").write_text("*.log\nbig/\n")
    (top / "picture.bin").write_bytes(bytes(range(256)) * 4)
    git(top, "init", "-q")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "one")
    return top


def make_dirty(top: Path) -> None:
    (top / "components" / "train.py").write_text("print(2)\n" + "print(1)\n" * 29 + "end")
    (top / "components" / "staged.py").write_text("staged\n")
    git(top, "add", "components/staged.py")
    (top / "components" / "gone.py").unlink()
    git(top, "mv", "components/old name.py", "components/new näme.py")
    (top / "components" / "empty.py").write_text("")
    (top / "components" / "untracked.py").write_text("täxt\n")
    (top / "components" / "latin.txt").write_bytes("größe\r\nx\r\n".encode("latin-1"))
    (top / "models" / "weights.bin").write_bytes(b"\0\1\2\xff" * 300)
    (top / "picture.bin").write_bytes(bytes(range(255, -1, -1)) * 4)
    script = top / "models" / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (top / "models" / "link").symlink_to("net.py")
    (top / "ignored.log").write_text("no\n")
    (top / "big").mkdir()
    (top / "big" / "data.bin").write_bytes(b"\1" * 100)


def contents(top: Path) -> dict[str, tuple[bytes | str, bool]]:
    listed = git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    found: dict[str, tuple[bytes | str, bool]] = {}
    for name in filter(None, listed):
        path = top / name
        if path.is_symlink():
            found[name] = (str(path.readlink()), False)
        elif path.is_file():
            found[name] = (path.read_bytes(), os.access(path, os.X_OK))
    return found


def test_an_agents_git_makes_the_same_tree_from_it(checkout: Path, tmp_path: Path) -> None:
    make_dirty(checkout)
    state = read_code_state(LOCAL, root=checkout)
    assert state.repository == checkout.as_uri()
    assert (state.branch, state.working_dir) == ("main", ".")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", state.repository, str(clone))
    git(clone, "checkout", "-q", state.commit)
    # What the agent does: text from JSON to `git apply`, with a newline added.
    subprocess.run(
        ["git", "apply", "--unidiff-zero"],
        cwd=clone,
        input=state.diff.encode() + b"\n",
        check=True,
        capture_output=True,
    )
    assert contents(clone) == contents(checkout)
    assert "ignored.log" not in state.diff


def test_reading_leaves_the_checkout_as_it_was(checkout: Path) -> None:
    make_dirty(checkout)
    before = git(checkout, "status", "--porcelain"), git(checkout, "count-objects")
    read_code_state(LOCAL, root=checkout)
    assert (git(checkout, "status", "--porcelain"), git(checkout, "count-objects")) == before


def test_text_in_another_encoding_travels(checkout: Path, tmp_path: Path) -> None:
    (checkout / "latin.txt").write_bytes("ü\n".encode("latin-1") * 3)
    state = read_code_state(LOCAL, root=checkout)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", state.repository, str(clone))
    subprocess.run(["git", "apply"], cwd=clone, input=state.diff.encode() + b"\n", check=True)
    assert (clone / "latin.txt").read_bytes() == "ü\n".encode("latin-1") * 3


@pytest.mark.parametrize(
    "setting",
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "/bin/false"),
        ("diff.renames", "copies"),
    ],
)
def test_a_users_git_settings_dont_change_the_diff(
    checkout: Path, setting: tuple[str, str]
) -> None:
    make_dirty(checkout)
    plain = read_code_state(LOCAL, root=checkout)
    git(checkout, "config", *setting)
    assert read_code_state(LOCAL, root=checkout).diff == plain.diff


def test_the_tree_is_about_code_only(checkout: Path) -> None:
    first = read_code_state(LOCAL, root=checkout)
    (checkout / "README.md").write_text("new\n")
    readme = read_code_state(LOCAL, root=checkout)
    assert readme.tree == first.tree and readme.fingerprint != first.fingerprint
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "two")
    assert read_code_state(LOCAL, root=checkout).tree == first.tree
    (checkout / "models" / "new.py").write_text("1\n")
    dirty = read_code_state(LOCAL, root=checkout)
    assert dirty.tree != first.tree
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "three")
    assert read_code_state(LOCAL, root=checkout).tree == dirty.tree
    assert first.requirements == dirty.requirements != ""
    (checkout / "requirements.lock").write_text("torch==3\n")
    assert read_code_state(LOCAL, root=checkout).requirements != first.requirements


def test_a_subfolder_of_a_repository(checkout: Path) -> None:
    inner = checkout / "vision"
    (inner / "components").mkdir(parents=True)
    (inner / "components" / "a.py").write_text("a\n")
    state = read_code_state(LOCAL, root=inner)
    assert state.working_dir == "vision"
    (inner / "components" / "a.py").write_text("b\n")
    assert read_code_state(LOCAL, root=inner).tree != state.tree


def test_the_script_section_has_no_arguments(checkout: Path) -> None:
    script = read_code_state(LOCAL, root=checkout).script("components.train")
    assert script["entry_point"] == "-m components.train"
    assert script["version_num"] == git(checkout, "rev-parse", "HEAD").strip()
    assert script["binary"] == f"python{sys.version_info.major}.{sys.version_info.minor}"


def test_a_remote_server_needs_pushed_commits(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="has no remote"):
        read_code_state(REMOTE, root=checkout)
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(checkout, "remote", "add", "origin", "../origin.git")
    with pytest.raises(CodeError, match="git push first") as caught:
        read_code_state(REMOTE, root=checkout)
    assert "\n" not in str(caught.value)
    git(checkout, "push", "-q", "-u", "origin", "main")
    make_dirty(checkout)
    state = read_code_state(REMOTE, root=checkout)
    assert state.repository == (tmp_path / "origin.git").as_uri()
    assert read_code_state(LOCAL, "remote", checkout).repository == state.repository
    assert read_code_state(REMOTE, "local", checkout).repository == checkout.as_uri()


def test_what_can_not_travel_is_said_in_one_line(tmp_path: Path, checkout: Path) -> None:
    bare = tmp_path / "installed"
    bare.mkdir()
    with pytest.raises(CodeError, match="isn't a git checkout"):
        read_code_state(LOCAL, root=bare)
    git(bare, "init", "-q")
    with pytest.raises(CodeError, match="has no commit yet"):
        read_code_state(LOCAL, root=bare)
    with pytest.raises(CodeError, match=r"expected auto\|local\|remote, got 'lokal'"):
        read_code_state(LOCAL, "lokal", checkout)


def test_a_forgotten_data_set_is_refused_by_name(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_module, "MAX_DIFF_BYTES", 10_000)
    (checkout / "data.bin").write_bytes(os.urandom(9_000))
    with pytest.raises(CodeError, match=r"data\.bin \(0\.0 MB\)"):
        read_code_state(LOCAL, root=checkout)
    (checkout / "data.bin").write_bytes(os.urandom(50_000))
    with pytest.raises(CodeError, match=r"list them in \.gitignore; the largest: data\.bin"):
        read_code_state(LOCAL, root=checkout)
    (checkout / ".gitignore").write_text("data.bin\n")
    read_code_state(LOCAL, root=checkout)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8008", True),
        ("http://localhost:8008", True),
        ("http://[::1]:8008", True),
        ("http://127.1.2.3", True),
        ("http://10.0.0.5:8008", False),
        ("https://api.clear.ml", False),
        ("", False),
    ],
)
def test_is_this_machine(url: str, local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostbyname", lambda host: "3.3.3.3" if host else "")
    assert is_this_machine(url) is local


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://user:secret@host.org/a/b.git", "https://host.org/a/b.git"),
        ("https://token@host.org:8443/a", "https://host.org:8443/a"),
        ("git@host.org:a/b.git", "git@host.org:a/b.git"),
        ("ssh://git@host.org/a", "ssh://git@host.org/a"),
        ("file:///srv/a.git", "file:///srv/a.git"),
        ("/srv/a b.git", "file:///srv/a%20b.git"),
        ("../b.git", "file:///top/b.git"),
    ],
)
def test_public_url(url: str, public: str) -> None:
    assert public_url(url, Path("/top/checkout")) == public


def test_foreign_imports_are_refused(tmp_path: Path) -> None:
    own, foreign = ModuleType("components"), ModuleType("models")
    own.__path__ = [str(tmp_path / "components")]
    foreign.__path__ = ["/site-packages/models"]
    refuse_foreign_imports(tmp_path, {"components": own})
    with pytest.raises(CodeError, match="'models' was imported from /site-packages/models and not"):
        refuse_foreign_imports(tmp_path, {"components": own, "models": foreign})
    refuse_foreign_imports()
