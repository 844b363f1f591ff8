"""What a browser is made to send by somebody else's page, and clients that mean no good."""

from __future__ import annotations

import gzip
import socket
import time
from typing import Any

import pytest
import requests

from agent.server import protocol
from agent.server.origins import Doorkeeper, is_loopback

OURS = {"Host": "127.0.0.1:8008"}


def scope(path: str = "/tasks.get_all", method: str = "POST", **headers: str) -> Any:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return {
        "path": path,
        "method": method,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }


REFUSED = {
    "a name pointed at us": {"Host": "evil.example:8008"},
    "an address that isn't ours": {"Host": "192.168.0.7"},
    "a broken name": {"Host": "[::1"},
    "a foreign page": {**OURS, "Origin": "http://evil.example"},
    "a page on another port": {**OURS, "Origin": "http://127.0.0.1:9999"},
    "a page in a frame of no origin": {**OURS, "Origin": "null"},
    "an image on a foreign page": {**OURS, "Sec_Fetch_Site": "cross-site"},
    "a link on a foreign page": {
        **OURS, "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate",
    },
    "a form": {**OURS, "Content_Type": "text/plain; charset=utf-8", "Content_Length": "2"},
}  # fmt: skip


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_a_foreign_page_may_not_call(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"Forbidden|Content-Type"):
        Doorkeeper("127.0.0.1").check(scope(method="GET", **headers))


ALLOWED: dict[str, dict[str, str]] = {
    "a program": {"Host": "localhost:8008"},
    "a program of old": {},
    "a machine by its own name": {"Host": "build-7:8008"},
    "IPv6": {"Host": "[::1]:8008"},
    "our own page": {**OURS, "Origin": "http://127.0.0.1:8008", "Sec_Fetch_Site": "same-origin"},
    "a line in a browser": {**OURS, "Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"},
    "JSON": {**OURS, "Content_Type": "application/json", "Content_Length": "2"},
}


@pytest.mark.parametrize("headers", ALLOWED.values(), ids=ALLOWED)
def test_everyone_else_may(headers: dict[str, str]) -> None:
    Doorkeeper("127.0.0.1").check(scope(**headers))


def test_a_link_to_a_page_or_a_file_may_be_followed() -> None:
    link = {**OURS, "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    for path in ("/", "/files/a/b.png", "/projects"):
        Doorkeeper("127.0.0.1").check(scope(path, "GET", **link))


def test_names_count_on_loopback_only() -> None:
    Doorkeeper("0.0.0.0").check(scope(Host="server.example"))
    Doorkeeper("127.0.0.1", ("server.example",)).check(scope(Host="server.example:1"))
    assert is_loopback("127.3.4.5")
    assert is_loopback("x.localhost")
    assert not is_loopback("localhost.evil.example")


def test_the_server_refuses_them(server: Any) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        for path in ("tasks.get_all", "files/x", ""):
            answer = server.http.post(f"{server.url}/{path}", headers=headers, timeout=10)
            assert answer.status_code == 403, (path, headers)
            assert answer.json()["meta"]["result_code"] == 403
    form = server.http.post(f"{server.url}/tasks.get_all", data={"a": "b"}, timeout=10)
    assert form.status_code == 415


def test_it_says_so_when_the_network_can_reach_it(start_server: Any) -> None:
    server = start_server("--host", "0.0.0.0", state="open")
    log = (server.state.parent / "server.log").read_text()
    assert "anyone on the network can reach this server" in log


@pytest.mark.parametrize("sent", [b"", b"GET /debug.ping HT", b"GET /debug.ping HTTP/1.1\r\nA: b"])
def test_a_head_that_never_ends(
    sent: bytes, start_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_SERVER_HEAD_SECONDS", "0.5")
    server = start_server()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        started = time.monotonic()
        assert connection.recv(100) == b""
        assert time.monotonic() - started < 8
    assert server.raw("debug.ping").ok


def test_a_head_without_bounds(server: Any) -> None:
    for line in (b"X: " + b"y" * 3_000_000, b"X: y\r\n" * 100_000):
        with (
            pytest.raises((ConnectionError, AssertionError)),
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
        ):
            connection.sendall(b"GET /debug.ping HTTP/1.1\r\nHost: localhost\r\n" + line)
            connection.sendall(b"\r\n\r\n")
            assert connection.recv(100) != b""
    assert server.raw("debug.ping").ok
    assert protocol.HEAD_BYTES < 3_000_000


def test_answers_are_packed_for_those_who_can_unpack(server: Any) -> None:
    task = server.task(configuration={"big": {"name": "big", "value": "x" * 200_000}})
    for asked, packed in {"gzip": True, "identity": False}.items():
        answer = requests.post(
            f"{server.url}/tasks.get_by_id", json={"task": task}, auth=server.http.auth,
            headers={"Accept-Encoding": asked}, stream=True, timeout=10,
        )  # fmt: skip
        raw = answer.raw.read(decode_content=False)
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed
        assert b"xxxx" in (gzip.decompress(raw) if packed else raw)
