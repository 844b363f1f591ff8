"""What `agents make` writes: for the queues asked for, from the lock, without a secret."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

from agent.deploy.commands import agents
from agent.deploy.images import EXTRAS, ROOT, UV_VERSION, lock_of
from agent.deploy.locked import locked_for
from agent.deploy.plan import (
    IMAGE_KINDS,
    DeployError,
    Deployment,
    Kind,
    QueuePlan,
    ServerUrls,
    parse_queue,
)
from agent.deploy.writing import write
from agent.doctor.packages import read_lock

SERVER = ServerUrls("http://server:8008", "http://server:8080", "http://server:8081")
PLAN = Deployment(
    SERVER,
    (QueuePlan("cpu", "cpu", 2), QueuePlan("A_100", "gpu", 2), QueuePlan("services", "services")),
    image="registry.example.org/team/agent",
    with_server=True,
    spot=True,
)


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        ("gpu", QueuePlan("gpu", "gpu", 1)),
        ("gpu=3", QueuePlan("gpu", "gpu", 3)),
        ("a100:gpu=4", QueuePlan("a100", "gpu", 4)),
        ("night.jobs:cpu", QueuePlan("night.jobs", "cpu", 1)),
    ],
)
def test_a_queue_is_read(text: str, queue: QueuePlan) -> None:
    assert parse_queue(text) == queue


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a100", "say its kind, as in a100:gpu"),
        ("a100:tpu", "say its kind"),
        ("gpu=0", "between 1 and 64"),
        ("gpu=x", "expected NAME"),
        ("", "expected NAME"),
    ],
)
def test_a_wrong_queue_is_refused(text: str, said: str) -> None:
    with pytest.raises(DeployError, match=re.escape(said)):
        parse_queue(text)


@pytest.mark.parametrize(
    ("api", "web", "files"),
    [
        ("http://server:8008/", "http://server:8080", "http://server:8081"),
        ("https://api.clear.ml", "https://app.clear.ml", "https://files.clear.ml"),
        (
            "https://api.example.org:444",
            "https://app.example.org:444",
            "https://files.example.org:444",
        ),
    ],
)
def test_the_usual_places_are_guessed(api: str, web: str, files: str) -> None:
    assert ServerUrls.guess(api) == ServerUrls(api.rstrip("/"), web, files)
    given = ServerUrls.guess(api, "http://w", "http://f/x")
    assert (given.web, given.files) == ("http://w", "http://f/x")


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ("server:8008", "expected a URL"),
        ("http://127.0.0.1:8008", "agents elsewhere can't reach this machine"),
        ("https://me:secret@server:8008", "holds a password"),
        ("https://clearml.example.org", "--web is needed"),
    ],
)
def test_a_wrong_server_is_refused(api: str, said: str) -> None:
    with pytest.raises(DeployError, match=said):
        ServerUrls.guess(api)


def test_names_that_fall_together_are_refused() -> None:
    with pytest.raises(DeployError, match="two agents would be called a-100"):
        Deployment(SERVER, (QueuePlan("a_100", "gpu"), QueuePlan("A-100", "gpu")))


# The lock of an image.


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_an_image_has_all_that_its_packages_need_and_nothing_of_the_tests(kind: Kind) -> None:
    """The installed packages' own metadata says what they need; the cut must be closed under it."""
    lock = lock_of(kind)
    whole = (ROOT / "requirements.lock").read_text()
    assert all(line in whole for line in lock.splitlines())
    packages = read_lock(lock)
    needed = {f"sightline[{extra}]" for extra in EXTRAS[kind]}
    for requirement in (*needed, *packages):
        for text in metadata.requires(Requirement(requirement).name) or []:
            wanted = Requirement(text)
            extras = Requirement(requirement).extras or {""}
            if any(wanted.marker is None or wanted.marker.evaluate({"extra": e}) for e in extras):
                name = re.sub(r"[-_.]+", "-", wanted.name).lower()
                assert name in packages, f"{requirement} needs {wanted}"
    assert {"clearml", "clearml-agent"} <= set(packages)
    assert not {"pytest", "selenium", "moto", "mypy"} & set(packages)
    assert ("torch" in packages) == (kind != "services")
    assert lock.count("--hash=sha256:") >= len(packages)


