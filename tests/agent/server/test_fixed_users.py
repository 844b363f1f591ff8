"""Users from the credentials file, who sign in with a name and a password."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

FIRST = {"access_key": "A", "secret_key": "S" * 20, "user": "ada"}


def test_they_sign_in_and_are_known(start_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    users = [{"username": "bob", "password": "a word", "name": "Bob B"},
             {"username": "eve", "password": "b word", "role": "annotator"}]  # fmt: skip
    path.write_text(json.dumps({**FIRST, "users": users}))
    server = start_server("--credentials", str(path))
    for user in users:
        answer = requests.post(f"{server.url}/auth.login",
                               auth=(user["username"], user["password"]), timeout=10)  # fmt: skip
        header = {"Authorization": f"Bearer {answer.json()['data']['token']}"}
        found = requests.post(f"{server.url}/users.get_current_user", headers=header, timeout=10)
        assert found.json()["data"]["user"]["name"] == user.get("name", user["username"])
        assert found.json()["data"]["user"]["role"] == user.get("role", "user")
        refused = requests.post(f"{server.url}/auth.edit_user", headers=header, timeout=10,
                                json={"role": "admin"})  # fmt: skip
        assert refused.status_code == 403
    wrong = requests.post(f"{server.url}/auth.login", auth=("bob", "b word"), timeout=10)
    assert wrong.status_code == 401
    listed = {user["name"]: user["id"] for user in server.call("users.get_all")["users"]}
    assert {"ada", "Bob B", "eve"} <= listed.keys()
    edited = server.call("auth.edit_user", user=listed["eve"], role="user")
    assert edited == {"updated": 1, "fields": {"role": "user"}}
    server.refuse("auth.edit_user", user=listed["eve"], role="emperor")


@pytest.mark.parametrize(
    ("users", "says"),
    [
        ([{"username": "bob"}], "a username and a password"),
        ([{"username": "ada", "password": "x"}], "a name of its own"),
        ([{"username": "bob", "password": "x", "role": "king"}], "role must be one of"),
        (["bob"], "a username and a password"),
    ],
)
def test_a_wrong_list_is_said_in_one_line(users: list[Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    path.write_text(json.dumps({**FIRST, "users": users}))
    done = subprocess.run(
        [sys.executable, "-m", "agent.server", "--state", str(tmp_path / "s"), "--port", "0",
         "--credentials", str(path)],
        capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
