"""How long agents of the local stack take between tasks: the agents' share of a hand-off.

A hand-off from one stage to the next is: the end of a process until its task is completed, plus
the time a controller takes to see that and to enqueue the next task, plus the time from there
until the first line of the next process runs. The first and the last are the agents'.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.stack import down, load_credentials, up
from agent.stack.api import Api
from agent.stack.home import StackHome

ROUNDS = 8
JOB = """
import time
print("first line at", time.time(), flush=True)
time.sleep({nap})
print("last line at", time.time(), flush=True)
"""


def main() -> None:
    """Run tasks one after another on `cpu` and `gpu` in turn, and print the times."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        home = Path(folder) / "s"
        repository = _repository(Path(folder) / "repo")
        os.environ["HOME"] = folder
        try:
            began = time.perf_counter()
            report = up(home=home)
            print(f"up                    {time.perf_counter() - began:6.2f} s")
            with Api(report.url, load_credentials(StackHome(home))) as api:
                rounds = [_round(api, repository, number) for number in range(ROUNDS)]
        finally:
            began = time.perf_counter()
            down(home=home)
            print(f"down                  {time.perf_counter() - began:6.2f} s")
    rounds = rounds[2:]  # the first task of each agent clones the repository
    print(f"{'':20}   mean    max  (s, {len(rounds)} tasks)")
    for name, times in zip(
        ("enqueue to start", "end to completed", "both"),
        zip(*((start, end, start + end) for start, end in rounds), strict=True),
        strict=True,
    ):
        print(f"{name:20} {statistics.mean(times):6.2f} {max(times):6.2f}")


def _round(api: Api, script: dict[str, str], number: int) -> tuple[float, float]:
    name = f"bench {number}"
    entry = f"job.py {0.3 + number * 0.37 % 1.0:.2f}"  # not in step with the agent's polls
    task = api.call(
        "tasks.create", name=name, type="testing", script={**script, "entry_point": entry}
    )["id"]
    queue = api.call("queues.get_all", name=f"^{('cpu', 'gpu')[number % 2]}$")["queues"][0]["id"]
    enqueued = time.time()
    api.call("tasks.enqueue", task=task, queue=queue)
    while api.call("tasks.get_all", id=[task], only_fields=["status"])["tasks"][0][
        "status"
    ] not in ("completed", "failed"):
        time.sleep(0.02)
    completed = time.time()
    events = api.call("events.get_task_log", task=task, batch_size=500)["events"]
    text = "\n".join(event["msg"] for event in events)
    first, last = (
        float(text.split(f"{which} line at ")[1].split()[0]) for which in ("first", "last")
    )
    return first - enqueued, completed - last


def _repository(folder: Path) -> dict[str, str]:
    folder.mkdir()

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=b", "-c", "user.email=b@example.com")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "main")
    (folder / "job.py").write_text(
        JOB.format(nap="float(sys.argv[1])").replace("import time", "import sys, time", 1)
    )
    git("add", ".")
    git("commit", "-q", "-m", "job")
    return {
        "repository": f"file://{folder}",
        "version_num": git("rev-parse", "HEAD"),
        "branch": "main",
        "working_dir": ".",
        "binary": "python3",
    }


if __name__ == "__main__":
    sys.exit(main())
