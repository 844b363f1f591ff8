"""What the doctor finds out about a machine, with the thing itself broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from agent.doctor.findings import Finding, Level, error, exit_code, ok, skipped, warning
from agent.doctor.machine import check_disks, check_gpu, check_python
from agent.doctor.packages import check_packages, read_lock

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a", ""), skipped("b", "")], 0),
        ([ok("a", ""), warning("b", "", "")], 1),
        ([warning("a", "", ""), error("b", "", ""), ok("c", "")], 2),
    ],
)
def test_the_worst_finding_is_the_exit_code(findings: list[Finding], code: int) -> None:
    assert exit_code(findings) == code


# Disks.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk needs root, and a system that lets it mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_and_a_full_one(small_disk: Path) -> None:
    (found,) = check_disks({"the cache": small_disk})
    assert found.level is Level.ERROR
    assert "0.0 of 0.0 GB free for the cache" in found.said

    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(b"0" * 4096)
    (found,) = check_disks({"the cache": small_disk})
    assert (found.level, found.check) == (Level.ERROR, "disk")
    assert "No space left" in found.said


def test_folders_on_one_disk_are_one_line_and_needn_t_exist(tmp_path: Path) -> None:
    places = {"the cache": tmp_path / "not" / "yet", "temporary files": tmp_path}
    free = os.statvfs(tmp_path)
    gb = free.f_bavail * free.f_frsize / 1e9
    for least, wanted, level in (
        (0, gb / 2, Level.OK),
        (gb / 2, gb * 2, Level.WARNING),
        (gb * 2, gb * 3, Level.ERROR),
    ):
        (found,) = check_disks(places, least, wanted)
        assert found.level is level
        assert "for the cache, temporary files" in found.said


def test_a_folder_that_can_t_be_written() -> None:
    (found,) = check_disks({"the cache": Path("/proc/sightline")})
    assert found.level is Level.ERROR
    assert "/proc" in found.said


# GPUs.


def nvidia_smi(folder: Path, script: str) -> str:
    """A PATH with such a program first."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'NVIDIA-SMI has failed to talk to the driver' >&2; exit 9", "has failed to talk"),
        ("exit 0", "no GPU is listed"),
    ],
)
def test_a_broken_driver(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", nvidia_smi(tmp_path, script))
    found = check_gpu()
    assert found.level is Level.ERROR
    assert said in found.said
    assert found.advice


def test_a_gpu_that_pytorch_can_t_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = tmp_path / "torch"  # the real one takes seconds, and says the same without a GPU
    torch.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", nvidia_smi(tmp_path, "echo 'H200, 143771 MiB, 580.1'"))
    for source, level, said in (
        ("class cuda: is_available = lambda: True\n{v}", Level.OK, "uses it"),
        ("class cuda: is_available = lambda: False\n{v}", Level.ERROR, "wants CUDA 13.0"),
        ("class cuda: is_available = lambda: False\n{none}", Level.WARNING, "built for CPUs"),
        ("raise ImportError('libcudart.so is missing')", Level.ERROR, "libcudart.so is missing"),
    ):
        version = "__version__ = '2.15'\nclass version: cuda = "
        text = source.format(v=f"{version}'13.0'", none=f"{version}None")
        (torch / "__init__.py").write_text(text + "\n")
        found = check_gpu()
        assert (found.level, said in found.said) == (level, True), found
        assert "H200, 143771 MiB" in found.said


# Packages.


def test_the_checkout_s_own_lock_is_kept() -> None:
    findings = check_packages(ROOT / "requirements.lock")
    assert [finding.check for finding in findings] == ["packages", "install"]
    assert check_python().level is Level.OK


def test_a_wrong_version_is_named_and_others_are_not(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    here = metadata.version("click")
    lock.write_text(
        f"click==0.0.1 \\\n    --hash=sha256:00\n    # via sightline\n"
        f"Requests=={metadata.version('requests')}\n"
        "never-installed==1.0\n"
        "numpy==0.1 ; python_version < '3'\n"
    )
    found = check_packages(lock)[0]
    assert found.level is Level.WARNING
    assert found.said == f"1 differ from the lock: click {here} (lock: 0.0.1)"


def test_versions_are_compared_as_pip_does(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"click=={metadata.version('click')}.0\nrich=={metadata.version('rich')}+cpu\n")
    assert check_packages(lock)[0].level is Level.OK


def test_a_lock_is_read_for_this_machine() -> None:
    text = (
        "a==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        f"b_c==2 ; sys_platform == '{sys.platform}'\n"
        "# d==3\n"
        "    # e==4\n"
    )
    assert read_lock(text) == {"b-c": "2"}


def test_no_lock_no_verdict(tmp_path: Path) -> None:
    (found,) = check_packages(tmp_path / "none")
    assert found.level is Level.SKIPPED
