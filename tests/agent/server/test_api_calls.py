"""Calls as such: addresses, verbs, bodies, tokens, the envelope, the command line."""

from __future__ import annotations

import gzip
import json
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from agent.server import clock


@pytest.mark.parametrize("prefix", ["", "/v2.4", "/v2.31", "/v999.0"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_verb_and_version(server: Any, prefix: str, method: str) -> None:
    response = server.http.request(
        method, f"{server.url}{prefix}/queues.get_all", json={"name": "^default$"}, timeout=10
    )
    assert [queue["name"] for queue in response.json()["data"]["queues"]] == ["default"]


def test_the_envelope(server: Any) -> None:
    meta = server.raw("queues.get_default").json()["meta"]
    assert meta["result_code"] == 200
    assert meta["result_msg"] == "OK"
    assert (meta["result_subcode"], meta["error_stack"], meta["error_data"]) == (0, "", {})
    assert meta["endpoint"] == {
        "name": "queues.get_default", "requested_version": "2.31", "actual_version": "2.31",
    }  # fmt: skip
    assert meta["id"]
    assert meta["trx"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/tasks.cook", "tasks.cook"),
        ("/v2.31/nothing.get_all", "nothing.get_all"),
        ("/", "No such address"),
        ("/tasks", "No such address"),
        ("/v2.31/../../etc/passwd", "No such address"),
        ("/vX/tasks.get_all", "No such address"),
        ("/filesystem", "No such address"),
    ],
)
def test_an_unknown_action_is_named(server: Any, path: str, says: str) -> None:
    response = server.http.post(f"{server.url}{path}", json={}, timeout=10)
    assert response.status_code == 400
    assert says in response.json()["meta"]["result_msg"]


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"5", b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 100_000,
        b'{"page": 1e400, "page_size": 1}', b'{"page": "x", "page_size": 1}',
        b'{"page": 99999999999999999999, "page_size": 1}', b'{"size": 0}',
        b'{"only_fields": 3}', b'{"order_by": {}}', b'{"id": [{}]}', b'{"id": 1e999}',
        b'{"search_text": []}', b'{"_any_": {"fields": 1}}', b'{"project": {"a": 1}}',
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused(server: Any, body: bytes) -> None:
    for action in ("tasks.get_all", "projects.get_all"):
        response = server.http.post(f"{server.url}/{action}", data=body, timeout=10)
        assert response.status_code in (200, 400), response.text
        assert response.json()["meta"]["result_code"] == response.status_code


def test_every_action_refuses_nonsense_politely(server: Any) -> None:
    """No body makes an internal fault, whatever type its fields have."""
    from agent.server import services
    from agent.server.registry import ACTIONS

    services.load()
    task = server.task()
    names = ("task", "name", "type", "queue", "project", "model", "worker", "ids", "tasks", "id",
             "metric", "metrics", "hyperparams", "configuration", "artifacts", "models", "args",
             "metadata", "tags", "uri", "iteration", "count", "scroll_id", "timestamp")  # fmt: skip
    values: list[Any] = [None, 5, -1.5, "", "x", task, [], [5], [task], [{}], [{"key": 5}],
                         {}, {"a": []}, True, 2**70, [{"task": task}], "eyJhIjoxfQ=="]  # fmt: skip
    for action in sorted(ACTIONS.keys() - {"tasks.delete"}):
        for value in values:
            response = server.raw(action, dict.fromkeys(names, value))
            assert response.status_code < 500, (action, value, response.text)


def test_an_answer_is_one_packet(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for _ in range(50):
            connection.sendall(b"GET /debug.ping HTTP/1.1\r\nHost: x\r\n\r\n")
            packet = connection.recv(1 << 20)
            assert packet.startswith(b"HTTP/1.1 200")
            assert packet.endswith(b"}}")


def test_pipelined_requests_are_all_answered(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        request = "{} /debug.ping HTTP/1.1\r\nHost: x\r\n{}\r\n"
        last = request.format("GET", "Connection: close\r\n")
        connection.sendall((request.format("GET", "") * 20 + last).encode())
        answer = connection.makefile("rb").read()
    assert answer.count(b"HTTP/1.1 200") == answer.count(b"pong") == 21


def test_unknown_keys_are_ignored(server: Any) -> None:
    body = {"method": "get", "task_types": ["x"], "allow_locked": True, "name": "^default$"}
    assert len(server.call("queues.get_all", **body)["queues"]) == 1


def test_gzip_bodies(server: Any) -> None:
    def send(body: bytes) -> requests.Response:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        url = f"{server.url}/queues.get_all"
        return server.http.post(url, data=body, headers=headers, timeout=30)

    packed = gzip.compress(json.dumps({"name": "^default$"}).encode())
    assert len(send(packed).json()["data"]["queues"]) == 1
    for broken in (b"no gzip", packed[:-9], packed[:5], b""):
        assert send(broken).status_code in (200, 400)
    bomb = gzip.compress(bytes(300 * 1024 * 1024), compresslevel=1)
    assert send(bomb).status_code == 413


def test_a_large_body(server: Any) -> None:
    value = "x" * 5_000_000
    task = server.task(configuration={"big": {"name": "big", "value": value}})
    found = server.call("tasks.get_by_id", task=task)["task"]
    assert found["configuration"]["big"]["value"] == value


def test_arguments_in_the_address(server: Any) -> None:
    response = server.http.get(f"{server.url}/auth.login?expiration_sec=120", timeout=10)
    claims = jwt.decode(response.json()["data"]["token"], options={"verify_signature": False})
    assert 100 < claims["exp"] - time.time() <= 120
    tasks = [server.task(), server.task()]
    server.task()
    for wanted in ([tasks[0]], tasks):
        query = "&".join(f"id={task}" for task in wanted)
        url = f"{server.url}/tasks.get_all?{query}&order_by=created&only_fields=id"
        found = server.http.get(url, timeout=10).json()["data"]["tasks"]
        assert [task["id"] for task in found] == wanted


def test_login_gives_the_token_that_the_sdk_reads(server: Any) -> None:
    token = server.call("auth.login")["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["api_version"] == "2.31"
    assert claims["server_version"] == "2.0.0"
    assert claims["feature_set"] == "basic"
    assert claims["env"]
    assert claims["identity"]["user"]
    assert claims["exp"] > time.time() + 86400
    headers = {"Authorization": f"Bearer {token}"}
    renewed = requests.get(f"{server.url}/auth.login", headers=headers, timeout=10)
    assert renewed.json()["data"]["token"]
    url = f"{server.url}/users.get_current_user"
    answer = requests.get(url, headers=headers, timeout=10).json()
    assert answer["data"]["user"]["id"] == claims["identity"]["user"]


def forged(claims: dict[str, Any]) -> list[str]:
    past = {**claims, "exp": int(time.time()) - 10}
    return [
        jwt.encode(claims, "another key of the right length.....", algorithm="HS256"),
        jwt.encode(past, "another key of the right length.....", algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none"),
        "no.such.token",
        "",
    ]


def test_only_good_credentials_open_the_door(server: Any) -> None:
    token = server.call("auth.login")["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    headers: list[dict[str, str]] = [{}, {"Authorization": "Basic !!!"}, {"Authorization": "x"}]
    headers += [{"Authorization": f"Bearer {fake}"} for fake in forged(claims)]
    headers += [{"Authorization": f"Bearer {token[:-2]}"}]
    paths = ("tasks.get_all", "auth.login", "files/x")
    for header in headers:
        for path in paths:
            response = requests.get(f"{server.url}/{path}", headers=header, timeout=10)
            assert response.status_code == 401, (path, header)
    for header, subcode, says in (
        ({}, 20, "Unauthorized (missing credentials)"),
        ({"Authorization": "Basic !!!"}, 22, "Unauthorized (invalid credentials)"),
        ({"Authorization": "Bearer x"}, 30, "Invalid token (invalid jwt token): reason="),
    ):
        meta = requests.get(f"{server.url}/auth.login", headers=header, timeout=10).json()["meta"]
        assert meta["result_subcode"] == subcode
        assert meta["result_msg"].startswith(says)
    wrong = requests.get(f"{server.url}/auth.login", auth=(server.keys["access_key"], "x"),
                         timeout=10)  # fmt: skip
    assert wrong.status_code == 401
    assert wrong.json()["meta"]["result_code"] == 401
    assert wrong.json()["meta"]["result_subcode"] == 22


def test_an_expired_token_is_refused(server: Any) -> None:
    response = server.http.get(f"{server.url}/auth.login?expiration_sec=1", timeout=10)
    header = {"Authorization": f"Bearer {response.json()['data']['token']}"}
    time.sleep(2.1)
    answer = requests.get(f"{server.url}/tasks.get_all", headers=header, timeout=10)
    meta = answer.json()["meta"]
    assert (meta["result_code"], meta["result_subcode"]) == (401, 30)
    assert meta["result_msg"].endswith("reason=Signature has expired")


def test_further_credentials_are_made_and_revoked(server: Any) -> None:
    before = clock.now()
    made = server.call("auth.create_credentials", label="ci")["credentials"]
    unused = server.call("auth.get_credentials")["credentials"][-1]
    assert (unused["access_key"], unused["last_used"]) == (made["access_key"], None)
    auth = (made["access_key"], made["secret_key"])
    url = f"{server.url}/queues.get_default"
    assert requests.get(url, auth=auth, timeout=10).status_code == 200
    listed = server.call("auth.get_credentials")["credentials"]
    assert made["access_key"] in [item["access_key"] for item in listed]
    assert not any("secret_key" in item for item in listed)
    used = {item["access_key"]: item for item in listed}[made["access_key"]]
    assert used["last_used_from"] == "127.0.0.1"
    assert before <= used["last_used"] <= clock.now()
    assert server.call("auth.edit_credentials", access_key=auth[0], label="x")["updated"] == 1
    assert server.call("auth.revoke_credentials", access_key=auth[0])["revoked"] == 1
    assert requests.get(url, auth=auth, timeout=10).status_code == 401


def test_ping_needs_no_token_and_tells_whose_server_it_is(server: Any) -> None:
    answer = requests.get(f"{server.url}/debug.ping", timeout=10).json()["data"]
    assert answer["server"] == "sightline"
    assert answer["version"]
    assert answer["state_id"] == (server.state / "id").read_text()


def test_secrets_are_the_owners_alone(server: Any) -> None:
    for name in ("credentials.json", "signing.key", "server.db", "server.db-wal"):
        assert stat.S_IMODE((server.state / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((server.state / "files").stat().st_mode) == 0o700


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.server", *options],
        capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip


def test_what_is_wrong_at_the_start_is_said_in_one_line(server: Any, tmp_path: Path) -> None:
    taken = run("--state", str(tmp_path / "other"), "--port", str(server.port))
    assert taken.returncode == 1
    assert f"127.0.0.1:{server.port}" in taken.stderr
    second = run("--state", str(server.state), "--port", "0")
    assert second.returncode == 1
    assert "already using" in second.stderr
    (tmp_path / "bad.json").write_text("{}")
    bad = run("--state", str(tmp_path / "s"), "--port", "0", "--credentials",
              str(tmp_path / "bad.json"))  # fmt: skip
    assert bad.returncode == 1
    assert "bad.json" in bad.stderr
    for failed in (taken, second, bad):
        assert len(failed.stderr.strip().splitlines()) == 1


def test_given_credentials_are_used(start_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    path.write_text(json.dumps({"access_key": "A", "secret_key": "S" * 20, "user": "ada"}))
    server = start_server("--credentials", str(path))
    assert not (server.state / "credentials.json").exists()
    answer = requests.get(f"{server.url}/users.get_current_user", auth=("A", "S" * 20), timeout=10)
    assert answer.json()["data"]["user"]["name"] == "ada"
