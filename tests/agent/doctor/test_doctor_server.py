"""What the doctor finds out about servers, each broken in one way."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.doctor import queues
from agent.doctor.files import check_files
from agent.doctor.findings import Finding, Level
from agent.doctor.queues import check_queues
from agent.doctor.server import check_clock, check_credentials, check_server, check_version
from agent.doctor.settings import Settings
from agent.doctor.wire import Wire
from agent.stack.credentials import Credentials, load_credentials
from tests.conftest import LocalStack, free_port


def settings_of(url: str, keys: Credentials | None = None, token: str = "") -> Settings:
    return Settings(
        api=url,
        chosen_by="the test",
        files=f"{url}/files",
        output=f"{url}/files",
        keys=keys,
        token=token,
        cache=Path("/nowhere"),
        verify=True,
        is_local=True,
        is_stack=False,
    )


Answer = tuple[int, str, bytes]


class Site:
    """An HTTP server that answers as told; it keeps what is uploaded."""

    def __init__(self) -> None:
        self.answer: Callable[[str, str, bytes], Answer] = pong
        self.hours_ahead = 0.0
        self.slow_s = 0.0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                time.sleep(site.slow_s)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, content = site.answer(self.command, self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self._any()

            def do_POST(self) -> None:
                self._any()

            def do_DELETE(self) -> None:
                self._any()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(int(time.time() + 3600 * site.hours_ahead))

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def pong(method: str, path: str, body: bytes) -> Answer:
    answer = {"meta": {"result_code": 200}, "data": {"msg": "here"}}
    return 200, "application/json", json.dumps(answer).encode()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def server_finding(url: str, timeout_s: float = 5.0) -> Finding:
    settings = settings_of(url)
    with Wire(settings, timeout_s) as wire:
        return check_server(wire, settings)[0]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{port}", "nothing answers at http://127.0.0.1:{port} (named by"),
        ("http://nobody.invalid:8008", "nobody knows the host of http://nobody.invalid:8008"),
    ],
)
def test_a_server_that_isn_t_there(url: str, said: str) -> None:
    port = free_port()
    found = server_finding(url.format(port=port))
    assert found.level is Level.ERROR
    assert said.format(port=port) in found.said
    assert found.advice


def test_a_web_page_is_no_api(site: Site) -> None:
    site.answer = lambda *_: (200, "text/html; charset=utf-8", b"<html>")
    found = server_finding(site.url)
    assert found.level is Level.ERROR
    assert "answers with text/html (200) and is no ClearML API" in found.said
    assert "not the web application" in found.advice


def test_a_server_that_hangs(site: Site) -> None:
    site.slow_s = 1.0
    found = server_finding(site.url, timeout_s=0.2)
    assert "doesn't answer within 0.2 s" in found.said


def test_a_server_that_speaks_no_tls(site: Site) -> None:
    found = server_finding(site.url.replace("http:", "https:"))
    assert found.level is Level.ERROR
    assert "certificate" in found.said or "nothing answers" in found.said


@pytest.mark.parametrize(
    ("hours", "level", "said"),
    [
        (0.0, Level.OK, "same"),
        (0.008, Level.WARNING, "29 s ahead"),
        (-2.0, Level.ERROR, "7200 s behind"),
    ],
)
def test_the_server_s_clock(site: Site, hours: float, level: Level, said: str) -> None:
    site.hours_ahead = hours
    settings = settings_of(site.url)
    with Wire(settings, 5.0) as wire:
        pong = check_server(wire, settings)[1]
    assert pong is not None and pong.skew_s is not None
    # The header has whole seconds, and this machine may be busy.
    assert abs(pong.skew_s - 3600 * hours) < 4
    rounded = replace(pong, skew_s=round(3600 * hours))
    found = check_clock(rounded)
    assert (found.level, said in found.said) == (level, True), found
    assert check_clock(replace(pong, skew_s=None)).level is Level.SKIPPED


# Credentials, on the embedded server.


def jwt(**claims: Any) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


@pytest.mark.stack
@pytest.mark.parametrize(
    ("keys", "token", "said"),
    [
        (None, "", "there are none"),
        (Credentials("NOBODYSKEY", "not-the-secret"), "", "refuses the key NOBO..."),
        (None, jwt(exp=time.time() - 7200), "expired 2 hours ago"),
        (None, jwt(exp=time.time() + 7200), "refuses CLEARML_AUTH_TOKEN"),
    ],
    # Each process of the tests has to find the same names.
    ids=["none", "unknown keys", "expired token", "forged token"],
)
def test_credentials_that_are_no_good(
    stack: LocalStack, keys: Credentials | None, token: str, said: str
) -> None:
    settings = settings_of(stack.url, keys, token)
    with Wire(settings, 5.0) as wire:
        found = check_credentials(wire, settings)
    assert found.level is Level.ERROR
    assert said in found.said
    assert found.advice
    for secret in ("not-the-secret", token or "-", "NOBODYSKEY"):
        assert secret == "-" or secret not in found.said + found.advice


@pytest.fixture
def wire(stack: LocalStack) -> Iterator[tuple[Wire, Settings]]:
    """A session with the stack's server."""
    settings = settings_of(stack.url, load_credentials(stack.home))
    with Wire(settings, 5.0) as made:
        assert check_credentials(made, settings).level is Level.OK
        yield made, settings


