"""The code state of a checkout: what an agent needs to run exactly the code that lies here.

A ClearML task records a repository, a commit and a diff. The SDK's own detection leaves out
untracked and binary files and needs a remote; here the diff is the whole difference between the
commit and the working tree (ignored files apart), so a dirty tree without a remote runs as it is.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
"""Folder that holds `components` and `models`."""
CODE_FOLDERS = ("components", "models")
"""What a stage imports; their content decides whether a cached stage is still good."""
LOCK = "requirements.lock"
MODES = ("auto", "local", "remote")
MAX_DIFF_BYTES = 8 << 20
"""A task is one database document; ClearML Server's limit is 16 MiB for all of it."""


class CodeError(ValueError):
    """The code here can't be handed to an agent; the message says what to do."""


@dataclass(frozen=True)
class CodeState:
    """A working tree as an agent can rebuild it."""

    repository: str
    """URL that the agent clones; `file:///...` when the server is this machine's own."""
    branch: str
    """Empty on a detached head."""
    commit: str
    diff: str
    """What `git apply` makes the working tree of: staged, unstaged, untracked and binary files."""
    working_dir: str
    """Folder of `components` below the repository's root, usually `.`."""
    tree: str
    """Hash of the code folders as they lie in the working tree."""
    requirements: str
    """Hash of the lock file; empty without one."""
    packages: str = ""
    """The locked packages, one `name==version ; marker` a line, for agents that install them."""

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all of it."""
        parts = (self.repository, self.branch, self.commit, self.diff, self.working_dir)
        return _digest("\0".join((*parts, self.tree, self.requirements)).encode())

    def script(self, module: str) -> dict[str, Any]:
        """Build the script section of a task that runs `module`, without any argument."""
        return {
            "repository": self.repository,
            "branch": self.branch,
            "version_num": self.commit,
            "diff": self.diff,
            "working_dir": self.working_dir,
            "entry_point": f"-m {module}",
            "binary": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "requirements": {"pip": self.packages},
        }


def read_code_state(server: str, mode: str = "auto", root: Path = ROOT) -> CodeState:
    """Read the code state of the checkout at `root`.

    Args:
        server: URL of the ClearML API; decides under `auto` whether agents can reach this disk.
        mode: `local` clones from this disk, `remote` from the checkout's remote.
        root: folder that holds the code folders.

    Raises:
        CodeError: no git, no checkout, no commit, too large a diff, or a commit that the agents
            of a remote server couldn't get.
    """
    if mode not in MODES:
        raise CodeError(f"code: expected {'|'.join(MODES)}, got '{mode}'")
    if shutil.which("git") is None:
        raise CodeError("git isn't installed, and agents fetch the code of a stage with it")
    try:
        top = Path(_git(root, "rev-parse", "--show-toplevel").strip())
    except CodeError:
        raise CodeError(
            f"{root} isn't a git checkout, so no agent could fetch this code: "
            "work in a clone, or run a single stage with --local FOLDER"
        ) from None
    try:
        commit = _git(top, "rev-parse", "--verify", "HEAD^{commit}").strip()
    except CodeError:
        raise CodeError(f"{top} has no commit yet: git add -A && git commit") from None
    local = mode == "local" or (mode == "auto" and is_this_machine(server))
    if local:
        repository = top.as_uri()
    else:
        repository = _remote(top)
        if not _git(top, "branch", "-r", "--contains", commit).strip():
            raise CodeError(
                f"commit {commit[:10]} isn't on {repository}, where agents fetch it: git push first"
            )
    branch = _git(top, "branch", "--show-current").strip()
    with _working_tree_index(top) as environment:
        diff = _diff(top, environment)
        inside = root.resolve().relative_to(top.resolve()).as_posix()
        paths = [f"{inside}/{folder}" if inside != "." else folder for folder in CODE_FOLDERS]
        listing = _git(top, "ls-files", "-s", "-z", "--", *paths, environment=environment)
    lock = root / LOCK
    return CodeState(
        repository=repository,
        branch=branch,
        commit=commit,
        diff=diff,
        working_dir=inside,
        tree=_digest(listing.encode()),
        requirements=_digest(lock.read_bytes()) if lock.is_file() else "",
        packages=locked_packages(lock.read_text(encoding="utf-8")) if lock.is_file() else "",
    )


def locked_packages(lock: str) -> str:
    """Take hashes and comments out of a lock file: a task has no room for them."""
    lines = (line.split("#")[0].rstrip(" \\") for line in lock.split("\n"))
    return "".join(f"{line}\n" for line in lines if line and not line.startswith((" ", "-")))


def is_this_machine(url: str) -> bool:
    """Tell whether a server's URL names a loopback address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except (OSError, ValueError):
        return False


