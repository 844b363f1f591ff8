"""This machine: GPUs, disks, Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.doctor.findings import Finding, error, ok, warning
from agent.stack.agents import find_gpus

_QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_TORCH = """
import torch
print(torch.__version__, torch.cuda.is_available(), torch.version.cuda, sep="|")
"""
OLDEST_PYTHON = (3, 11)


def check_python() -> Finding:
    """See whether this interpreter is new enough, and whether it is a project's own."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON:
        wanted = ".".join(str(part) for part in OLDEST_PYTHON)
        return error("python", f"{version} ({sys.executable})", f"install Python {wanted} or newer")
    return ok("python", f"{version} ({sys.executable})")


def check_gpu(timeout_s: float = 60.0) -> Finding:
    """Ask the driver for GPUs, and PyTorch whether it can use them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        if find_gpus():
            said = "device files of NVIDIA are here, but nvidia-smi isn't"
            return warning(
                "gpu", said, "install NVIDIA's driver; in a container run it with --gpus all"
            )
        return ok("gpu", "no NVIDIA GPU; training takes the CPU")
    try:
        asked = subprocess.run(
            [program, *_QUERY], capture_output=True, text=True, timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return error("gpu", f"nvidia-smi: {problem}", "see to NVIDIA's driver (dmesg tells more)")
    lines = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    if asked.returncode or not lines:
        said = (asked.stderr.strip() or asked.stdout.strip() or "no GPU is listed").split("\n")[0]
        return error("gpu", f"nvidia-smi: {said}", "install NVIDIA's driver anew, or restart")
    gpus = "; ".join(lines)
    return _with_torch(gpus, timeout_s)


def _with_torch(gpus: str, timeout_s: float) -> Finding:
    # In a process of its own: it takes seconds, and a broken driver may end the process.
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        said = f"{gpus}; PyTorch doesn't come up within {timeout_s:g} s"
        return warning("gpu", said, "see whether the GPU hangs: nvidia-smi, dmesg")
    if asked.returncode:
        if "No module named 'torch'" in asked.stderr:
            return warning(
                "gpu", f"{gpus}; PyTorch isn't installed", 'pip install "sightline[train]"'
            )
        said = f"{gpus}; PyTorch doesn't load: {asked.stderr.strip().split(chr(10))[-1]}"
        return error("gpu", said, "install the locked packages anew: make install")
    version, usable, built_for = asked.stdout.strip().split("|")
    if usable == "True":
        return ok("gpu", f"{gpus}; PyTorch {version} uses it")
    if built_for == "None":
        return warning("gpu", f"{gpus}; PyTorch {version} is built for CPUs", "make install")
    said = f"{gpus}; PyTorch {version} wants CUDA {built_for} and can't use it"
    return error("gpu", said, "bring NVIDIA's driver up to date, or unset CUDA_VISIBLE_DEVICES")


def check_disks(
    places: Mapping[str, Path], least_gb: float = 2.0, wanted_gb: float = 10.0
) -> list[Finding]:
    """See whether there is room, one line for each disk.

    Args:
        places: Folders, by what they are for; they needn't exist.
        least_gb: Under so many GB free nothing can be expected to run.
        wanted_gb: Under so many a training with its data may not fit.
    """
    disks: dict[int, tuple[Path, list[str]]] = {}
    findings = []
    for use, place in places.items():
        folder = next(one for one in (place, *place.absolute().parents) if one.exists())
        try:
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"0" * 65536)
                probe.flush()
        except OSError as problem:
            said = f"{use} ({folder}) can't be written: {problem.strerror or problem}"
            findings.append(error("disk", said, "free some space, or see to the folder's rights"))
            continue
        disks.setdefault(folder.stat().st_dev, (folder, []))[1].append(use)
    for folder, uses in disks.values():
        room = shutil.disk_usage(folder)
        free = f"{room.free / 1e9:.1f} of {room.total / 1e9:.1f} GB free"
        said = f"{free} for {', '.join(uses)} ({folder})"
        if room.free < least_gb * 1e9:
            findings.append(error("disk", said, f"free at least {least_gb:g} GB"))
        elif room.free < wanted_gb * 1e9:
            advice = f"{wanted_gb:g} GB are good to have; `sightline down` and old caches free some"
            findings.append(warning("disk", said, advice))
        else:
            findings.append(ok("disk", said))
    return findings