@pytest.mark.stack
def test_version_and_a_token_in_place_of_keys(wire: tuple[Wire, Settings]) -> None:
    found = check_version(wire[0])
    assert found.level is Level.OK
    assert "API 2.31" in found.said
    settings = settings_of(wire[1].api, token=wire[0].login())
    with Wire(settings, 5.0) as other:
        assert check_credentials(other, settings).level is Level.OK


def test_an_old_server(site: Site) -> None:
    info = {"version": "1.9.2", "build": "317", "endpoints_version": "2.22"}
    answer = {"meta": {"result_code": 200}, "data": info}
    site.answer = lambda *_: (200, "application/json", json.dumps(answer).encode())
    with Wire(settings_of(site.url), 5.0) as wire:
        found = check_version(wire)
    assert found.level is Level.WARNING
    assert "1.9.2" in found.said


# Queues and agents, on the embedded server.


@pytest.mark.stack
def test_queues_and_agents(
    stack: LocalStack, wire: tuple[Wire, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = stack.api()
    lonely = api.call("queues.create", name="lonely")["id"]
    task = {"name": "to be looked at", "type": "custom"}
    script = {"diff": "print(1)\n", "entry_point": "one.py", "working_dir": "."}
    waits, runs = (api.call("tasks.create", **task, script=script)["id"] for _ in range(2))

    def look(*wanted: str) -> dict[str, Finding]:
        return {found.check: found for found in check_queues(*wire, wanted)}

    found = look("lonely", "cpu", "gpus")
    assert found["queue cpu"].level is Level.OK
    assert found["queue lonely"].level is Level.WARNING
    assert "--queue lonely" in found["queue lonely"].advice
    assert found["queue gpus"].level is Level.ERROR
    assert "there is 'gpu'" in found["queue gpus"].advice
    assert "queue lonely" not in look("cpu")  # nobody wants it

    api.call("tasks.enqueue", task=waits, queue=lonely)
    assert look("cpu")["queue lonely"].level is Level.ERROR
    assert "1 task(s) wait" in look("cpu")["queue lonely"].said

    # An agent writes its version into the log of its task.
    api.call("tasks.enqueue", task=runs, queue_name="cpu")
    deadline = time.monotonic() + 60
    while api.call("tasks.get_all", id=[runs])["tasks"][0]["status"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (name,) = (name for name in found if name.startswith("agent ") and name.endswith(":cpu"))
    assert "version 3." in look("cpu")[name].said
    monkeypatch.setattr(queues, "_installed", lambda: "2.9.1")
    assert look("cpu")[name].level is Level.WARNING

    # One that registered and fell silent.
    api.call("workers.register", worker="gone:cpu", queues=[lonely], timeout=600)
    monkeypatch.setattr(queues, "LIVE_S", -1.0)
    assert look("lonely")["agent gone:cpu"].level is Level.WARNING
    assert look("lonely")["queue lonely"].said.startswith("0 agent(s)")
    api.call("workers.unregister", worker="gone:cpu")
    api.call("tasks.delete", task=waits, force=True)
    api.call("queues.delete", queue=lonely, force=True)


# The file server.


@pytest.mark.stack
def test_a_round_trip_leaves_nothing_behind(
    stack: LocalStack, wire: tuple[Wire, Settings], tmp_path: Path
) -> None:
    session, settings = wire
    findings = check_files(session, replace(settings, output=tmp_path.as_uri()))
    assert [found.level for found in findings] == [Level.OK, Level.OK], findings
    left = [p for p in (*stack.home.server.rglob("*"), *tmp_path.rglob("*")) if p.is_file()]
    assert not [path for path in left if ".sightline-doctor" in str(path)]
    assert [found.said for found in check_files(session, replace(settings, files=""))] == [
        "nothing names the file server"
    ]


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (404, b"", "refuses an upload (404)"),
        (413, b"", "refuses an upload (413)"),
        (200, b"something else", "gives back other bytes"),
    ],
)
def test_a_file_server_that_is_none(site: Site, status: int, content: bytes, said: str) -> None:
    site.answer = lambda *_: (status, "text/plain", content)
    settings = settings_of(site.url)
    with Wire(settings, 5.0) as wire:
        (found,) = check_files(wire, settings)
    assert found.level is Level.ERROR
    assert said in found.said
    assert found.advice
