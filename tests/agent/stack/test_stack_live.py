"""The stack with the real server and real agents."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from agent.stack import commands, processes
from agent.stack.agents import host_name
from agent.stack.api import Api, answers
from agent.stack.console import logs
from agent.stack.credentials import load_credentials
from agent.stack.ending import down
from agent.stack.errors import StackError
from agent.stack.home import StackHome
from agent.stack.overview import status
from agent.stack.starting import restart_agent, up
from agent.stack.state import load_state, save_state

pytestmark = pytest.mark.stack

JOB = """
import os, sys, time
from pathlib import Path
import helper
print("said", helper.WORD, flush=True)
print("home", os.environ["HOME"], "threads", os.environ["OMP_NUM_THREADS"], flush=True)
time.sleep(float(os.environ.get("NAP", "0") if len(sys.argv) < 2 else sys.argv[1]))
"""


@dataclass(frozen=True)
class Repository:
    """A git repository without a remote."""

    folder: Path

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def script(self, entry_point: str) -> dict[str, str]:
        return {
            "repository": f"file://{self.folder}",
            "version_num": self.git("rev-parse", "HEAD").strip(),
            "branch": self.git("rev-parse", "--abbrev-ref", "HEAD").strip(),
            "diff": self.git("diff", "HEAD"),
            "working_dir": ".",
            "entry_point": entry_point,
            "binary": "python3",
        }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One commit, and a working tree that differs from it."""
    folder = tmp_path / "repo"
    folder.mkdir()
    repository = Repository(folder)
    repository.git("init", "-q", "-b", "main")
    (folder / "job.py").write_text(JOB)
    (folder / "helper.py").write_text('WORD = "committed"\n')
    repository.git("add", ".")
    repository.git("commit", "-q", "-m", "first")
    (folder / "helper.py").write_text('WORD = "uncommitted"\n')
    return repository


def enqueue(api: Api, queue: str, script: dict[str, str], name: str) -> str:
    task = api.call("tasks.create", name=name, type="testing", script=script)["id"]
    queues = api.call("queues.get_all", name=f"^{queue}$")["queues"]
    api.call("tasks.enqueue", task=task, queue=queues[0]["id"])
    return str(task)


def task_status(api: Api, task: str) -> str:
    return str(api.call("tasks.get_by_id", task=task)["task"]["status"])


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def wait_for_status(api: Api, task: str, *wanted: str) -> None:
    wait_for(lambda: task_status(api, task) in wanted)


def kill(*records: processes.ProcessRecord) -> None:
    """Kill processes, and see that they are dead: a signal takes its time."""
    for record in records:
        os.kill(record.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(processes.find, records)))


# --- on the shared stack ------------------------------------------------------------------------


def test_a_dirty_tree_without_a_remote_runs_as_it_is(stack, repository: Repository) -> None:
    with stack.api() as api:
        task = enqueue(api, "cpu", repository.script("job.py"), "dirty tree")
        wait_for_status(api, task, "completed", "failed")
        assert task_status(api, task) == "completed"
    printed = "\n".join(logs("dirty tree", home=stack.home.root, follow=True))
    assert "said uncommitted" in printed
    assert f"home {stack.home.root}/agents/cpu/home" in printed
    assert not (stack.user_home / ".gitconfig").exists()


def test_status_shows_all_and_changes_nothing(stack, on_stack) -> None:
    found = status(home=stack.home.root)
    assert found.is_up
    # Other tests leave queues behind on the shared stack that no agent serves; that is all.
    assert [line for line in found.problems if not line.startswith("queue ")] == []
    assert [agent.name for agent in found.agents] == ["cpu", "gpu", "services"]
    assert all(agent.pid and agent.registered for agent in found.agents)
    assert {agent.worker for agent in found.agents} == {
        f"{host_name()}:{name}" for name in ("cpu", "gpu", "services")
    }
    served = {queue.name: queue.workers for queue in found.queues}
    assert not any(f"queue {name}" in line for name in ("cpu", "gpu") for line in found.problems)
    assert served["gpu"] == (f"{host_name()}:gpu",)
    result = CliRunner().invoke(commands.status, [])
    assert result.exit_code == bool(found.problems), result.output
    assert "services" in result.output
    as_json = json.loads(CliRunner().invoke(commands.status, ["--json"]).output)
    assert as_json["is_up"] is True
    assert as_json["server"]["url"] == stack.url


def test_a_queue_that_nobody_serves_is_told_with_the_reason(stack, repository: Repository) -> None:
    with stack.api() as api:
        api.call("queues.create", name="deserted")
        task = enqueue(api, "deserted", repository.script("job.py"), "forlorn")
        found = status(home=stack.home.root)
        api.call("tasks.dequeue", task=task)
    queue = next(queue for queue in found.queues if queue.name == "deserted")
    assert [waiting.name for waiting in queue.waiting] == ["forlorn"]
    assert queue.reason in found.problems
    assert "no agent serves it" in queue.reason
    assert "--agents deserted=1" in queue.reason


