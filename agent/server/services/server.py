"""What the server says about itself."""

from __future__ import annotations

import time
from importlib import metadata

from ..registry import ACTIONS, Call, Data, Mode, action
from ..settings import API_VERSION, SERVER_VERSION


@action("server.info")
def info(call: Call) -> Data:
    """The versions that clients ask for."""
    return {
        "version": SERVER_VERSION,
        "build": f"sightline-{metadata.version('sightline')}",
        "commit": "",
        "endpoints_version": API_VERSION,
        "uid": (call.settings.state / "id").read_text().strip(),
    }


@action("server.config")
def config(call: Call) -> Data:
    """The settings that the server was started with; nothing secret is among them."""
    settings = call.settings
    return {
        "config": {
            "listen": {"ip": settings.host, "port": settings.port},
            "tasks": {"non_responsive_tasks_watchdog": {
                "enabled": True, "threshold_sec": settings.non_responsive_after}},
            "max_body": settings.max_body,
            "power_safe": settings.power_safe,
        }
    }  # fmt: skip


@action("server.endpoints")
def endpoints(_: Call) -> Data:
    """The names of all actions, by service."""
    services: dict[str, list[str]] = {}
    for name in sorted(ACTIONS):
        services.setdefault(name.partition(".")[0], []).append(name)
    return {
        "services": [{"name": name, "endpoints": listed} for name, listed in services.items()],
        "endpoints": sorted(ACTIONS),
        "version": API_VERSION,
    }


@action("server.report_stats_option")
def report_stats_option(_: Call) -> Data:
    """Whether statistics of use are sent anywhere. They never are."""
    return {"supported": False, "enabled": False, "enabled_time": None, "enabled_version": None,
            "enabled_user": None, "current_version": SERVER_VERSION}  # fmt: skip


@action("server.get_stats", mode=Mode.SCAN)
def get_stats(call: Call) -> Data:
    """How much there is in the store, and how long the server has been up."""
    counted = {
        table: (call.db.row(f"SELECT COUNT(*) FROM {table}") or (0,))[0]  # noqa: S608
        for table in ("projects", "models", "queues", "workers", "users", "series")
    }
    tasks = dict(call.db.rows("SELECT status, COUNT(*) FROM tasks GROUP BY status"))
    points = call.db.row("SELECT COALESCE(SUM(count), 0) FROM blocks")
    return {
        "uptime": time.time() - call.settings.started,
        "database_bytes": call.settings.database.stat().st_size,
        "tasks": {"total": sum(tasks.values()), "by_status": tasks},
        "scalar_points": points[0] if points else 0,
        **counted,
    }
