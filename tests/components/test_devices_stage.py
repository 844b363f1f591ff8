"""`devices=2` on a CPU: the train stage as two processes that share the data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.models.detection.conftest import write_shapes

ROOT = Path(__file__).parents[2]
NETWORK = {
    "backbone": "test_resnet",
    "image_size": 64,
    "levels": 2,
    "hidden_width": 32,
    "decoder_layers": 2,
    "queries": 10,
    "denoising_queries": 8,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"train": 22, "val": 8}
    folder = write_shapes(tmp_path_factory.mktemp("shapes") / "data", sizes)
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**content, "pictures": sizes}))
    return folder


def start(
    dataset: Path, out: Path, *more: str, launcher: tuple[str, ...] = (), **options: object
) -> subprocess.Popen[str]:
    given = {"epochs": 2, "batch_size": 4, "precision": "float32", "device": "cpu", **options}
    network = [f"network.{name}={value}" for name, value in NETWORK.items()]
    command = [sys.executable, "-m", *launcher, "components.train", "--local", str(out)]
    return subprocess.Popen(
        [
            *command,
            *(f"dataset={dataset}", "samples.count=0", "threads=1", *network, *more),
            *(f"{name}={value}" for name, value in given.items()),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def words_of(process: psutil.Process) -> list[str]:
    """The command line of a process; nothing once it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def companions(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until the further process is there, and training in it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        found = [one for one in children if "models.training.companions" in words_of(one)]
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no companion came: {process.stdout and process.stdout.read()}")


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=60)[1]


TORCHRUN = ("torch.distributed.run", "--nproc-per-node=2", "-m", "--")


@pytest.mark.parametrize("launcher", [(), pytest.param(TORCHRUN, marks=pytest.mark.slow)])
def test_two_processes_share_the_data_and_one_speaks(
    dataset: Path, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    more = {} if launcher else {"devices": 2}
    process = start(dataset, tmp_path, launcher=launcher, **more)
    others = [] if launcher else companions(process)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    # 22 pictures, two shares of 11: three batches of 4 in each of two epochs.
    assert said.count("for 6 steps on 2 x cpu") == 1, said
    assert said.count("epoch 2/2 |") == 1
    assert "Fatal Python error" not in said
    assert gone(others)
    assert len(list(tmp_path.rglob("model.json"))) == 1


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_spares_the_loader_processes(dataset: Path, tmp_path: Path) -> None:
    process = start(dataset, tmp_path, workers=2, epochs=5000)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert list(tmp_path.rglob("model.json")), said
    assert "Traceback" not in said


@pytest.mark.slow
def test_ctrl_c_ends_both_with_the_best_so_far(dataset: Path, tmp_path: Path) -> None:
    process = start(dataset, tmp_path, devices=2, epochs=5000)
    others = companions(process)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/" in line:
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert list(tmp_path.rglob("model.json")), said
    assert gone(others)


@pytest.mark.slow
def test_a_killed_stage_takes_its_companion_along(dataset: Path, tmp_path: Path) -> None:
    process = start(dataset, tmp_path, devices=2, epochs=5000)
    others = companions(process)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdout.close()
    assert gone(others)


@pytest.mark.slow
def test_a_killed_companion_ends_the_stage(dataset: Path, tmp_path: Path) -> None:
    process = start(dataset, tmp_path, devices=2, epochs=5000)
    (other,) = companions(process)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    other.kill()
    process.communicate(timeout=120)
    assert process.returncode not in (0, None)