def test_printed_credentials_work(stack, on_stack) -> None:
    lines = CliRunner().invoke(commands.credentials, ["--env"]).output
    script = f"{lines}\ncurl -s -u $CLEARML_API_ACCESS_KEY:$CLEARML_API_SECRET_KEY"
    answer = subprocess.run(
        ["bash", "-c", f"{script} $CLEARML_API_HOST/auth.login"], capture_output=True, text=True
    )
    assert '"token"' in answer.stdout
    assert CliRunner().invoke(commands.credentials, []).output == stack.conf.read_text()
    for path in (stack.home.credentials, stack.home.client_conf, stack.home.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_logs_of_server_and_agents(stack, on_stack) -> None:
    for source in ("server", "gpu"):
        result = CliRunner().invoke(commands.logs, [source, "-n", "5"])
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(commands.logs, ["no such task"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: no log 'no such task'; give a task's id or name")


def test_a_restarted_agent_serves_again(stack, repository: Repository, on_stack) -> None:
    before = status(home=stack.home.root).agents[0]
    after = restart_agent("cpu", home=stack.home.root)
    assert after.worker == before.worker
    assert after.process and after.process.pid != before.pid
    with pytest.raises(StackError, match="there are: cpu, gpu, services"):
        restart_agent("tpu", home=stack.home.root)


# --- on a stack of its own ----------------------------------------------------------------------


def test_a_life_of_a_stack(stack_home: StackHome, repository: Repository) -> None:
    """One stack through all that can befall it; in one test, because each start takes seconds."""
    home = stack_home
    unrelated = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", "clearml_agent", "daemon"]
    )
    try:
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = busy.getsockname()[1]
            with pytest.raises(StackError, match=rf"port {port} is held by .*pid {os.getpid()}"):
                up(home=home.root, port=port)

        # A record that is stale at the very first start: the pid is another program's.
        state = load_state(home)
        assert state is not None
        stale = processes.ProcessRecord(unrelated.pid, 1.0)
        save_state(home, replace(state, server=stale))

        with ThreadPoolExecutor(2) as pool:  # two at once: one does it, the other finds it done
            both = [
                pool.submit(up, home=home.root, port=port, agents={"services": 0}) for _ in range(2)
            ]
            first, idle = sorted((future.result() for future in both), key=lambda r: not r.started)
        assert first.started == ("server", "cpu", "gpu")
        assert idle.started == ()
        assert any("is changing the stack; waiting" in line for line in idle.lines)
        assert any("belongs to another program now" in line for line in first.lines)
        assert unrelated.poll() is None

        second = up(home=home.root)
        assert second.started == ()
        assert second.lines == ("everything is up already",)
        with pytest.raises(StackError, match="sightline down"):
            up(home=home.root, port=port + 1)

        with Api(first.url, load_credentials(home)) as api:
            done = enqueue(api, "cpu", repository.script("job.py"), "done")
            wait_for_status(api, done, "completed", "failed")

            # An agent and the server are killed in the middle of a task.
            long = enqueue(api, "gpu", repository.script("job.py 600"), "long")
            wait_for(lambda: "said" in "".join(logs(long, home=home.root)))
        state = load_state(home)
        assert state is not None and state.server and state.agents["gpu"].process
        left = processes.with_descendants([psutil.Process(state.agents["gpu"].process.pid)])
        assert len(left) > 1
        kill(state.agents["gpu"].process, state.server)
        # The server starts again by itself.
        wait_for(lambda: answers(first.url))
        found = status(home=home.root)
        assert not any(line.startswith("the server has died") for line in found.problems)
        assert any(line.startswith("agent gpu has died") for line in found.problems)

        third = up(home=home.root)
        assert third.url == first.url
        assert third.started == ("gpu",)
        assert any(long in line and "now stopped" in line for line in third.lines)
        assert processes.wait(left, 0.0) == []
        with Api(first.url, load_credentials(home)) as api:
            assert task_status(api, done) == "completed"
            assert task_status(api, long) == "stopped"
            assert "said uncommitted" in "".join(logs(done, home=home.root))

            # Down in the middle of a task, which has a child that left its session.
            again = enqueue(api, "gpu", repository.script("job.py 600"), "again")
            wait_for(lambda: "said" in "".join(logs(again, home=home.root)))
        state = load_state(home)
        assert state is not None
        mine = processes.marked(state.id)
        ended = down(home=home.root)
        assert set(ended.ended) == {"server", "cpu", "gpu"}
        assert processes.wait(mine, 0.0) == []
        assert processes.marked(state.id) == []
        assert unrelated.poll() is None
        assert down(home=home.root).lines == ("nothing was running",)
        assert status(home=home.root).problems == ("the stack is down; run: sightline up",)

        fourth = up(home=home.root, agents={"cpu": 0, "gpu": 0})
        assert fourth.url == first.url
        with Api(first.url, load_credentials(home)) as api:
            assert task_status(api, again) == "stopped"
            assert api.call("workers.get_all")["workers"] == []
    finally:
        unrelated.kill()
        unrelated.wait()


def test_a_service_outlives_its_agent(stack_home: StackHome, repository: Repository) -> None:
    """A controller has a monitor of its own; a new agent must let it be, and `down` end it."""
    home = stack_home
    report = up(home=home.root, agents={"cpu": 0, "gpu": 0})
    with Api(report.url, load_credentials(home)) as api:
        short = enqueue(api, "services", repository.script("job.py 4"), "short")
        long = enqueue(api, "services", repository.script("job.py 600"), "long")
        for task in (short, long):
            wait_for(lambda task=task: "said" in "".join(logs(task, home=home.root)))
        state = load_state(home)
        assert state is not None and state.agents["services"].process
        kill(state.agents["services"].process)
        again = up(home=home.root)
        assert again.started == ("services",)
        assert not any("now stopped" in line for line in again.lines)
        assert task_status(api, long) == "in_progress"
        wait_for_status(api, short, "completed", "failed", "stopped")
        assert task_status(api, short) == "completed"
        found = status(home=home.root)
        assert [task.id for task in found.running] == [long]
        ended = down(home=home.root)
    assert processes.marked(state.id) == []
    assert set(ended.ended) == {"server", "services"}
    up(home=home.root, agents={"services": 0})
    with Api(report.url, load_credentials(home)) as api:
        assert task_status(api, long) == "stopped"
        assert api.call("workers.get_all")["workers"] == []
