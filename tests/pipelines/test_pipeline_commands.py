from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main

ROOT = Path(__file__).parents[2]


def test_help_loads_nothing_heavy_and_lists_every_command() -> None:
    code = (
        "import sys; from pipelines.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'clearml', 'pydantic', 'numpy', 'rich', 'requests', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for command in ("run", "watch", "stop", "resume", "stage", "up", "status", "logs", "down"):
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "pipeline=data", "sed=3"], "unknown parameter 'sed', did you mean 'seed'?"),
        (["run", "nothing.yaml"], "nothing.yaml: No such file or directory"),
        (["run", "configs/demo.yaml", "epochs"], "'epochs' isn't KEY=VALUE"),
        (["run"], "pipeline is needed"),
        (["stage"], "name a stage: ingest, prepare"),
        (["stage", "trian"], "no stage 'trian'"),
    ],
)
def test_a_mistake_gets_a_line(arguments: list[str], line: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code != 0
    assert line in done.output
    assert "Traceback" not in done.output


NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("arguments", "server"),
    [
        (["run", "pipeline=data"], ""),
        (["trigger", "list"], ""),
        (["predict", "barcodes", "photo.jpg"], ""),
        (["stop", "demo"], NOBODY),
    ],
)
def test_without_a_server_it_says_what_to_do(
    tmp_path: Path, arguments: list[str], server: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLEARML_")}
    environment |= {"HOME": str(tmp_path), "SIGHTLINE_HOME": str(tmp_path / "s")}
    if server:
        keys = {"CLEARML_API_ACCESS_KEY": "key", "CLEARML_API_SECRET_KEY": "secret"}
        environment |= {"CLEARML_API_HOST": server, **keys}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "start one with 'sightline up'" in line
    assert not server or f"{server} doesn't answer" in line


def test_a_stage_has_the_same_options_as_its_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "stage", "prepare", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python -m components.prepare" in done.stdout
    assert "split.ratios" in done.stdout
