"""State, credentials, configuration, lock: what a stack keeps on disk."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.stack.configuration import agent_configuration, client_configuration, git_configuration
from agent.stack.credentials import (
    Credentials,
    environment_lines,
    load_credentials,
    load_or_make_credentials,
)
from agent.stack.errors import StackError
from agent.stack.home import StackHome
from agent.stack.lock import exclusive
from agent.stack.state import AgentRecord, ProcessRecord, StackState, load_state, save_state

KEYS = Credentials("KEY", "sec-ret_1")


@pytest.fixture
def home(tmp_path: Path) -> StackHome:
    home = StackHome(tmp_path / "s")
    home.create()
    return home


def test_state_survives_a_round_trip(home: StackHome) -> None:
    assert load_state(home) is None
    state = StackState(
        id="ab",
        host="0.0.0.0",
        port=8009,
        server=ProcessRecord(12, 34.5),
        agents={"gpu-2": AgentRecord("gpu-2", "gpu", "h:gpu-2", ("1", "3"), ProcessRecord(1, 2.0))},
        counts={"gpu": 2},
    )
    save_state(home, state)
    assert load_state(home) == state
    assert stat.S_IMODE(home.state.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "x"}', '{"agents": 3}'])
def test_damaged_state_is_one_line(home: StackHome, text: str) -> None:
    home.state.write_text(text)
    with pytest.raises(StackError, match=r"stack\.json is damaged"):
        load_state(home)


def test_credentials_are_made_once_and_private(home: StackHome) -> None:
    with pytest.raises(StackError, match="sightline up"):
        load_credentials(home)
    before = os.umask(0)
    try:
        made = load_or_make_credentials(home)
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600
    assert load_or_make_credentials(home) == made
    assert len(made.secret_key) >= 40
    assert made.secret_key not in repr(made)


def test_opened_credentials_are_closed_again(home: StackHome) -> None:
    load_or_make_credentials(home)
    home.credentials.chmod(0o644)
    load_credentials(home)
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600


def test_environment_lines_are_shell(tmp_path: Path) -> None:
    lines = environment_lines("http://127.0.0.1:8008", KEYS)
    out = subprocess.run(
        ["bash", "-c", f"{lines}\nenv"], capture_output=True, text=True, check=True, env={}
    ).stdout.splitlines()
    assert "CLEARML_API_SECRET_KEY=sec-ret_1" in out
    assert "CLEARML_FILES_HOST=http://127.0.0.1:8008/files" in out


def test_configurations_are_read_as_meant() -> None:
    from clearml_agent.external.pyhocon import ConfigFactory

    folder = Path('/odd/"quoted" $HOME {x}')
    client = ConfigFactory.parse_string(client_configuration("http://h:1", KEYS, folder / "c"))
    assert client["api.api_server"] == "http://h:1"
    assert client["api.credentials.secret_key"] == "sec-ret_1"
    assert client["sdk.development.report_use_subprocess"] is False
    assert client["sdk.development.default_output_uri"] == "http://h:1/files"
    assert client["sdk.storage.cache.default_base_dir"] == str(folder / "c")
    assert client["api.http.retries.backoff_max"] == 5.0
    agent = ConfigFactory.parse_string(
        agent_configuration(
            "http://h:1", KEYS, Path("/c"), folder=folder, vcs_cache=Path("/v"), host="box"
        )
    )
    assert agent["agent.venvs_dir"] == str(folder / "code")
    assert agent["agent.vcs_cache.path"] == "/v"
    assert agent["agent.disable_agent_update_check"] is True
    assert agent["sdk.development.report_use_subprocess"] is False


def test_git_configuration_includes_the_users(tmp_path: Path) -> None:
    user = tmp_path / "a user's.config"
    user.write_text("[user]\n\tname = Somebody\n[safe]\n\tdirectory = /elsewhere\n")
    own = tmp_path / "own"
    own.write_text(git_configuration(user))

    def get(name: str) -> str:
        return subprocess.run(
            ["git", "config", "--get", name],
            env={**os.environ, "GIT_CONFIG_GLOBAL": str(own)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert get("user.name") == "Somebody"
    assert get("safe.directory") == "*"


def test_lock_waits_for_the_holder_and_says_so(home: StackHome) -> None:
    told: list[str] = []
    order: list[str] = []
    inside = threading.Event()
    release = threading.Event()

    def first() -> None:
        with exclusive(home, told.append):
            inside.set()
            release.wait(10)
            order.append("first")

    def tell(line: str) -> None:
        told.append(line)
        release.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with exclusive(home, tell):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert told == [f"another sightline command (pid {os.getpid()}) is changing the stack; waiting"]


def test_lock_gives_up_with_a_line_and_dies_with_its_holder(home: StackHome) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from agent.stack.home import StackHome\n"
        "from agent.stack.lock import exclusive\n"
        "with exclusive(StackHome(Path(sys.argv[1])), print):\n"
        "    print('in', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "in\n"
        with (
            pytest.raises(StackError, match=rf"pid {holder.pid}"),
            exclusive(home, lambda line: None, patience_s=0.2),
        ):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with exclusive(home, lambda line: None, patience_s=0.2):
        pass


def test_state_file_is_json_for_other_tools(home: StackHome) -> None:
    save_state(home, StackState(id="ab"))
    assert json.loads(home.state.read_text())["port"] is None
