"""The server's pages, as the stack starts and opens them."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import CliRunner

from agent.stack import commands, pages
from agent.stack.errors import StackError


def test_a_folder_is_checked_before_anything_is_started(tmp_path: Path) -> None:
    assert pages.check_webapp(None) is None
    assert pages.check_webapp("none") == ""
    with pytest.raises(StackError, match="no folder"):
        pages.check_webapp(tmp_path / "missing")
    with pytest.raises(StackError, match=r"no index\.html.*README"):
        pages.check_webapp(tmp_path)
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html").write_text("<!doctype html>")
    assert pages.check_webapp(tmp_path) == str(tmp_path)


@pytest.mark.stack
def test_a_link_that_logs_in_once(stack: Any, on_stack: Any) -> None:
    done = CliRunner().invoke(commands.open_page, ["--link"])
    assert done.exit_code == 0, done.output
    link = urlsplit(re.search(r"http\S+", done.output)[0])
    given = parse_qs(link.fragment)
    assert (link.path, given["to"], link.query) == ("/web/link.html", ["/"], "")
    page = requests.get(link._replace(fragment="").geturl(), timeout=10)
    assert "link.js" in page.text
    address = f"{link.scheme}://{link.netloc}/web.login"
    codes = [
        requests.post(address, json={"code": given["code"][0]}, timeout=10).status_code
        for _ in range(2)
    ]
    assert codes == [200, 401]


@pytest.mark.stack
def test_a_task_is_opened_by_name(
    stack: Any, on_stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    class Browser:
        open = staticmethod(opened.append)

    monkeypatch.setattr("webbrowser.get", Browser)
    with stack.api() as api:
        task = api.call("tasks.create", name="to be shown", type="training")["id"]
    done = CliRunner().invoke(commands.open_page, ["to be shown"])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith(f"/projects/*/tasks/{task}")
    path = Path(urlsplit(opened[0]).path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "code=" in path.read_text()
    assert "code=" not in done.output
    unknown = CliRunner().invoke(commands.open_page, ["nothing"])
    assert unknown.exit_code == 1
    assert "no task 'nothing'" in unknown.output


@pytest.mark.stack
def test_another_application_needs_another_start(stack: Any, on_stack: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    done = CliRunner().invoke(commands.up, ["--webapp", str(tmp_path)])
    assert done.exit_code == 1
    assert f"sightline down && sightline up --webapp {tmp_path}" in done.output


@pytest.mark.stack
def test_another_name_needs_another_start(stack: Any, on_stack: Any) -> None:
    done = CliRunner().invoke(commands.up, ["--allow-host", "clearml.example.com"])
    assert done.exit_code == 1
    assert "sightline down && sightline up --allow-host clearml.example.com" in done.output
