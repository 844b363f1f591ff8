"""The agents of a stack: which there are, and how one is started and cleared away."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent.stack import processes
from agent.stack.configuration import agent_configuration, git_configuration
from agent.stack.credentials import Credentials
from agent.stack.environment import agent_environment, base_environment
from agent.stack.errors import StackError
from agent.stack.home import StackHome, disk_errors, write_private
from agent.stack.state import AgentRecord, StackState

CPU_QUEUE, GPU_QUEUE, SERVICES_QUEUE = "cpu", "gpu", "services"
DEFAULT_AGENTS: Mapping[str, int] = {CPU_QUEUE: 1, GPU_QUEUE: 1, SERVICES_QUEUE: 1}

# The sockets of multiprocessing lie in TMPDIR, and a socket's path has 108 bytes.
_LONGEST_ROOT = 48
_DAEMON_LOG = ".clearml_agent_daemon_out*"


@dataclass(frozen=True)
class AgentPlan:
    """An agent that a stack should have.

    Attributes:
        name: Its name in the stack: the queue's, from the second on with a number.
        queue: The queue that it serves.
        gpus: Indices of the NVIDIA GPUs that it hands to its tasks; empty for none.
        threads: Threads that a numeric library of its tasks may use.
    """

    name: str
    queue: str
    gpus: tuple[str, ...]
    threads: int

    @property
    def worker(self) -> str:
        """The worker id on the server, the same at every start."""
        return f"{host_name()}:{self.name}"


def plan_agents(
    counts: Mapping[str, int] | None = None,
    *,
    gpus: Sequence[str] | None = None,
    cores: int | None = None,
) -> tuple[AgentPlan, ...]:
    """Which agents a stack has: one a queue, unless told otherwise.

    GPUs go round robin to the agents of the queue `gpu`. The threads of the machine are shared
    by the agents of `cpu` and by those of `gpu`, not between the two: a pipeline keeps one of
    them busy at a time. Controllers wait most of their time, so `services` gets one thread.

    Args:
        counts: Agents by queue; queues left out keep one agent each.
        gpus: NVIDIA GPUs; looked for if None.
        cores: Processor cores that may be used; looked up if None.

    Raises:
        StackError: A count or a queue's name isn't one.
    """
    wanted = {**DEFAULT_AGENTS, **(counts or {})}
    gpus = find_gpus() if gpus is None else gpus
    cores = usable_cores() if cores is None else cores
    plans = []
    for queue, count in wanted.items():
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", queue):
            raise StackError(f"{queue!r} can't name a queue here; use letters, digits, _ . -")
        if not 0 <= count <= 64:
            raise StackError(f"{queue}={count}: between 0 and 64 agents can serve a queue")
        for index in range(count):
            own_gpus = tuple(gpus[index::count]) if queue == GPU_QUEUE else ()
            if queue == GPU_QUEUE and gpus and not own_gpus:
                own_gpus = (gpus[index % len(gpus)],)
            plans.append(
                AgentPlan(
                    name=queue if index == 0 else f"{queue}-{index + 1}",
                    queue=queue,
                    gpus=own_gpus,
                    threads=1 if queue == SERVICES_QUEUE else max(1, cores // count),
                )
            )
    return tuple(plans)


def find_gpus() -> tuple[str, ...]:
    """Indices of the NVIDIA GPUs that this user may use, without loading a GPU library."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [part.strip() for part in visible.split(",")]
        return tuple(part for part in named if part and part not in ("-1", "none"))
    devices = [re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*")]
    found = sorted((match[1] for match in devices if match), key=int)
    if not found and shutil.which("nvidia-smi"):  # no device files: Windows' Linux subsystem
        try:
            listed = subprocess.run(
                ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True
            )
            found = re.findall(r"(?m)^GPU (\d+):", listed.stdout)
        except (OSError, subprocess.SubprocessError):
            pass  # no driver behind it
    return tuple(found)


def usable_cores() -> int:
    """Processor cores that this process may use, a container's quota included."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no cgroup, or no limit ("max")
    return cores


def host_name() -> str:
    """The short name of this machine, as it is used in worker ids."""
    return re.sub(r"[^\w.-]", "-", platform.node().split(".")[0]) or "localhost"


def agent_folder(home: StackHome, state: StackState, name: str) -> Path:
    """The agent's own folder, under a path that the agent can live with."""
    return _plain_root(home, state) / home.agents.name / name


def _plain_root(home: StackHome, state: StackState) -> Path:
    """The state folder, under a path that is short and has no white space.

    The agent refuses white space, and sockets refuse length; such a folder is reached through a
    link in the system's folder for temporary files.
    """
    if len(os.fsencode(home.root)) <= _LONGEST_ROOT and not re.search(r"\s", str(home.root)):
        return home.root
    link = _link(state)
    with disk_errors(link.parent):
        link.parent.mkdir(mode=0o700, exist_ok=True)
        if link.parent.is_symlink() or link.parent.lstat().st_uid != os.getuid():
            raise StackError(f"{link.parent} belongs to somebody else; delete it, or set TMPDIR")
        link.parent.chmod(0o700)
        if not link.is_symlink() or link.readlink() != home.root:
            link.unlink(missing_ok=True)
            link.symlink_to(home.root, target_is_directory=True)
    return link


def _link(state: StackState) -> Path:
    return Path(tempfile.gettempdir()) / f"sightline-{os.getuid()}" / state.id


def remove_link(state: StackState) -> None:
    """Remove the link to the state folder, if there is one: no agent needs it any more."""
    with contextlib.suppress(OSError):
        _link(state).unlink()


def start_agent(
    home: StackHome, state: StackState, credentials: Credentials, plan: AgentPlan
) -> AgentRecord:
    """Start one agent; it registers with the server a second or two later.

    Args:
        home: The stack.
        state: Its state, with a port.
        credentials: The server's.
        plan: The agent.
    """
    folder = agent_folder(home, state, plan.name)
    cache = _plain_root(home, state) / home.cache.name
    conf = folder / "clearml.conf"
    with disk_errors(home.root):
        for part in (folder, folder / "home", folder / "tmp"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_leftovers(state, plan.name, folder / "tmp")
    user_config = Path.home() / ".gitconfig"
    write_private(
        folder / "home" / ".gitconfig",
        git_configuration(user_config if user_config.exists() else None),
    )
    write_private(
        conf,
        agent_configuration(
            state.url,
            credentials,
            cache / "clearml",
            folder=folder,
            vcs_cache=cache / "repositories",
            host=host_name(),
        ),
    )
    kind = ["--gpus", ",".join(plan.gpus)] if plan.gpus else ["--cpu-only"]
    if plan.queue == SERVICES_QUEUE:
        kind = ["--services-mode", "--cpu-only"]
    command = [sys.executable, "-m", "clearml_agent", "--config-file", str(conf)]
    process = processes.launch(
        [*command, "daemon", "--queue", plan.queue, *kind],
        agent_environment(
            base_environment(state.id, plan.name),
            folder=folder,
            conf=conf,
            worker=plan.worker,
            threads=plan.threads,
        ),
        folder,
        home.logs / f"{plan.name}.start.log",
    )
    return AgentRecord(plan.name, plan.queue, plan.worker, plan.gpus, process)


def _clear_leftovers(state: StackState, name: str, temporary: Path) -> None:
    """Remove what an agent that was killed left: slots, lock, configurations, logs.

    What belongs to a process that still runs stays: a pipeline's controller survives its agent.
    """
    with disk_errors(temporary):
        (temporary / "_.clearmlagent_global.lock").unlink(missing_ok=True)
        for slot in temporary.glob(".clearmlagent_*.tmp"):
            pid = slot.name.split("_")[1]
            if not (pid.isdigit() and psutil.pid_exists(int(pid))):
                slot.unlink(missing_ok=True)
        for log in temporary.glob(_DAEMON_LOG):
            log.unlink(missing_ok=True)
        if not processes.marked(state.id, name):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(mode=0o700, exist_ok=True)


def daemon_log(folder: Path) -> Path | None:
    """The file that a running agent prints to, the newest if there are several."""
    logs = sorted((folder / "tmp").glob(_DAEMON_LOG), key=lambda log: log.stat().st_mtime)
    return logs[-1] if logs else None


def keep_log(home: StackHome, folder: Path, name: str, patience_s: float = 5.0) -> None:
    """Give the file that an agent prints to a lasting name, `logs/<agent>.log`.

    The agent prints to a temporary file, and deletes it at its end. (In its foreground mode it
    would print to us, but add two lines about an empty queue every second.)
    """
    deadline = time.monotonic() + patience_s
    while (live := daemon_log(folder)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if live is None:
        return
    lasting = home.logs / f"{name}.log"
    with disk_errors(home.logs):
        if lasting.is_symlink() or not lasting.exists():
            lasting.unlink(missing_ok=True)
        elif lasting.samefile(live):
            return
        else:
            processes.rotate(lasting, limit_bytes=-1)
        try:
            lasting.hardlink_to(live)
        except OSError:  # a file system without hard links: readable while the agent runs
            lasting.symlink_to(live)


def check_installed() -> None:
    """See that the agent and git are there before anything is started.

    Raises:
        StackError: One of them is missing.
    """
    import importlib.util

    if importlib.util.find_spec("clearml_agent") is None:
        raise StackError(
            f"{sys.executable} has no clearml-agent; "
            f"install it with: {sys.executable} -m pip install 'sightline[stack]'"
        )
    if shutil.which("git") is None:
        raise StackError("git isn't installed, and agents fetch the code of a task with it")
