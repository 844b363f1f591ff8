"""A real server process for each test session, and means to talk to it."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[3]
SERVICES = "clearml.backend_api.services.v2_23"


@cache
def response_schema(action: str) -> Any:
    """The validator of the SDK's own schema for an action's answer; None if it has none."""
    from clearml.backend_api.session.datamodel import _CustomValidator

    service, name = action.split(".")
    try:
        module = importlib.import_module(f"{SERVICES}.{service}")
    except ImportError:
        return None
    for request, response in module.response_mapping.items():
        # The schemas of a few answers refer to definitions that the SDK doesn't ship.
        whole = "#/definitions/" not in json.dumps(response._schema) or response._schema.get(
            "definitions"
        )
        if request._action == name and response._schema and whole:
            return _CustomValidator(response._schema)
    return None


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options
        self.port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.server", "--state", str(self.state),
             "--port", str(self.port), *self.options],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=(self.state.parent / "server.log").open("a"),
            text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line.startswith("serving "), (self.state.parent / "server.log").read_text()
        self.url = line.split()[1]
        self.port = int(self.url.rpartition(":")[2])
        options = dict(zip(self.options, self.options[1:], strict=False))
        path = Path(options.get("--credentials", self.state / "credentials.json"))
        self.keys = json.loads(path.read_text())
        self.http = requests.Session()
        self.http.auth = (self.keys["access_key"], self.keys["secret_key"])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.process.stdout.close()

    def raw(self, action: str, body: Any = None, **more: Any) -> requests.Response:
        more.setdefault("method", "POST")
        return self.http.request(url=f"{self.url}/v2.31/{action}", json=body, timeout=30, **more)

    def call(self, action: str, /, **body: Any) -> dict[str, Any]:
        """The data of an answer that must go well and fit the SDK's schema."""
        response = self.raw(action, body)
        answer = response.json()
        assert response.status_code == 200, (action, answer["meta"])
        schema = response_schema(action)
        if schema is not None:
            errors = [f"{list(e.path)}: {e.message}" for e in schema.iter_errors(answer["data"])]
            assert not errors, (action, errors)
        return answer["data"]

    def refuse(self, action: str, /, **body: Any) -> dict[str, Any]:
        """The envelope's `meta` of an answer that must say no."""
        response = self.raw(action, body)
        meta = response.json()["meta"]
        assert 400 <= response.status_code < 500, (action, meta)
        assert meta["result_code"] == response.status_code
        return meta

    def task(self, name: str = "a task", **more: Any) -> str:
        return self.call("tasks.create", **{"name": name, "type": "training", **more})["id"]

    def add(self, *events: dict[str, Any]) -> dict[str, Any]:
        """Add events in one batch."""
        response = self._batch(*events)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def refuse_events(self, *events: dict[str, Any]) -> dict[str, Any]:
        """The envelope's `meta` for a batch of which every event is refused."""
        meta = self._batch(*events).json()["meta"]
        assert (meta["result_code"], meta["result_subcode"]) == (400, 131), meta
        return meta

    def _batch(self, *events: dict[str, Any]) -> requests.Response:
        return self.http.post(
            f"{self.url}/events.add_batch",
            data="\n".join(json.dumps(event) for event in events),
            headers={"Content-Type": "application/json-lines"},
            timeout=30,
        )

    def write_configuration(self, path: Path) -> Path:
        """A `clearml.conf` for the SDK and agents that use this server."""
        base = path.parent
        path.write_text(
            textwrap.dedent(f"""
            api {{
                api_server: "{self.url}"
                web_server: "{self.url}"
                files_server: "{self.url}/files"
                credentials {{
                    access_key: "{self.keys["access_key"]}"
                    secret_key: "{self.keys["secret_key"]}"
                }}
            }}
            sdk {{
                development.report_use_subprocess: false
                storage.cache.default_base_dir: "{base}/cache"
            }}
            agent {{
                venvs_dir: "{base}/venvs"
                vcs_cache.path: "{base}/vcs"
                venvs_cache.path: "{base}/venvs-cache"
                pip_download_cache.path: "{base}/pip"
                docker_apt_cache: "{base}/apt"
            }}
        """)
        )
        return path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the session's tests share; each makes what it looks at."""
    running = ServerProcess(tmp_path_factory.mktemp("server") / "state")
    yield running
    running.stop()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers of a test's own."""
    started: list[ServerProcess] = []

    def start(*options: str, state: str = "state") -> ServerProcess:
        started.append(ServerProcess(tmp_path / state, *options))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


class Home:
    """A place with a ClearML configuration, where SDK scripts and agents run."""

    def __init__(self, folder: Path, server: ServerProcess) -> None:
        self.folder = folder
        (folder / "tmp").mkdir(parents=True)
        configuration = server.write_configuration(folder / "clearml.conf")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CLEARML", "TRAINS"))}
        self.environment = {
            **kept,
            "CLEARML_CONFIG_FILE": str(configuration),
            "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
            "CLEARML_AGENT_QUEUE_POLL_FREQ_SEC": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "GIT_CONFIG_GLOBAL": str(folder / ".gitconfig"),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def run(self, text: str, *arguments: str, timeout: float = 120) -> str:
        """Run a Python script; returns what it printed."""
        path = self.folder / f"script_{time.monotonic_ns()}.py"
        path.write_text(textwrap.dedent(text))
        done = subprocess.run(
            [sys.executable, str(path), *arguments], env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def script(self, text: str, *arguments: str) -> dict[str, Any]:
        """Run a Python script that ends by printing a JSON object; returns that."""
        return json.loads(self.run(text, *arguments).strip().splitlines()[-1])


@pytest.fixture
def home(tmp_path: Path, server: ServerProcess) -> Home:
    """A home for scripts that use the shared server."""
    return Home(tmp_path / "home", server)


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[[ServerProcess], Home]:
    """Make a home for scripts that use another server."""
    return lambda server: Home(tmp_path / f"home-{server.port}", server)


class Agent:
    """A real `clearml-agent` daemon."""

    def __init__(self, home: Home, queue: str, *options: str) -> None:
        self.log = home.folder / f"agent-{queue}.log"
        name = f"agent-{queue}-{home.folder.parent.name}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clearml_agent", "daemon", "--queue", queue, "--foreground",
             "--cpu-only", "--create-queue", *options],
            env={**home.environment, "CLEARML_WORKER_ID": name}, cwd=home.folder,
            stdout=self.log.open("w"), stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        """End the daemon and every process it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start_agent(home: Home) -> Iterator[Callable[..., Agent]]:
    """Start agents of a test's own."""
    started: list[Agent] = []

    def start(queue: str, *options: str) -> Agent:
        started.append(Agent(home, queue, *options))
        return started[-1]

    yield start
    for agent in started:
        agent.stop()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Wait until a function returns something true; returns that."""

    def wait(look: Callable[[], Any], seconds: float = 90, every: float = 0.2) -> Any:
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(every)
        return found

    return wait
