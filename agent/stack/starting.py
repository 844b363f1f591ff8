"""`up`: start what isn't there yet, mend what has died, leave the rest alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.stack import ports, processes
from agent.stack.agents import (
    AgentPlan,
    agent_folder,
    check_installed,
    keep_log,
    plan_agents,
    start_agent,
)
from agent.stack.api import Api, answers, wait_until_answers
from agent.stack.clearing import end_agents, orphans, release
from agent.stack.configuration import client_configuration
from agent.stack.credentials import Credentials, load_credentials, load_or_make_credentials
from agent.stack.environment import base_environment
from agent.stack.errors import StackError
from agent.stack.home import StackHome, find_home, write_private
from agent.stack.hostnames import check_names
from agent.stack.lock import exclusive
from agent.stack.pages import check_webapp
from agent.stack.server_process import SERVER_ROLE, server_process
from agent.stack.state import (
    AgentRecord,
    ProcessRecord,
    StackState,
    load_state,
    new_state,
    save_state,
)

LOST_REASON = "Forced stop (non-responsive)"
"""What ClearML Server's own watchdog writes when a task's process is gone."""

_SERVER_START_S = 30.0
_AGENT_START_S = 60.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class UpReport:
    """What `up` found and did.

    Attributes:
        home: The state folder.
        url: Base URL of the server.
        conf: The `clearml.conf` for scripts.
        started: What was started: `server`, names of agents; empty if all was up.
        lines: All that was told.
    """

    home: Path
    url: str
    conf: Path
    started: tuple[str, ...]
    lines: tuple[str, ...]


def up(
    *,
    home: Path | str | None = None,
    host: str | None = None,
    port: int | None = None,
    agents: Mapping[str, int] | None = None,
    webapp: Path | str | None = None,
    names: Sequence[str] = (),
    tell: Tell | None = None,
) -> UpReport:
    """Start the server and the agents, or see that they are up.

    Args:
        home: The state folder; see `find_home`.
        host: Address to listen on; the remembered one, else 127.0.0.1.
        port: Port to listen on; the remembered one, else the first free from 8008.
        agents: Agents by queue, `{"gpu": 2}`; remembered. One each otherwise.
        webapp: Folder with ClearML's web application, built, to show in place of the server's own
            page; remembered. "none" for the own page again.
        names: Further names by which clients reach the server, behind a proxy for example;
            remembered. "none" for none again.
        tell: Gets each line as it comes.

    Raises:
        StackError: It can't be done; the line says what to do.
    """
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if tell:
            tell(line)

    check_installed()
    wanted, called = check_webapp(webapp), check_names(names)
    place = find_home(home)
    place.create()
    with exclusive(place, say):
        state = load_state(place) or new_state()
        state = replace(state, counts={**state.counts, **(agents or {})})
        plans = plan_agents(state.counts)
        save_state(place, state)  # the id first: what is started carries it
        credentials = load_or_make_credentials(place)
        before = set(state.agents)
        state, fresh_server = _server_up(place, state, credentials, host, port, wanted, called, say)
        state, fresh_agents = _agents_up(place, state, credentials, plans, say)
    started = ((SERVER_ROLE,) if fresh_server else ()) + fresh_agents
    if not started and before <= set(state.agents):
        say("everything is up already")
    return UpReport(place.root, state.url, place.client_conf, started, tuple(lines))


def restart_agent(
    name: str, *, home: Path | str | None = None, tell: Tell | None = None
) -> AgentRecord:
    """End one agent with its task, and start it again.

    Args:
        name: Its name in the stack: `gpu`, `gpu-2`.
        home: The state folder; see `find_home`.
        tell: Gets a line.

    Raises:
        StackError: There is no such agent, or the server isn't up.
    """
    place = find_home(home)
    say = tell or (lambda line: None)
    state = load_state(place)
    if state is None or name not in state.agents:
        known = ", ".join(state.agents) if state else "none"
        raise StackError(f"no agent {name!r} in {place.root}; there are: {known}")
    with exclusive(place, say):
        state = load_state(place) or new_state()
        if not answers(state.url):
            raise StackError(f"the server at {state.url} doesn't answer; run: sightline up")
        record = state.agents[name]
        end_agents(state, [record], server_up=True)
        plans = [plan for plan in plan_agents(state.counts) if plan.name == name]
        state = replace(state, agents={**state.agents, name: replace(record, process=None)})
        state, _ = _agents_up(place, state, load_credentials(place), tuple(plans), say, trim=False)
    return state.agents[name]


def _server_up(
    home: StackHome,
    state: StackState,
    credentials: Credentials,
    host: str | None,
    port: int | None,
    webapp: str | None,
    names: tuple[str, ...] | None,
    say: Tell,
) -> tuple[StackState, bool]:
    """See that the server answers; the new state, and whether it had to be started."""
    running = server_process(state)
    if running and state.port is not None:
        if (port or state.port, host or state.host) != (state.port, state.host):
            raise StackError(
                f"the server is up at {state.url}; to move it: "
                f"sightline down && sightline up --port {port or state.port}"
            )
        if webapp not in (None, state.webapp):
            raise StackError(
                f"the server is up and shows {state.webapp or 'its own page'}; to change that: "
                f"sightline down && sightline up --webapp {webapp or 'none'}"
            )
        if names not in (None, state.names):
            options = " ".join(f"--allow-host {name}" for name in names or ("none",))
            raise StackError(
                f"the server is up and answers to {', '.join(state.names) or 'no further name'}; "
                f"to change that: sightline down && sightline up {options}"
            )
        if wait_until_answers(state.url, 10.0, lambda: server_process(state) is not None):
            write_private(
                home.client_conf,
                client_configuration(state.url, credentials, home.cache / "clearml"),
            )
            return state, False
        say(f"the server (pid {running.pid}) doesn't answer; starting it again")
    elif state.server:
        say(f"the server has died ({processes.whereabouts(state.server)}); starting it again")
    processes.end(processes.marked(state.id, SERVER_ROLE), grace_s=5.0)
    host = host or state.host
    state = replace(
        state,
        host=host,
        port=choose_port(state, host, port, say),
        server=None,
        webapp=state.webapp if webapp is None else webapp,
        names=state.names if names is None else names,
    )
    save_state(home, state)
    write_private(
        home.client_conf, client_configuration(state.url, credentials, home.cache / "clearml")
    )
    environment = base_environment(state.id, SERVER_ROLE) | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "agent.server", "--state", str(home.server)]
    command += ["--host", host, "--port", str(state.port), "--credentials", str(home.credentials)]
    command += ["--restart"]
    command += ["--webapp", state.webapp] if state.webapp else []
    command += [word for name in state.names for word in ("--allow-host", name)]
    began = time.monotonic()
    record = processes.launch(command, environment, home.server, home.logs / "server.log")
    state = replace(state, server=record)
    save_state(home, state)
    if not wait_until_answers(state.url, _SERVER_START_S, lambda: processes.find(record)):
        raise StackError(_why_not(home.logs / "server.log", "the server", record))
    say(f"server up at {state.url} (pid {record.pid}, {time.monotonic() - began:.1f} s)")
    return state, True


def choose_port(state: StackState, host: str, port: int | None, say: Tell) -> int:
    """The port for a server about to start.

    Args:
        state: The stack, with the port that it had, if any.
        host: The address to listen on.
        port: The port that the user named, if any.
        say: Gets a line where the choice may surprise.

    Raises:
        StackError: The named or remembered port is held by another program.
    """
    remembered = state.port
    wanted = port or remembered
    if wanted is None:
        chosen = ports.next_free(host)
        if chosen != ports.DEFAULT_PORT:
            taken = ports.holder(ports.DEFAULT_PORT)
            say(f"port {ports.DEFAULT_PORT} is held by {taken}; using {chosen}")
        return chosen
    if not 0 < wanted < 65536:
        raise StackError(f"{wanted} isn't a port; name one from 1 to 65535")
    if not ports.is_free(host, wanted):
        if port is None:
            raise StackError(
                f"port {wanted}, which the URLs stored in this stack contain, is held by "
                f"{ports.holder(wanted)}; end that program, or move with: sightline up --port N"
            )
        raise StackError(
            f"port {wanted} is held by {ports.holder(wanted)}; "
            f"end that program, or name another port: sightline up --port N"
        )
    if remembered not in (None, wanted):
        say(f"moving from port {remembered} to {wanted}: URLs stored until now name the old one")
    return wanted


def _agents_up(
    home: StackHome,
    state: StackState,
    credentials: Credentials,
    plans: tuple[AgentPlan, ...],
    say: Tell,
    *,
    trim: bool = True,
) -> tuple[StackState, tuple[str, ...]]:
    """See that the planned agents run; the new state, and the names of those started."""
    with Api(state.url, credentials) as api:
        _make_queues(api, [plan.queue for plan in plans])
        if trim:
            state = _drop_surplus(home, state, plans, api, say)
        started = []
        for plan in plans:
            record = state.agents.get(plan.name)
            if record and (running := processes.find(record.process)):
                if record.gpus != plan.gpus:
                    say(
                        f"agent {plan.name} (pid {running.pid}) keeps GPUs "
                        f"{','.join(record.gpus) or 'none'} until: sightline down && sightline up"
                    )
                continue
            record = record or AgentRecord(plan.name, plan.queue, plan.worker)
            _bury(api, state, record, say)
            record = start_agent(home, state, credentials, plan)
            state = state.with_agent(record)
            save_state(home, state)
            started.append(plan)
        _wait_for_agents(home, state, api, started)
    for plan in started:
        keep_log(home, agent_folder(home, state, plan.name), plan.name)
        process = state.agents[plan.name].process
        gpus = f", GPUs {','.join(plan.gpus)}" if plan.gpus else ""
        say(
            f"agent {plan.name} up, serves queue {plan.queue} (pid {process and process.pid}{gpus})"
        )
    return state, tuple(plan.name for plan in started)


def _make_queues(api: Api, names: list[str]) -> None:
    there = {queue["name"] for queue in api.call("queues.get_all").get("queues", [])}
    for name in dict.fromkeys(names):
        if name not in there:
            api.call("queues.create", name=name)


def _drop_surplus(
    home: StackHome, state: StackState, plans: tuple[AgentPlan, ...], api: Api, say: Tell
) -> StackState:
    """End the agents that are no longer wanted."""
    wanted = {plan.name for plan in plans}
    surplus = [record for name, record in state.agents.items() if name not in wanted]
    if not surplus:
        return state
    end_agents(state, surplus, server_up=True)
    release(
        api, state, surplus, reason="agent ended", message="ended by sightline up: fewer agents"
    )
    for record in surplus:
        say(f"agent {record.name} ended: no longer wanted")
    kept = {name: record for name, record in state.agents.items() if name in wanted}
    state = replace(state, agents=kept)
    save_state(home, state)
    return state


def _bury(api: Api, state: StackState, record: AgentRecord, say: Tell) -> None:
    """Clear away what an agent that has died left running and registered."""
    if record.process:
        say(f"agent {record.name} has died ({processes.whereabouts(record.process)})")
    left = orphans(state, record)
    if left:
        processes.end(left, grace_s=3.0)
        say(f"agent {record.name}: ended {len(left)} process(es) of its task")
    message = f"agent {record.worker} died while it ran the task"
    for task in release(api, state, [record], reason=LOST_REASON, message=message):
        say(f"task {task} was running on agent {record.name} when that died: now stopped")


def _wait_for_agents(
    home: StackHome, state: StackState, api: Api, started: list[AgentPlan]
) -> None:
    deadline = time.monotonic() + _AGENT_START_S
    missing = {plan.worker: plan for plan in started}
    while missing:
        for worker in api.call("workers.get_all").get("workers", []):
            missing.pop(worker["id"], None)
        for plan in missing.values():
            record = state.agents[plan.name].process
            if record and (not processes.find(record) or time.monotonic() > deadline):
                log = home.logs / f"{plan.name}.start.log"
                raise StackError(_why_not(log, f"agent {plan.name}", record))
        if missing:
            time.sleep(0.1)


def _why_not(log: Path, what: str, record: ProcessRecord) -> str:
    """One line about a process that didn't come up, with the last that it said."""
    try:
        last = [line.strip() for line in log.read_text(errors="replace").splitlines()]
        said = next((line for line in reversed(last) if line), "nothing")
    except OSError:
        said = "nothing"
    fate = "doesn't answer" if processes.find(record) else "ended at once"
    return f"{what} {fate}; it said: {said[:300]} (more in {log})"
