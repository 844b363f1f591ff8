"""`sightline doctor` as users call it: with no server, a broken one, and the local stack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LocalStack, clean_environment, free_port

ROOT = Path(__file__).parents[2]


def doctor(
    environment: dict[str, str], *arguments: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run it; answers the process, and the first finding of each check."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "doctor", "--free-gb", "0", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if "--json" not in arguments:
        return done, {}
    findings: dict[str, Any] = {}
    for found in json.loads(done.stdout):
        findings.setdefault(found["check"], found)
    return done, findings


@pytest.mark.parametrize(
    ("variables", "conf", "said", "advice"),
    [
        ({}, None, "no ClearML server is configured", "sightline up"),
        ({}, "api {\n", "Failed parsing", "clearml-init"),
        ({"CLEARML_CONFIG_FILE": "{home}/none.conf"}, None, "there is no such file", "unset it"),
        ({"CLEARML_API_HOST": "server:8008"}, None, "is no URL", "http://server:8008"),
        ({"CLEARML_API_HOST": "http://127.0.0.1:{port}"}, None, "nothing answers", "start the"),
    ],
)
def test_without_a_server(
    tmp_path: Path, variables: dict[str, str], conf: str | None, said: str, advice: str
) -> None:
    if conf is not None:
        (tmp_path / "clearml.conf").write_text(conf)
    environment = clean_environment() | {"HOME": str(tmp_path)}
    environment |= {"SIGHTLINE_HOME": str(tmp_path / "state"), "SIGHTLINE_CODE": "local"}
    for name, value in variables.items():
        environment[name] = value.format(home=tmp_path, port=free_port())
    done, found = doctor(environment, "--json")
    assert done.returncode == 2
    assert found["server"]["level"] == "error"
    assert said in found["server"]["said"]
    assert advice in found["server"]["advice"]
    # The machine is looked at all the same.
    assert {"code", "python", "packages", "install", "gpu", "disk"} <= set(found)
    assert not (tmp_path / "state").exists()


@pytest.mark.stack
def test_on_the_stack_all_is_well(stack: LocalStack) -> None:
    environment = stack.environment()
    done, found = doctor(environment, "--json")
    wrong = [one for one in found.values() if one["level"] not in ("ok", "skipped")]
    assert (done.returncode, wrong) == (0, []), done.stdout
    assert {"server", "clock", "credentials", "version", "queue services", "files"} <= set(found)

    done, _ = doctor(environment, "--queue", "cpux")
    assert done.returncode == 2
    assert "error    queue cpux: it doesn't exist" in done.stdout
    assert "there is 'cpu'" in done.stdout
    secret = json.loads(stack.home.credentials.read_text())["secret_key"]
    assert secret not in done.stdout + done.stderr


@pytest.mark.stack
def test_a_wrong_key_is_told_before_anything_hangs(stack: LocalStack) -> None:
    wrong = {"CLEARML_API_ACCESS_KEY": "WRONG", "CLEARML_API_SECRET_KEY": "wrong-secret"}
    done, found = doctor(stack.environment(**wrong), "--json")
    assert done.returncode == 2
    assert found["credentials"]["level"] == "error"
    assert found["version, queues, agents, files"]["level"] == "skipped"
    assert "wrong-secret" not in done.stdout + done.stderr
