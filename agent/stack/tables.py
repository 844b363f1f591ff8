"""`status` as tables for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.stack.overview import StackStatus, TaskLine


def show(status: StackStatus, console: Console | None = None) -> None:
    """Print the status of a stack.

    Args:
        status: From `agent.stack.status`.
        console: Where to print; the terminal if None.
    """
    console = console or Console()
    server = status.server
    if server.url:
        state = "up" if server.reachable else "not answering" if server.pid else "down"
        details = [f"pid {server.pid}"] if server.pid else []
        details += [f"for {span(server.uptime_s)}"] if server.uptime_s is not None else []
        console.print(
            f"server {server.url} [bold]{state}[/bold] {', '.join(details)}", highlight=False
        )
    if status.agents and status.is_up:
        table = _table("agent", "queue", "pid", "last report", "runs")
        for agent in status.agents:
            table.add_row(
                agent.name,
                agent.queue,
                str(agent.pid) if agent.pid else "[red]dead[/red]",
                f"{span(agent.last_report_s)} ago" if agent.last_report_s is not None else "-",
                _task(agent.task),
            )
        console.print(table)
    if status.queues:
        table = _table("queue", "agents", "waiting", "next")
        for queue in status.queues:
            table.add_row(
                queue.name,
                str(len(queue.workers)),
                str(len(queue.waiting)),
                _task(queue.waiting[0]) if queue.waiting else "-",
            )
        console.print(table)
    own = {agent.task.id for agent in status.agents if agent.task}
    for task in status.running:
        if task.id not in own:
            where = f" on {task.worker}" if task.worker else ""
            console.print(f"running{where}: {_task(task)}", highlight=False)
    for problem in status.problems:
        console.print(f"[yellow]![/yellow] {escape(problem)}", highlight=False, soft_wrap=True)


def span(seconds: float | None) -> str:
    """A length of time in one or two units: `4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _task(task: TaskLine | None) -> str:
    if task is None:
        return "-"
    since = f" for {span(task.seconds)}" if task.seconds is not None else ""
    return f"{escape(task.name)} ({task.id[:8]}){since}"
