"""Training over several agents, by ClearML's own multi-node launch.

The task that was enqueued is the first node. It puts a clone of itself on its queue for each
further one (`Task.launch_multi_node`); a clone knows by its runtime properties which it is and
where the first one is. Only the first one reports and keeps results. When a node is lost the
training of all has ended: the first one's task fails by the machine's fault, and whoever starts it
again (a pipeline does) has it go on from the last checkpoint with new nodes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.code import is_this_machine
from components.failure import MACHINE_FAILED, Failure, say
from components.run.api import ServerError, call, server_url
from components.run.attempt import Attempt
from components.run.door import SupersededError
from models.training.nodes import ALONE, Node

SECTION = "launch_multi_node"
"""ClearML's name for its hyperparameter section, and the prefix of its runtime properties."""
TAG = "multi_node_instance"
"""System tag that ClearML gives to the clones."""
_ENDED = frozenset({"completed", "published", "closed", "failed", "stopped"})
_WAITS = frozenset({"created", "queued"})
_FIELDS = ["id", "status", "status_reason", "last_update", "runtime"]
_LOOK_SECONDS = 3.0
_PATIENCE_SECONDS = 3600.0
"""How long the first node waits for agents for the others."""
_SILENT_SECONDS = 180.0
"""After so long without a sign of life a task that no agent reports is lost; they give one each
30 s."""
_GRACE_SECONDS = 15.0
"""How long after a failure the task of a killed process still seems to run."""


def node_rank(task: Any) -> int:
    """Tell which node a task is; 0 for the first one and for a task without others."""
    runtime: Mapping[str, Any] = task.data.runtime or {}
    return int(runtime.get(f"{SECTION}/node_rank") or 0)


class NodeLostError(RuntimeError):
    """Another node has ended, and so has the training of all."""


