"""A Triton from PyPI: `nvidia-pytriton` carries the server and its Python backend.

It wants numpy below 2, so it gets an environment of its own. Only its server is used.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION = "0.7.0"
_DONE = "installed.json"


@dataclass(frozen=True)
class PyTriton:
    """Where the server lies."""

    server: Path
    backends: Path
    environment: dict[str, str]
    """Variables it needs on top of ours."""


def default_cache() -> Path:
    """Where the environment is kept, unless said otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightline"


def prepare(cache: Path, libraries: Sequence[str], tell: Callable[[str], None]) -> PyTriton:
    """Install the server, unless it is there already.

    Args:
        cache: folder for the environment (about 400 MB).
        libraries: what models need beside numpy, such as onnxruntime.
        tell: told what takes long.

    Raises:
        ValueError: it can't be installed here, and why.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    cache.mkdir(parents=True, exist_ok=True)
    room = cache / f"pytriton-{VERSION}-python{python}"
    with (cache / f".{room.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two of them would install into one folder
        _install(room, libraries, tell)
    packages = room / "lib" / f"python{python}" / "site-packages"
    carried = packages / "pytriton" / "tritonserver"
    backends = room / "backends"
    _lay_out(carried, backends, python)
    shared = [packages / "nvidia_pytriton.libs", Path(sysconfig.get_config_var("LIBDIR") or "/")]
    paths = [*map(str, shared), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(paths),
        # The backend's processes take the packages of the first Python on the path.
        "PATH": os.pathsep.join([str(room / "bin"), os.environ.get("PATH", "")]),
    }
    return PyTriton(carried / "bin" / "tritonserver", backends, environment)


def _install(room: Path, libraries: Sequence[str], tell: Callable[[str], None]) -> None:
    done = room / _DONE
    have: list[str] = json.loads(done.read_text()) if done.is_file() else []
    wanted = [f"nvidia-pytriton=={VERSION}", *libraries]
    missing = [name for name in wanted if name not in have]
    if not missing:
        return
    tell(f"installing {', '.join(missing)} into {room} ...")
    if not have:
        shutil.rmtree(room, ignore_errors=True)  # half an installation
        _command([sys.executable, "-m", "venv", str(room)])
    pip = [str(room / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    # Named together, so that no later library replaces what the server needs.
    _command([*pip, "--disable-pip-version-check", *sorted({*have, *wanted})])
    done.write_text(json.dumps(sorted({*have, *wanted})))


def _command(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise ValueError(
            f"nvidia-pytriton can't be installed here (it needs Linux on x86-64 with glibc 2.35): "
            f"{lines[-1][:300]}"
        )


def _lay_out(carried: Path, backends: Path, python: str) -> None:
    """Put the Python backend and its stub for this Python into one folder, as Triton wants it."""
    stub = carried / "python_backend_stubs" / python / "triton_python_backend_stub"
    if not stub.is_file():
        raise ValueError(f"nvidia-pytriton {VERSION} has no Python backend for Python {python}")
    library = sysconfig.get_config_var("INSTSONAME")
    where = Path(sysconfig.get_config_var("LIBDIR") or "/")
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or not (where / str(library)).is_file():
        raise ValueError(
            f"Triton's Python backend needs Python as a shared library, and {sys.executable} has "
            f"none: use a Python built with --enable-shared, or Docker"
        )
    if not (backends / "python" / stub.name).is_file():
        draft = backends.with_name("backends.part")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(carried / "backends" / "python", draft / "python")
        shutil.copy(stub, draft / "python" / stub.name)
        draft.rename(backends)