def test_an_extra_that_isn_t_there() -> None:
    project = '[project]\ndependencies = ["a>=1"]\n[project.optional-dependencies]\nx = ["B_c"]\n'
    with pytest.raises(DeployError, match="there is no extra 'y'; there are: x"):
        locked_for("", project, ["y"])
    with pytest.raises(DeployError, match=r"requirements\.lock has no b-c: make lock"):
        locked_for("a==1 \\\n    --hash=sha256:00\n", project, ["x"])


def test_uv_is_the_makefile_s() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"UV_VERSION := (\S+)", makefile)[1] == UV_VERSION  # type: ignore[index]


# The files.


def test_a_dockerfile_copies_what_is_there(tmp_path: Path) -> None:
    write("docker", PLAN, tmp_path)
    for kind in IMAGE_KINDS:
        text = (tmp_path / f"{kind}.Dockerfile").read_text()
        copied = [
            name for line in re.findall(r"(?m)^COPY (.+) \S+$", text) for name in line.split()
        ]
        assert copied
        assert all((tmp_path / name).is_file() for name in copied)
        assert f"FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim" in text
        assert "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL=1" in text
        assert ("NVIDIA_VISIBLE_DEVICES" in text) == (kind == "gpu")
    for script in ("install.sh", "start.sh"):
        subprocess.run(["sh", "-n", str(tmp_path / script)], check=True)


def test_each_gpu_has_an_agent_of_its_own(tmp_path: Path) -> None:
    write("compose", PLAN, tmp_path)
    services = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]
    assert {"agent-cpu-1", "agent-cpu-2", "agent-a-100-1", "agent-a-100-2", "agent-services"} == {
        name for name in services if name.startswith("agent-")
    }
    devices = [
        services[f"agent-a-100-{number}"]["deploy"]["resources"]["reservations"]["devices"][0]
        for number in (1, 2)
    ]
    assert [device["device_ids"] for device in devices] == [["0"], ["1"]]
    assert services["agent-a-100-1"]["environment"]["SIGHTLINE_QUEUES"] == "A_100"
    assert services["agent-a-100-1"]["image"] == "registry.example.org/team/agent-gpu:latest"
    assert {"apiserver", "webserver", "fileserver", "mongo", "redis", "elasticsearch"} < set(
        services
    )

    write("systemd", PLAN, tmp_path)
    unit = (tmp_path / "sightline-agent-a-100-2.service").read_text()
    assert 'Environment="SIGHTLINE_GPUS=1"' in unit
    assert 'Environment="CLEARML_WORKER_ID=%H:a-100-2"' in unit


@pytest.mark.parametrize("kind", ["docker", "compose", "helm", "systemd"])
def test_no_file_holds_a_secret(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the environment of whoever writes them has the keys."""
    secrets = {
        "CLEARML_API_ACCESS_KEY": "ACCESS123",
        "CLEARML_API_SECRET_KEY": "SECRET456",
        "CLEARML_AGENT_GIT_PASS": "TOKEN789",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for path in write(kind, PLAN, tmp_path):
        text = path.read_text()
        assert not any(value in text for value in secrets.values())
        # A variable of that name is empty, or a reference.
        for name in secrets:
            assert not re.search(rf"{name}[=:][ \t]*[^\s$]", text), path


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(agents, ["make", *arguments])
        return done.exit_code, done.output

    code, said = make("helm", str(tmp_path), "--server", "http://server:8008", "--queue", "a:gpu=2")
    assert code == 0
    assert said.splitlines() == [
        f"{tmp_path}/values-a.yaml",
        "install each with the lines at its head",
    ]

    monkeypatch.setenv("CLEARML_API_HOST", "https://api.example.org")
    code, said = make("compose", str(tmp_path), "--queue", "cpu")
    assert code == 0
    assert "https://files.example.org" in (tmp_path / "compose.yaml").read_text()

    for arguments, expected in (
        (["helm", str(tmp_path), "--server", "nowhere"], "Error: --server nowhere: expected a URL"),
        (["helm", str(tmp_path / "values-a.yaml")], "Error: "),
        (["compose", str(tmp_path), "--queue", "x"], "Error: --queue x: say its kind"),
        (["tar", str(tmp_path)], "Invalid value for"),
    ):
        code, said = make(*arguments)
        assert code != 0
        assert expected in said
    monkeypatch.setenv("CLEARML_API_HOST", "http://127.0.0.1:8008")
    code, said = make("compose", str(tmp_path))
    assert "Error: the server of a run from here is this machine's own" in said