def refuse_foreign_imports(root: Path = ROOT, modules: Mapping[str, Any] | None = None) -> None:
    """Make sure that `components` and `models` are this checkout's.

    Such general names can be shadowed by an installed package. On an agent, an editable install
    of another checkout would run other code than the task records.

    Raises:
        CodeError: one was imported from somewhere else.
    """
    loaded = sys.modules if modules is None else modules
    for name in CODE_FOLDERS:
        module = loaded.get(name)
        if module is None:
            continue
        places = [Path(place).resolve() for place in getattr(module, "__path__", [])]
        if places != [(root / name).resolve()]:
            where = ", ".join(str(place) for place in places) or getattr(module, "__file__", "?")
            raise CodeError(
                f"'{name}' was imported from {where} and not from {root / name}: "
                "start the stage in its own checkout, and check PYTHONPATH"
            )


def _remote(top: Path) -> str:
    names = _git(top, "remote").split()
    if not names:
        raise CodeError(
            f"{top} has no remote, and the agents of a remote server can't fetch from this disk: "
            "git remote add origin URL && git push -u origin HEAD"
        )
    tracked = _try_git(top, "rev-parse", "--abbrev-ref", "HEAD@{upstream}").partition("/")[0]
    name = next((n for n in (tracked, "origin") if n in names), names[0])
    url = _git(top, "remote", "get-url", name).strip()
    return public_url(url, top)


def public_url(url: str, top: Path) -> str:
    """Make a remote's URL fit for a task: no password, no path that only means something here."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=host))
    if parts.scheme or re.match(r"^[^/]+:(?!\\)", url):  # ssh://, file://, git@host:path
        return url
    return (top / url).resolve().as_uri()


@contextmanager
def _working_tree_index(top: Path) -> Iterator[dict[str, str]]:
    """Stage the whole working tree in an index and an object store that are thrown away."""
    _refuse_large_files(top)
    index = Path(_git(top, "rev-parse", "--path-format=absolute", "--git-path", "index").strip())
    objects = _git(top, "rev-parse", "--path-format=absolute", "--git-path", "objects").strip()
    with tempfile.TemporaryDirectory(prefix="sightline-code-") as scratch:
        if index.is_file():
            shutil.copy2(index, Path(scratch, "index"))
        Path(scratch, "objects").mkdir()
        others = os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")
        environment = {
            "GIT_INDEX_FILE": str(Path(scratch, "index")),
            "GIT_OBJECT_DIRECTORY": str(Path(scratch, "objects")),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{objects}{os.pathsep}{others}"
            if others
            else objects,
        }
        _git(top, "add", "--all", "--", ".", environment=environment)
        yield environment


def _refuse_large_files(top: Path) -> None:
    """Look at sizes first: adding a forgotten data set to an index would take minutes."""
    listed = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    listed += _git(top, "diff", "HEAD", "--name-only", "-z", "--diff-filter=d", "--no-ext-diff")
    sizes = {}
    for name in filter(None, listed.split("\0")):
        path = top / name
        if path.is_file() and not path.is_symlink():
            sizes[name] = path.stat().st_size
    # Text differs by less than its size, but nobody edits 8 MiB of text by hand.
    if sum(sizes.values()) > 4 * MAX_DIFF_BYTES:
        raise _too_large(sum(sizes.values()), sizes)


def _too_large(size: int, sizes: Mapping[str, int]) -> CodeError:
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    named = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
    return CodeError(
        f"the uncommitted changes are {size / 1e6:.1f} MB, too much for a task; "
        f"commit them or list them in .gitignore; the largest: {named}"
    )


def _diff(top: Path, environment: Mapping[str, str]) -> str:
    command = [
        *(
            "-c",
            "core.quotePath=true",
            "-c",
            "diff.noprefix=false",
            "-c",
            "diff.mnemonicPrefix=false",
        ),
        *("diff", "--cached", "--binary", "--full-index", "--no-renames", "--no-ext-diff"),
        *("--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "HEAD", "--"),
    ]
    raw = _git_bytes(top, *command, environment=environment)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Text in another encoding can't travel as JSON: have all files encoded as binary ones.
        attributes = Path(environment["GIT_INDEX_FILE"]).with_name("attributes")
        attributes.write_text("* -diff\n")
        setting = ("-c", f"core.attributesFile={attributes}")
        text = _git_bytes(top, *setting, *command, environment=environment).decode()
    if len(text.encode()) > MAX_DIFF_BYTES:
        names = _git(top, "diff", "--cached", "--name-only", "-z", "HEAD", environment=environment)
        sizes = {n: (top / n).stat().st_size for n in names.split("\0") if (top / n).is_file()}
        raise _too_large(len(text.encode()), sizes)
    return text


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _try_git(folder: Path, *arguments: str) -> str:
    try:
        return _git(folder, *arguments)
    except CodeError:
        return ""


def _git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    return _git_bytes(folder, *arguments, environment=environment).decode(
        "utf-8", "surrogateescape"
    )


def _git_bytes(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> bytes:
    # Variables of a hook that started us would point git at another repository.
    kept = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE")}
    command: Sequence[str] = ("git", "-C", str(folder), *arguments)
    settings = {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(environment or {})}
    done = subprocess.run(command, capture_output=True, env=settings)
    if done.returncode:
        line = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise CodeError(f"git {arguments[0]} in {folder}: {line}")
    return done.stdout
