"""Several processes on one machine, or under torchrun, that train one model together.

The first process is the stage. The others know neither options nor data, and never the outside:
they are told what to train, and report to nobody.
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
from pathlib import Path
from typing import Any

from models.families import Checkpoints, family
from models.reporting import Silence
from models.training.options import TrainingOptions

_GRACE = 20.0
"""Seconds that a companion has to end by itself once training is over."""
_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@contextlib.contextmanager
def together(
    name: str, dataset: Path, options: TrainingOptions, checkpoints: Checkpoints
) -> Iterator[None]:
    """Let other processes train along in what runs inside.

    With `devices` above 1 they are started here; under torchrun they are there and wait in
    `follow`. They end with this process, however it ends.

    Args:
        name: of the task family.
        dataset: the dataset folder.
        options: of the training.
        checkpoints: their folder and the checkpoint to go on from.

    Raises:
        ValueError: there are fewer GPUs than `devices`.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not launched and options.devices == 1:
        yield
        return
    before = {variable: os.environ.get(variable) for variable in _NAMES}
    started: list[subprocess.Popen[bytes]] = []
    try:
        if not launched:
            _check_devices(options)
            started = _start(options.devices)
        _join(options.device)
        _share(
            {
                "family": name,
                "dataset": str(dataset),
                "options": options.model_dump(mode="json"),
                "folder": str(checkpoints.folder),
                "resume": str(checkpoints.resume) if checkpoints.resume else None,
            }
        )
        yield
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
    place = Checkpoints(
        Path(order["folder"]),
        Path(order["resume"]) if order["resume"] else None,
        lambda _: None,
    )
    options = found.train_options.model_validate(order["options"])
    found.train(Path(order["dataset"]), options, place, Silence())
    _leave()


def _check_devices(options: TrainingOptions) -> None:
    import torch

    have = torch.cuda.device_count()
    if options.device != "cpu" and have and have < options.devices:
        raise ValueError(f"devices={options.devices}, but this machine shows {have} GPUs")


def _start(count: int) -> list[subprocess.Popen[bytes]]:
    """Start the companions; each ends when the pipe to it closes, so with this process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(common, RANK="0", LOCAL_RANK="0")
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return [
        subprocess.Popen(
            [sys.executable, "-m", "models.training.companions"],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the first process, which tells the others
            env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": path},
        )
        for rank in range(1, count)
    ]


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
    import torch

    orders: list[Any] = [order]
    torch.distributed.broadcast_object_list(orders, src=0, device=torch.device("cpu"))
    found: dict[str, Any] = orders[0]
    return found


def _leave() -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _end_with_the_first() -> None:
    """End at once when the first process is gone: it never writes, so reading ends only then."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    follow()
