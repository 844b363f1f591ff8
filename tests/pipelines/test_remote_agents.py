"""Remote is proven, not assumed: the agents are another Unix user who can read nothing of ours.

The agents get a HOME and a TMPDIR of their own and run in a mount namespace in which the checkout
is an empty, closed folder; the server's state and the user's tree are closed to them by their
modes. So code can only come by git and data only by HTTP. Needs root (to become another user).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from agent.stack.api import Api, wait_until_answers
from agent.stack.credentials import load_credentials
from agent.stack.home import StackHome
from tests.conftest import clean_environment, free_port

ROOT = Path(__file__).resolve().parents[2]
STRANGER = 61234
"""User and group id of the agents; no account of this machine."""

# Run as root in a mount namespace of its own: gives the Python environment a path that the
# stranger may read, closes the checkout, and goes on as the stranger.
_ENTER = """
set -eu
mount --bind {venv} {public}/env
if ! setpriv --reuid {uid} --regid {uid} --clear-groups test -x {base}/bin/python3; then
    mount --bind {base} {public}/base
    mount -t tmpfs -o mode=755 tmpfs {closed}
    mkdir -p {base}
    mount --move {public}/base {base}
fi
[ ! -d {root} ] || mount -t tmpfs -o mode=000 tmpfs {root}
cd {home}
exec setpriv --reuid {uid} --regid {uid} --clear-groups "$@"
"""


@dataclass(frozen=True)
class Site:
    """A server with its user on one side, agents of another user on the other."""

    private: Path
    public: Path
    home: Path
    tree: Path
    url: str

    def api(self) -> Api:
        return Api(self.url, load_credentials(StackHome(self.private)))

    def as_stranger(self, command: Sequence[str]) -> list[str]:
        base = Path(sys.base_prefix)
        closed = next(
            (p for p in reversed(base.parents) if not p.stat().st_mode & 0o001), base.parent
        )
        enter = _ENTER.format(
            uid=STRANGER,
            **{
                name: shlex.quote(str(path))
                for name, path in {
                    "venv": sys.prefix,
                    "public": self.public,
                    "base": base,
                    "closed": closed,
                    "root": ROOT,
                    "home": self.home,
                }.items()
            },
        )
        return ["unshare", "--mount", "bash", "-c", enter, "enter", *command]

    def user_environment(self) -> dict[str, str]:
        return clean_environment() | {
            "HOME": str(self.private / "user"),
            "SIGHTLINE_HOME": str(self.private),
            "CLEARML_CONFIG_FILE": str(self.private / "clearml.conf"),
        }


def _git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _user_tree(private: Path, git_port: int) -> Path:
    """A clone of this checkout as it lies here, whose remote is served by git's own daemon."""
    _git("clone", "--bare", "--quiet", str(ROOT), str(private / "git" / "sightline.git"), cwd=ROOT)
    tree = private / "tree"
    remote = f"git://127.0.0.1:{git_port}/sightline.git"
    _git("clone", "--quiet", remote, str(tree), cwd=private)
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        else:
            target.unlink(missing_ok=True)
    # An uncommitted change has to travel too.
    (tree / "models" / "uncommitted.py").write_text('"""Not committed."""\n')
    return tree


