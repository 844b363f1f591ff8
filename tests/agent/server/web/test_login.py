"""How a browser gets its token, and who doesn't get one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from agent.server.peer import Peer
from agent.server.tickets import SECONDS, Tickets


def login(server: Any, body: Any = None, **headers: str) -> requests.Response:
    return requests.post(f"{server.url}/web.login", json=body or {}, headers=headers, timeout=10)


def user(server: Any, token: str) -> str:
    answer = requests.post(
        f"{server.url}/users.get_current_user",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    return answer.json()["data"]["user"]["name"]


def test_this_users_browser_is_let_in(server: Any) -> None:
    answer = login(server, Origin=server.url)
    assert user(server, answer.json()["data"]["token"]) == "sightline"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": "http://evil.example:{port}", "Host": "evil.example:{port}"},
        {"Origin": "http://localhost.evil.example:{port}", "Host": "localhost.evil.example:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
    ],
)
def test_foreign_pages_and_bent_names_are_not(server: Any, headers: dict[str, str]) -> None:
    given = {name: text.format(port=server.port) for name, text in headers.items()}
    assert login(server, **given).status_code in (401, 403)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_is_not(server: Any) -> None:
    script = f"""
import os, socket, sys
"".encode("idna")  # what needs files is loaded before they can no longer be read
os.setuid(int(sys.argv[1]))
with socket.create_connection(("127.0.0.1", {server.port})) as wire:
    wire.sendall(b"POST /web.login HTTP/1.1\\r\\nHost: 127.0.0.1:{server.port}\\r\\n"
                 b"Origin: {server.url}\\r\\nContent-Length: 2\\r\\n\\r\\n{{}}")
    print(wire.recv(12).decode()[-3:])
"""
    for uid, code in (("65534", "401"), ("0", "200")):
        done = subprocess.run(
            [sys.executable, "-c", script, uid],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        assert done.stdout.strip() == code


def test_a_link_works_once(server: Any) -> None:
    made = server.call("web.create_code")
    first = login(server, {"code": made["code"]})
    assert user(server, first.json()["data"]["token"]) == "sightline"
    second = login(server, {"code": made["code"]})
    assert second.status_code == 401
    assert "used already" in second.json()["meta"]["result_msg"]
    assert login(server, {"code": "made up"}).status_code == 401
    assert login(server, {"code": 7}).status_code == 400
    assert requests.post(f"{server.url}/web.create_code", timeout=10).status_code == 401


def test_without_the_web_application_cookies_count_for_nothing(server: Any) -> None:
    token = login(server, Origin=server.url).json()["data"]["token"]
    answer = requests.post(
        f"{server.url}/users.get_all", cookies={"clearml_token_basic": token}, timeout=10
    )
    assert answer.status_code == 401


def test_a_ticket_opens_one_file_for_a_while(server: Any) -> None:
    for name in ("a b.txt", "c.txt"):
        server.http.post(f"{server.url}/files", files={f"tickets/{name}": b"text"}, timeout=10)
    made = server.call("web.get_ticket", path="/files/tickets/a b.txt")["ticket"]

    def fetch(path: str, ticket: str, method: str = "GET") -> int:
        url = f"{server.url}{path}?ticket={ticket}"
        return requests.request(method, url, timeout=10).status_code

    assert fetch("/files/tickets/a%20b.txt", made) == 200
    assert fetch("/files/tickets/c.txt", made) == 401
    assert fetch("/files/tickets/a%20b.txt", made[:-1] + "x") == 401
    assert fetch("/files/tickets/a%20b.txt", "9" * 30) == 401
    assert fetch("/files/tickets/a%20b.txt", made, "DELETE") == 401
    assert server.refuse("web.get_ticket", path="/etc/passwd")["result_subcode"] == 12


def test_a_ticket_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = Tickets("key")
    scope = {"method": "GET", "path": "/files/a"}
    scope["query_string"] = f"ticket={tickets.make('/files/a')}".encode()
    assert tickets.holds(scope)
    now = __import__("time").time()
    monkeypatch.setattr("time.time", lambda: now + SECONDS + 2)
    assert not tickets.holds(scope)


@pytest.mark.parametrize(
    ("method", "headers", "may"),
    [
        ("POST", {"origin": "http://h:1"}, True),
        ("GET", {"sec-fetch-site": "same-origin"}, True),
        ("GET", {"sec-fetch-site": "none"}, True),
        ("POST", {}, True),
        ("GET", {}, False),
        ("GET", {"sec-fetch-site": "same-site"}, False),
        ("GET", {"sec-fetch-site": "cross-site"}, False),
        ("POST", {"origin": "http://h:2"}, False),
        ("POST", {"origin": "http://h:2", "sec-fetch-site": "same-origin"}, False),
    ],
)
def test_whose_cookies_count(method: str, headers: dict[str, str], may: bool) -> None:
    assert Peer(method, {"host": "h:1", **headers}).may_use_cookie is may


def test_the_signing_key_is_not_the_tickets_key(tmp_path: Path) -> None:
    assert Tickets("one").make("/files/a") != Tickets("two").make("/files/a")
