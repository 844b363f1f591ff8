"""What a benchmark ran on: without it a latency says nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.package.libraries import library_versions

_FLAGS = (
    *("avx", "avx2", "avx_vnni", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni"),
    *("amx_bf16", "amx_int8", "amx_fp16", "f16c", "fma"),
    *("asimd", "asimddp", "bf16", "i8mm", "sve"),  # Arm's
)
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_BLOCKTIME")


class Hardware(BaseModel):
    """A machine and what is installed on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cpu: str
    """Model of the processor."""
    cores: int
    """Physical cores."""
    usable: float
    """Cores that this process may use: its affinity and the container's limit."""
    flags: tuple[str, ...]
    """The processor's instruction sets that matter for networks."""
    memory_gb: float
    """Main memory, 10^9 bytes."""
    gpus: tuple[str, ...]
    """Name, memory and driver of each GPU that the driver shows."""
    os: str
    versions: dict[str, str]
    """Version by distribution."""
    environment: dict[str, str]
    """Environment variables that set numbers of threads."""
    load: float
    """Processes that wanted a core when it began, mean of the last minute."""

    @property
    def has_bfloat16(self) -> bool:
        """Whether the processor has instructions for bfloat16, or there is a GPU."""
        return bool(_BFLOAT16 & set(self.flags)) or bool(self.gpus)

    def differences(self, other: Hardware) -> list[str]:
        """Name what makes latencies on the two incomparable; versions of libraries don't."""
        names = ("cpu", "usable", "flags", "gpus", "environment")
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def hardware() -> Hardware:
    """Look at this machine."""
    import psutil

    model, flags = _processor()
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = 0.0
    return Hardware(
        cpu=model,
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        usable=_usable(),
        flags=tuple(flag for flag in _FLAGS if flag in flags),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpus=_gpus(),
        os=f"{platform.platform()}",
        versions=library_versions(),
        environment={name: os.environ[name] for name in _THREADS if name in os.environ},
        load=round(load, 2),
    )


def _processor() -> tuple[str, set[str]]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine(), set()
    fields: dict[str, str] = {}
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    family = ", ".join(
        f"{name} {fields[name]}" for name in ("cpu family", "model") if fields.get(name)
    )
    # Clouds shorten the name ("AMD EPYC"): family and model tell generations apart.
    name = fields.get("model name") or platform.machine()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return f"{name} ({family})" if family else name, flags


def _usable() -> float:
    try:
        count = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS or Windows
        count = float(os.cpu_count() or 1)
    limit = Path("/sys/fs/cgroup/cpu.max")
    try:
        quota, period = limit.read_text().split()
        return count if quota == "max" else min(count, round(int(quota) / int(period), 2))
    except (OSError, ValueError):
        return count


def _gpus() -> tuple[str, ...]:
    return tuple(_ask_driver("name,memory.total,driver_version"))


def gpu_memory_mb() -> float | None:
    """Memory in use on all GPUs together, MB (10^6 bytes); None without a GPU."""
    lines = _ask_driver("memory.used", "nounits")
    try:
        return sum(float(line) for line in lines) * (1 << 20) / 1e6 if lines else None
    except ValueError:  # "[N/A]", as where memory is shared with the processor
        return None


def _ask_driver(fields: str, *form: str) -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    words = [tool, f"--query-gpu={fields}", f"--format={','.join(('csv', 'noheader', *form))}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return [line.strip() for line in lines if line.strip()]