@pytest.fixture
def site() -> Iterator[Site]:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("becoming another user needs root, unshare and setpriv")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this system allows no mount namespace")
    private = Path(tempfile.mkdtemp(prefix="sl-user-"))  # mode 0700
    public = Path(tempfile.mkdtemp(prefix="sl-agents-"))
    public.chmod(0o755)
    home = public / "home"
    for folder in (public / "env", public / "base", home, home / "tmp"):
        folder.mkdir()
    for folder in (home, home / "tmp"):
        os.chown(folder, STRANGER, STRANGER)
    (private / "user").mkdir()
    (private / "git").mkdir()
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: Sequence[str], log: str, **more: str) -> None:
        with (private / log).open("wb") as output:
            processes.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=clean_environment() | more,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    try:
        port, git_port = free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        credentials = private / "credentials.json"
        server = [sys.executable, "-m", "agent.server", "--state", str(private / "server")]
        start([*server, "--port", str(port), "--credentials", str(credentials)], "server.log")
        git = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={git_port}"]
        start([*git, "--export-all", f"--base-path={private / 'git'}"], "git.log")
        assert wait_until_answers(url, 30), (private / "server.log").read_text()
        tree = _user_tree(private, git_port)
        key = load_credentials(StackHome(private))
        api = {
            "api_server": url,
            "web_server": url,
            "files_server": f"{url}/files",
            "credentials": {"access_key": key.access_key, "secret_key": key.secret_key},
        }
        sdk = {"development": {"report_use_subprocess": False}}
        for folder, more in (
            (private, {}),
            (home, {"agent": {"disable_agent_update_check": True}}),
        ):
            (folder / "clearml.conf").write_text(json.dumps({"api": api, "sdk": sdk, **more}))
        os.chown(home / "clearml.conf", STRANGER, STRANGER)
        made = Site(private, public, home, tree, url)
        with made.api() as session:
            for queue in ("cpu", "gpu", "services"):
                session.call("queues.create", name=queue)
        for name, queues in (("worker", ["cpu", "gpu"]), ("controller", ["services"])):
            environment = {
                "HOME": str(home),
                "TMPDIR": str(home / "tmp"),
                "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
                "CLEARML_CONFIG_FILE": str(home / "clearml.conf"),
                "CLEARML_WORKER_ID": f"stranger:{name}",
                "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
                "CLEARML_AGENT_QUEUE_POLL_FREQ_SEC": "1",
                "OMP_NUM_THREADS": "2",
            }
            daemon = [str(public / "env" / "bin" / "python"), "-m", "clearml_agent", "daemon"]
            daemon += ["--foreground", "--cpu-only", "--queue", *queues]
            daemon += ["--services-mode"] if name == "controller" else []
            start(made.as_stranger(daemon), f"{name}.log", **environment)
        yield made
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        time.sleep(1)
        subprocess.run(["pkill", "-KILL", "-U", str(STRANGER)], check=False)
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(private, ignore_errors=True)
        shutil.rmtree(public, ignore_errors=True)


# A whole pipeline whose every stage installs what it needs.
@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_agents_of_another_user_run_the_pipeline(
    site: Site, tiny_data: Iterable[str], tiny_training: Iterable[str]
) -> None:
    for path in (ROOT / "pyproject.toml", site.tree, site.private / "server"):
        seen = subprocess.run(site.as_stranger(["ls", str(path)]), capture_output=True, text=True)
        assert seen.returncode != 0, f"the agents can read {path}"
        assert "denied" in seen.stderr or "No such file" in seen.stderr
    command = [sys.executable, "-m", "pipelines.cli", "run", "configs/demo.yaml", "--wait"]
    command += ["--code", "remote", "epochs=1", "gate=0", *tiny_data, *tiny_training]
    done = subprocess.run(
        command, cwd=site.tree, env=site.user_environment(), capture_output=True, text=True
    )
    logs = "\n".join(
        (site.private / f"{name}.log").read_text() for name in ("worker", "controller")
    )
    assert done.returncode == 0, done.stdout + done.stderr + logs[-5000:]
    with site.api() as api:
        tasks = api.call("tasks.get_all", search_hidden=True)["tasks"]
        steps = [task for task in tasks if task.get("last_worker", "").startswith("stranger:")]
        assert {"ingest", "prepare", "train", "publish"} <= {task["name"] for task in steps}
        assert all(task["status"] in ("completed", "published") for task in steps)
        assert all(task["script"]["repository"].startswith("git://") for task in steps)
        assert all("uncommitted.py" in task["script"]["diff"] for task in steps)
        models = api.call("models.get_all")["models"]
    assert models
    for model in models:
        assert model["uri"].startswith(f"{site.url}/files/")
        assert requests.head(model["uri"], timeout=10).status_code in (
            401,
            403,
        )  # not without a key
