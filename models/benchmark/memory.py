"""Resident memory of this process: now, and at most."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_REFERENCES = Path("/proc/self/clear_refs")


def memory_mb() -> float:
    """Resident memory now, MB (10^6 bytes)."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6


def peak_mb() -> float:
    """Most resident memory since the process started or `reset_peak`, MB (10^6 bytes).

    On Linux it is the kernel's `VmHWM`. `ru_maxrss` would not do: a new process inherits it from
    the one that started it (man 2 getrusage).
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / 1e6


def reset_peak() -> None:
    """Forget the peak where the system can (Linux); elsewhere it only ever grows."""
    try:
        _REFERENCES.write_text("5")  # man 5 proc_pid_clear_refs
    except OSError:
        return
