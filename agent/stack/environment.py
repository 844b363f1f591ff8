"""The environment of the processes that a stack starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agent.stack.processes import ROLE_MARK, STACK_MARK

# What the user's shell must not pass on: another server's configuration, modules that would
# hide the task's own code, a git hook's repository, a cluster job's rank (an agent with a rank
# doesn't report the end of its tasks). And without bytecode every start of an agent and of a
# task compiles its libraries anew: 0.6 s for the agent, 6 s for torch and transformers.
_DROPPED_PREFIXES = ("CLEARML_", "TRAINS_", "SIGHTLINE_")
_DROPPED = frozenset(
    {
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONDONTWRITEBYTECODE",
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "SLURM_PROCID",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
    }
)
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
POLL_S = "0.5"
"""Seconds between two looks of an agent at its queue, and at the end of its task."""

_CACHES = {"HF_HOME": ".cache/huggingface", "TORCH_HOME": ".cache/torch"}


def base_environment(stack_id: str, role: str) -> dict[str, str]:
    """This process's environment, cleaned and marked.

    Args:
        stack_id: The stack's id.
        role: `server` or the name of an agent.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    kept[STACK_MARK] = stack_id
    kept[ROLE_MARK] = role
    without_proxy(kept)
    return kept


def without_proxy(environment: dict[str, str] | os._Environ[str]) -> None:
    """Have this machine's own addresses reached directly where a proxy is set."""
    if not any(name.lower().endswith("_proxy") for name in environment):
        return
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in environment.get(name, "").split(",") if host]
        missing = [host for host in ("127.0.0.1", "localhost") if host not in hosts]
        environment[name] = ",".join(hosts + missing)


def agent_environment(
    base: Mapping[str, str], *, folder: Path, conf: Path, worker: str, threads: int
) -> dict[str, str]:
    """The environment of an agent, which its tasks inherit.

    Args:
        base: From `base_environment`.
        folder: The agent's own folder, with `home` and `tmp` in it.
        conf: Its `clearml.conf`.
        worker: Its worker id, the same at every start.
        threads: How many threads a numeric library of a task may use.
    """
    environment = dict(base)
    user_home = Path.home()
    for name, place in _CACHES.items():  # weights that the user has fetched already
        if (user_home / place).is_dir():
            environment.setdefault(name, str(user_home / place))
    environment.update(
        HOME=str(folder / "home"),
        TMPDIR=str(folder / "tmp"),
        GIT_CONFIG_GLOBAL=str(folder / "home" / ".gitconfig"),
        GIT_TERMINAL_PROMPT="0",
        CLEARML_CONFIG_FILE=str(conf),
        CLEARML_WORKER_ID=worker,
        CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL="1",
        CLEARML_AGENT_QUEUE_POLL_FREQ_SEC=POLL_S,
        CLEARML_AGENT_STATUS_REPORT_FREQ_SEC="10",
    )
    for name in _THREAD_VARIABLES:
        environment.setdefault(name, str(threads))
    return environment
