"""`doctor`: whether an agent could get the code that lies here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from agent.doctor.findings import Finding, error, ok, warning
from components.code import ROOT, CodeError, CodeState, is_this_machine, read_code_state

_CHECK = "code"
_GIT_SECONDS = 20.0


def check_code(server: str, root: Path = ROOT) -> list[Finding]:
    """Look at the checkout as the agents of a server would.

    Args:
        server: URL of the ClearML API; empty for none, which is taken for one of this machine.
        root: The checkout.
    """
    if shutil.which("git") is None:
        said = "git isn't installed, and agents fetch the code of a stage with it"
        return [error(_CHECK, said, "apt install git, or alike")]
    local = not server or is_this_machine(server)
    try:
        state = read_code_state(server, "local" if local else "remote", root)
    except CodeError as problem:
        advice = "commit and push, so that agents can fetch this code; or run with --code local"
        return [error(_CHECK, str(problem), "commit it first" if local else advice)]
    found = [_changes(state)]
    if not local:
        found.append(_remote(state, root))
    return found


def _changes(state: CodeState) -> Finding:
    said = f"commit {state.commit[:10]} of {state.repository}"
    files = state.diff.count("\ndiff --git ") + state.diff.startswith("diff --git ")
    if not files:
        return ok(_CHECK, said)
    size = len(state.diff.encode()) / 1000
    return ok(_CHECK, f"{said}; {files} changed file(s) travel with each task ({size:.0f} kB)")


def _remote(state: CodeState, root: Path) -> Finding:
    """Ask the remote itself: what this clone knows of it may be old."""
    asked = _git(root, "ls-remote", state.repository)
    if asked is None:
        said = f"{state.repository} doesn't answer within {_GIT_SECONDS:g} s"
        return error("remote", said, "see to the network, or to the key that git uses")
    if asked.returncode:
        said = (asked.stderr.strip() or "refused").split("\n")[-1]
        advice = f"make this work without a prompt: git ls-remote {state.repository}"
        return error("remote", f"{state.repository}: {said}", advice)
    heads = {line.split("\t")[0] for line in asked.stdout.splitlines() if "\t" in line}
    if any(_contains(root, head, state.commit) for head in heads):
        return ok("remote", f"{state.repository} has the commit; agents need access to it too")
    if all(_known(root, head) for head in heads):
        said = f"commit {state.commit[:10]} is on no branch of {state.repository}"
        return error("remote", said, "git push")
    said = f"{state.repository} has commits that this clone doesn't know"
    return warning("remote", said, "git fetch, and look again")


def _contains(root: Path, head: str, commit: str) -> bool:
    asked = _git(root, "merge-base", "--is-ancestor", commit, head)
    return asked is not None and asked.returncode == 0


def _known(root: Path, head: str) -> bool:
    asked = _git(root, "cat-file", "-e", head)
    return asked is not None and asked.returncode == 0


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run git as an agent does, who can answer no prompt; None if it takes too long."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GCM_INTERACTIVE": "never"}
    quiet["GIT_SSH_COMMAND"] = os.environ.get("GIT_SSH_COMMAND", "ssh") + " -o BatchMode=yes"
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
            env={**os.environ, **quiet},
        )
    except subprocess.TimeoutExpired:
        return None
