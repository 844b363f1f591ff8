import os
from pathlib import Path

import pytest

from agent.stack.activation import activate, is_local
from agent.stack.configuration import client_configuration
from agent.stack.credentials import Credentials


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("CLEARML_", "TRAINS_", "SIGHTLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLEARML_CONFIG_FILE", "")  # so that monkeypatch puts it back
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("SIGHTLINE_HOME", str(tmp_path / "s"))
    (tmp_path / "user").mkdir()
    return tmp_path


def conf(path: Path, url: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(client_configuration(url, Credentials("k", "s"), Path("/c")))
    return path


def test_nothing_configured(place: Path) -> None:
    active = activate()
    assert (active.chosen_by, active.url, active.is_local) == ("nothing", "", False)
    assert not os.environ["CLEARML_CONFIG_FILE"]


def test_the_stack_is_used_when_nothing_else_is_named(place: Path) -> None:
    path = conf(place / "s" / "clearml.conf", "http://127.0.0.1:8010")
    active = activate()
    assert (active.chosen_by, active.url) == ("stack", "http://127.0.0.1:8010")
    assert active.is_local
    assert is_local()
    assert os.environ["CLEARML_CONFIG_FILE"] == str(path)


def test_the_users_choice_wins(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf(place / "s" / "clearml.conf", "http://127.0.0.1:8010")
    own = conf(place / "user" / "clearml.conf", "https://api.company.example")
    assert activate().chosen_by == str(own)
    assert not os.environ["CLEARML_CONFIG_FILE"]
    assert not is_local()
    named = conf(place / "named.conf", "http://10.0.0.7:8008")
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(named))
    assert (activate().chosen_by, activate().url) == ("CLEARML_CONFIG_FILE", "http://10.0.0.7:8008")
    monkeypatch.setenv("CLEARML_API_HOST", "http://localhost:8008")
    active = activate()
    assert (active.chosen_by, active.is_local) == ("CLEARML_API_HOST", True)
    assert os.environ["CLEARML_CONFIG_FILE"] == str(named)


@pytest.mark.parametrize(
    ("text", "url", "local"),
    [
        ('api { api_server: "http://127.0.0.1:8008" }', "http://127.0.0.1:8008", True),
        ("api.api_server = http://[::1]:8008\n", "http://[::1]:8008", True),
        (
            "api {\n # api_server: http://localhost:1\n api_server: http://h:2,\n}",
            "http://h:2",
            False,
        ),
        ('{"api": {"api_server": "https://api.clear.ml"}}', "https://api.clear.ml", False),
        ("api {}", "", False),
        ("api { api_server: http://127.evil.example:1 }", "http://127.evil.example:1", False),
    ],
)
def test_reading_the_address(
    place: Path, monkeypatch: pytest.MonkeyPatch, text: str, url: str, local: bool
) -> None:
    (place / "c.conf").write_text(text)
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(place / "c.conf"))
    active = activate()
    assert (active.url, active.is_local) == (url, local)


def test_a_proxy_is_not_asked_for_a_local_server(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf(place / "s" / "clearml.conf", "http://127.0.0.1:8010")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    activate()
    assert os.environ["no_proxy"] == "127.0.0.1,localhost"