class Nodes:
    """The other nodes of a task's training."""

    def __init__(self, task: Any, attempt: Attempt, log: Callable[[str], None]) -> None:
        self._task = task
        self._attempt = attempt
        self._log = log
        self._watched: dict[str, int] = {}
        """Ranks of the other nodes by their tasks' ids; only the first node has some."""
        self._signs: dict[str, tuple[str, float]] = {}
        """By task: its last sign of life, and when we first saw that one, on our own clock."""

    @contextlib.contextmanager
    def join(self, count: int) -> Iterator[Node]:
        """Bring the nodes together, and watch them while they train.

        Args:
            count: how many.

        Raises:
            ValueError: no agent runs this task, so nobody could start the others.
            NodeLostError: one of them has ended.
        """
        if count == 1:
            yield ALONE
            return
        node = self._first(count) if node_rank(self._task) == 0 else self._further(count)
        watch = _Watch(self._other_has_ended, self._give_up)
        watch.start()
        try:
            yield node
        except Exception as error:
            watch.stop()
            lost = "" if isinstance(error, ValueError | SupersededError) else self._reason()
            if not lost and any(word in str(error) for word in ("gloo", "NCCL")):
                lost = "the connection to another node was lost"
            if node.first:
                self._end_others("the first node has ended")
            if lost:
                raise NodeLostError(lost) from error
            raise
        finally:
            watch.stop()

    def _first(self, count: int) -> Node:
        from clearml.config import running_remotely

        if not running_remotely():
            raise ValueError(
                f"nodes={count} trains on several agents, and no agent runs this task: put it on a "
                "queue (sightline run ... train.nodes=N, or a clone), or use devices"
            )
        self._end_others("the first node has started again")
        self._forget_former_launch()
        where = {"addr": "127.0.0.1"} if is_this_machine(server_url()) else {}
        try:
            with _environment_kept():
                made = self._task.launch_multi_node(count, port=_free_port(), **where)
            self._watched = {task["id"]: number + 1 for number, task in enumerate(self._others())}
            for identity, rank in self._watched.items():
                call("tasks.edit", task=identity, force=True, name=f"{self._task.name} node {rank}")
            self._wait_for(self._watched)
        except Exception:
            self._end_others("the first node has ended")
            raise
        return Node(0, count, str(made["master_addr"]), int(made["master_port"]))

    def _further(self, count: int) -> Node:
        with _environment_kept():
            told = self._task.launch_multi_node(count)
        node = Node(
            int(told["node_rank"]), count, str(told["master_addr"]), int(told["master_port"])
        )
        if reason := self._other_has_ended():
            raise NodeLostError(reason)
        self._log(f"node {node.rank} of {count}: the first one is at {node.address}:{node.port}")
        return node

    def _forget_former_launch(self) -> None:
        """Take off what an earlier attempt has left: it would be taken for a user's edit."""
        call(
            "tasks.delete_hyper_params",
            task=self._task.id,
            force=True,
            hyperparams=[{"section": SECTION}],
        )
        self._task._set_runtime_properties({f"{SECTION}/node_rank": ""})
        self._task.reload()

    def _others(self) -> list[dict[str, Any]]:
        """The nodes that the first one has launched and that haven't ended."""
        found = call(
            "tasks.get_all",
            parent=[self._task.id],
            system_tags=[TAG],
            only_fields=[*_FIELDS, "execution.queue"],
            search_hidden=True,
        )["tasks"]
        alive = [task for task in found if task["status"] not in _ENDED]
        return sorted(alive, key=lambda task: int(task["runtime"].get(f"{SECTION}/node_rank") or 0))

    def _wait_for(self, others: Mapping[str, int]) -> None:
        """Wait until agents have taken all of them."""
        start, told = time.monotonic(), set[str]()
        while True:
            waiting = [one for one in _look(list(others)) if one["status"] in _WAITS]
            if not waiting:
                break
            for one in waiting:
                if one["id"] not in told:
                    self._log(f"node {others[one['id']]} (task {one['id']}) waits for an agent")
                    told.add(one["id"])
            if time.monotonic() - start > _PATIENCE_SECONDS:
                raise NodeLostError(f"no agent took node {others[waiting[0]['id']]} for an hour")
            self._attempt.check()
            time.sleep(1.0)
        self._log(f"all {len(others) + 1} nodes are there")

    def _end_others(self, why: str) -> None:
        """End the tasks of other nodes; one that nobody has taken is deleted."""
        with contextlib.suppress(ServerError):
            for task in self._others():
                if task["status"] in _WAITS:
                    with contextlib.suppress(ServerError):
                        call("tasks.dequeue", task=task["id"])
                    call("tasks.delete", task=task["id"], force=True)
                else:  # its agent sees it, and ends the process
                    call("tasks.stopped", task=task["id"], force=True, status_message=why)

    def _other_has_ended(self) -> str:
        """Say which of the tasks that this one can't do without has ended; empty for none."""
        if node_rank(self._task) == 0:
            for task in _look(list(self._watched)):
                if task["status"] in _ENDED or self._is_lost(task):
                    name = f"node {self._watched[task['id']]} (task {task['id']})"
                    return f"{name} is lost: {task.get('status_reason') or task['status']}"
            return ""
        found = _look([str(self._task.parent)])
        if not found or found[0]["status"] != "in_progress" or self._is_lost(found[0]):
            return "the first node has ended"
        port = f"{SECTION}/master_port"
        ours, theirs = (t.get(port) for t in (self._task.data.runtime, found[0]["runtime"]))
        if str(ours) != str(theirs):
            return "the first node has been started again, with other nodes"
        return ""

    def _is_lost(self, task: Mapping[str, Any]) -> bool:
        """Tell whether a task has given no sign of life for long, and no agent reports it."""
        sign, now = str(task.get("last_update")), time.monotonic()
        last, since = self._signs.get(task["id"], ("", now))
        if sign != last:
            self._signs[task["id"]] = (sign, now)
            return False
        if now - since < _SILENT_SECONDS:
            return False
        workers = call("workers.get_all", last_seen=int(_SILENT_SECONDS))["workers"]
        return task["id"] not in {(worker.get("task") or {}).get("id") for worker in workers}

    def _reason(self) -> str:
        """After a failure here: whether it was because another node has ended."""
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # an outage must not hide the failure itself
                if reason := self._other_has_ended():
                    return reason
            time.sleep(1.0)
        return ""

    def _give_up(self, reason: str) -> None:
        """End this process: its main thread waits in a call that may never return."""
        try:
            self._attempt.check()
            say(reason)
            self._attempt.failed(Failure.MACHINE, reason)
            self._task.mark_failed(
                status_reason=f"{Failure.MACHINE}: {reason}"[:200],
                status_message=reason,
                force=True,
            )
            if node_rank(self._task) == 0:
                self._end_others("another node was lost")
        finally:
            os._exit(MACHINE_FAILED)


class _Watch(threading.Thread):
    """Looks again and again whether something has happened, and then acts."""

    def __init__(self, look: Callable[[], str], act: Callable[[str], None]) -> None:
        super().__init__(name="other nodes", daemon=True)
        self._look = look
        self._act = act
        self._over = threading.Event()

    def run(self) -> None:
        """Look until it is over."""
        while not self._over.wait(_LOOK_SECONDS):
            try:
                reason = self._look()
            except Exception:  # noqa: S112 - the server is away: nothing is known
                continue
            # The main thread may see it too, and explain it better.
            if reason and not self._over.wait(2 * _LOOK_SECONDS):
                self._act(reason)

    def stop(self) -> None:
        """See to nothing any more."""
        self._over.set()


def _look(tasks: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(
        "tasks.get_all", id=tasks, only_fields=_FIELDS, search_hidden=True
    )["tasks"]
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """ClearML sets variables for PyTorch; ours are set when the processes are known."""
    names = ("MASTER_ADDR", "MASTER_PORT", "RANK", "NODE_RANK", "WORLD_SIZE")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
