"""Several processes, on one machine or on several, that train one model together.

The first process is the stage. The others on its machine know neither options nor data, and never
the outside: they are told what to train, and report to nobody. On each further machine one process
has fetched the data itself, and tells its own companions.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.families import family
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.nodes import ALONE, Node
from models.training.options import TrainingOptions

_GRACE = 20.0
"""Seconds that a companion has to end by itself once training is over."""
_RESUME = "resume.ckpt"
"""The first machine's checkpoint on each of the others."""
_NAMES = (
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK"),
    *("MASTER_ADDR", "MASTER_PORT"),
)


@contextlib.contextmanager
def together(
    name: str,
    dataset: Path,
    options: TrainingOptions,
    checkpoints: Checkpoints,
    node: Node = ALONE,
) -> Iterator[Checkpoints]:
    """Let other processes train along in what runs inside.

    With `devices` above 1 they are started here; under torchrun they are there and wait in
    `follow`. They end with this process, however it ends. On each of several machines one process
    calls this, and all meet at the first one's address.

    Args:
        name: of the task family.
        dataset: the dataset folder.
        options: of the training.
        checkpoints: their folder and the checkpoint to go on from; on machines but the first only
            the folder counts.
        node: this machine's place among several.

    Yields:
        The checkpoints to train with: on all machines those of the first.

    Raises:
        ValueError: there are fewer GPUs than `devices`.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not launched and options.devices == 1 and node.count == 1:
        yield checkpoints
        return
    before = {variable: os.environ.get(variable) for variable in _NAMES}
    started: list[subprocess.Popen[bytes]] = []
    try:
        if not launched:
            _check_devices(options)
            started = _start(options.devices, node)
        _join(options.device)
        order = _share(
            {
                "family": name,
                "dataset": str(dataset),
                "options": options.model_dump(mode="json"),
                "folder": str(checkpoints.folder),
                "resume": str(checkpoints.resume) if checkpoints.resume else None,
            }
        )
        yield replace(checkpoints, resume=_path(order["resume"]))
        for one in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(_GRACE)
    finally:
        for one in started:
            one.kill()
            one.wait()
        _leave()
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def follow() -> None:
    """Train along with the first process, as it says."""
    _join(None)
    order = _share(None)
    found = family(order["family"])
    place = Checkpoints(Path(order["folder"]), _path(order["resume"]), lambda _: None)
    options = found.train_options.model_validate(order["options"])
    found.train(Path(order["dataset"]), options, place, Silence())
    _leave()


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _check_devices(options: TrainingOptions) -> None:
    import torch

    have = torch.cuda.device_count()
    if options.device != "cpu" and have and have < options.devices:
        raise ValueError(f"devices={options.devices}, but this machine shows {have} GPUs")


def _start(count: int, node: Node) -> list[subprocess.Popen[bytes]]:
    """Start the companions; each ends when the pipe to it closes, so with this process."""
    address, port = node.address or "127.0.0.1", node.port or _free_port()
    common = {"WORLD_SIZE": str(count * node.count), "LOCAL_WORLD_SIZE": str(count)}
    common |= {"MASTER_ADDR": address, "MASTER_PORT": str(port), "NODE_RANK": str(node.rank)}
    first = node.rank * count
    os.environ.update(common, RANK=str(first), LOCAL_RANK="0")
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return [
        subprocess.Popen(
            [sys.executable, "-m", "models.training.companions"],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the first process, which tells the others
            env={
                **os.environ,
                "RANK": str(first + local),
                "LOCAL_RANK": str(local),
                "PYTHONPATH": path,
            },
        )
        for local in range(1, count)
    ]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _join(device: str | None) -> None:
    import torch

    cuda = torch.cuda.is_available() and device != "cpu"
    if not torch.distributed.is_initialized():
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        # All name the same backends, and a companion doesn't know yet whether GPUs are wanted.
        several = torch.cuda.is_available() and torch.distributed.is_nccl_available()
        torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if several else "gloo")


def _share(order: dict[str, Any] | None) -> dict[str, Any]:
    """Tell the companions on this machine what to train, and bring the checkpoint to all machines.

    Args:
        order: what this machine trains; None for a companion, which learns it.
    """
    import torch

    orders: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(orders, order)
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    leader = rank - rank % local
    # torchrun's processes on a further machine have no order of their own, and share the disk.
    found: dict[str, Any] = dict(orders[leader] or orders[0])
    if any(one is not None for one in orders[1:]):
        found["resume"] = _checkpoint_from_first(orders[0]["resume"], found, rank, leader)
    return found


def _checkpoint_from_first(
    resume: str | None, order: dict[str, Any], rank: int, leader: int
) -> str | None:
    """Bring the first machine's checkpoint to the others, which have another disk."""
    import torch

    if resume is None:
        return None
    size = torch.tensor([Path(resume).stat().st_size if rank == 0 else 0])
    torch.distributed.broadcast(size, src=0)
    if rank == 0:
        content = torch.from_file(resume, size=int(size), dtype=torch.uint8).clone()
    else:
        content = torch.empty(int(size), dtype=torch.uint8)
    torch.distributed.broadcast(content, src=0)
    if leader == 0:
        torch.distributed.barrier()
        return resume
    here = Path(order["folder"]) / _RESUME
    if rank == leader:
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(content.numpy().tobytes())
    torch.distributed.barrier()
    return str(here)


def _leave() -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _end_with_the_first() -> None:
    """End at once when the first process is gone: it never writes, so reading ends only then.

    Not through `sys.stdin`: its lock, held by a thread that still reads, makes Python abort where
    the training ends well.
    """
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    follow()
