"""Requests drawn from the schemas and bent: no fault of ours, no hang, whatever is sent.

`SIGHTLINE_FUZZ_SECONDS` says for how long the long one goes on (10 minutes).
"""

from __future__ import annotations

import json
import os
import random
import string
import time
from typing import Any

import pytest
import requests

from agent.server import contract, services
from agent.server.registry import ACTIONS

services.load()
CONTRACT = contract._contract()
LONG = float(os.environ.get("SIGHTLINE_FUZZ_SECONDS", "600"))
PATIENCE = 20
"""Seconds after which an answer counts as a hang, on a machine that does other work too."""

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, -(2**31), 2**53, 2**63, 2**64, 10**400, 0.5, -1e300, 1e-300,
    "", " ", "\x00", "\ud800", "é" * 300, "a.b.c", "$", "../..", "%s%n", "' OR 1=1 --", '"', "\\",
    "(", "(a+)+$", "^" + "(a|a)*" * 3 + "$", "[", "*", ">=2026-01-01", "<", "-", "__$not", "__$all",
    [], [[]], [None], ["-", "__$or", "__$not"], {}, {"": ""}, {"a": {"b": []}}, {"$gt": 1},
    [1, None], [None, None], ["2026", 5], {"fields": ["name"], "pattern": "("},
)  # fmt: skip
FIELDS = (
    "id", "name", "tags", "system_tags", "project", "status", "type", "parent", "order_by", "page",
    "page_size", "size", "scroll_id", "only_fields", "search_text", "_any_", "_all_", "_or_",
    "last_update", "created", "hyperparams", "last_metrics.a.b.value", "models.input.model", "ids",
    "include_subprojects", "search_hidden", "metrics", "key", "force", "comment", "configuration",
    "execution", "script", "runtime", "iteration", "metadata", "keys", "args", "queue", "queues",
)  # fmt: skip
ENDS_THE_TEST = frozenset({"auth.revoke_credentials"})


class Fuzzer:
    """Draws requests, sends them and watches the answers.

    Args:
        server: Whom to.
        seed: Which ones.
    """

    def __init__(self, server: Any, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.known: list[Any] = [server.task(), server.call("queues.get_default")["id"], "a", 1]
        self.sent = 0

    def value(self, kind: str) -> Any:
        draw = self.chance.random()
        if draw < 0.25:
            return self.chance.choice(STRANGE)
        if draw < 0.5:
            return self.chance.choice(self.known)
        plain = kind.rstrip("!*")
        one: Any = {
            "text": "".join(self.chance.choices(string.printable, k=self.chance.randrange(20))),
            "flag": self.chance.random() < 0.5,
            "integer": self.chance.choice((0, 1, 5, -3, 10**6)),
            "number": self.chance.uniform(-10, 2e9),
            "table": {self.chance.choice(FIELDS): self.chance.choice(STRANGE)},
        }.get(plain, self.chance.choice(STRANGE))
        return [one] * self.chance.randrange(1, 4) if "*" in kind else one

    def body(self, action: str) -> dict[str, Any]:
        fields = dict(CONTRACT.get(action, {}))
        for name in self.chance.sample(FIELDS, 3):
            fields.setdefault(name, "any")
        return {
            name: self.value(kind)
            for name, kind in fields.items()
            if kind.endswith("!") or self.chance.random() < 0.35
        }

    def step(self) -> None:
        """Send one request."""
        action = self.chance.choice(sorted(ACTIONS.keys() - ENDS_THE_TEST))
        body = self.body(action)
        lines = action.endswith("_batch") and self.chance.random() < 0.8
        sent = [self.body("events.add") if self.chance.random() < 0.5 else self.event()
                for _ in range(5)] if lines else [body]  # fmt: skip
        data = "\n".join(json.dumps(item) for item in sent).encode()
        if self.chance.random() < 0.05:
            data = data[: self.chance.randrange(len(data) + 1)]
        kind = "application/json-lines" if lines else "application/json"
        try:
            answer = self.server.http.post(
                f"{self.server.url}/v2.31/{action}", data=data, headers={"Content-Type": kind},
                timeout=PATIENCE,
            )  # fmt: skip
        except requests.Timeout:
            pytest.fail(f"no answer in {PATIENCE} s: {action} {data[:2000]!r}")
        assert answer.status_code < 500, (action, data[:2000], answer.text[:2000])
        self.sent += 1
        if answer.ok and "json" in answer.headers.get("Content-Type", ""):
            made = answer.json()["data"].get("id")
            if isinstance(made, str):
                self.known = [*self.known[-30:], made]

    def event(self) -> dict[str, Any]:
        return {
            "type": self.chance.choice(("log", "plot", "training_stats_scalar",
                                        "training_debug_image", "training_stats_vector", "x")),
            "task": self.chance.choice(self.known),
            "iter": self.chance.choice((0, 1, 600, -1, 2**40, "x")),
            "value": self.chance.choice(STRANGE),
            "metric": self.chance.choice(STRANGE),
            "variant": self.chance.choice(("a", "b", "")),
            "url": self.chance.choice(STRANGE),
            "plot_str": self.chance.choice(("{}", "{", None, 5)),
            "timestamp": self.chance.choice((None, 0, 1_700_000_000_000, -5, 2**60)),
        }  # fmt: skip

    def go(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
        assert self.server.raw("debug.ping").ok
        log = (self.server.state.parent / "server.log").read_text()
        assert "Traceback" not in log, log[-4000:]


def test_bent_requests_for_a_moment(start_server: Any) -> None:
    fuzzer = Fuzzer(start_server(), seed=7)
    for _ in range(400):
        fuzzer.step()
    fuzzer.go(0)


@pytest.mark.slow
def test_bent_requests_for_long(start_server: Any) -> None:
    seed = int(time.time())
    print(f"seed {seed}")
    fuzzer = Fuzzer(start_server(), seed)
    fuzzer.go(LONG)
    assert fuzzer.sent > LONG
