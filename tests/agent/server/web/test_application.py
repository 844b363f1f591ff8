"""ClearML's web application served from a folder: a stand-in makes its requests, in its ways."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def shown(server: Any, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server that shows the application."""
    state = tmp_path_factory.mktemp("shown") / "state"
    running = type(server)(state, "--webapp", str(built), "--allow-host", "server.example")
    yield running
    running.stop()


class Application:
    """What the application does in a browser: same origin, cookies, `/api/v999.0` addresses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.headers.update({"X-Clearml-Client": "Webapp-2.5.0-1"})
        # The first thing it asks for, and where it finds the API.
        self.settings = self.http.get(f"{url}/configuration.json", timeout=10).json()

    def post(self, action: str, body: Any = None, **more: Any) -> requests.Response:
        more["headers"] = {"Origin": self.url, **more.get("headers", {})}
        base = f"{self.url}{self.settings['apiBaseUrl']}/v999.0"
        return self.http.post(f"{base}/{action}", json=body, timeout=10, **more)

    def call(self, action: str, /, **body: Any) -> Any:
        answer = self.post(action, body)
        assert answer.status_code == 200, (action, answer.text)
        found = answer.json()
        assert found["meta"]["result_code"] == 200
        assert found["meta"]["endpoint"]["name"] == action
        return found["data"]


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/main-ABCDEF12.js", "text/javascript; charset=utf-8", "immutable"),
        ("/runtime.1a2b3c4d5e6f7a8b.js", "text/javascript; charset=utf-8", "immutable"),
        ("/polyfills.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/styles-XYZ123AB.css", "text/css; charset=utf-8", "immutable"),
        ("/assets/logo.svg", "image/svg+xml", "no-cache"),
        ("/assets/fonts/heebo.woff2", "font/woff2", "no-cache"),
        ("/env.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/projects/1/tasks/2/info-output/metrics/scalar", "text/html; charset=utf-8", "no-cache"),
        ("/pipelines/*/experiments/x.y", "text/html; charset=utf-8", "no-cache"),
        ("/login?redirect=%2Fprojects", "text/html; charset=utf-8", "no-cache"),
        ("/configuration.json", "application/json", "no-store"),
        ("/credentials.json", "application/json", "no-store"),
    ],
)
def test_files_pages_and_configuration(shown: Any, path: str, kind: str, cache: str) -> None:
    answer = requests.get(f"{shown.url}{path}", headers=HTML, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert cache in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/missing-ABCDEF12.js", "/assets/none.png", "/secret/.hidden", "/outside.txt"]
)
def test_what_is_not_there_is_no_page(shown: Any, path: str) -> None:
    answer = requests.get(f"{shown.url}{path}", headers={"Accept": "*/*"}, timeout=10)
    assert answer.status_code == 404


def test_large_files_are_compressed(shown: Any, built: Path) -> None:
    answer = requests.get(f"{shown.url}/main-ABCDEF12.js", timeout=10)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == (built / "main-ABCDEF12.js").read_text()


def test_the_sdk_goes_on_beside_it(shown: Any) -> None:
    assert shown.call("users.get_current_user")["user"]["name"] == "sightline"
    assert shown.http.get(f"{shown.url}/debug.ping", timeout=10).status_code == 200


def test_configuration_names_this_server(shown: Any) -> None:
    app = Application(shown.url)
    assert app.settings["apiBaseUrl"] == "/api"
    assert app.settings["fileBaseUrl"] == f"{shown.url}/files"
    assert app.settings["hideUpdateNotice"] is True


def test_the_users_own_browser_is_in_at_once(shown: Any) -> None:
    app = Application(shown.url)
    modes = app.call("login.supported_modes")
    assert modes["authenticated"] is True
    cookie = next(cookie for cookie in app.http.cookies if cookie.name == "clearml_token_basic")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Strict"
    assert app.call("users.get_current_user")["user"]["name"] == "sightline"
    app.call("login.logout")
    assert not app.http.cookies


def test_name_and_password_are_a_key_and_its_secret(shown: Any) -> None:
    app = Application(shown.url)
    app.http.headers["Host"] = f"server.example:{shown.port}"  # as through a proxy
    app.url = f"http://server.example:{shown.port}"
    own = {"headers": {"Origin": app.url}}
    base = f"{shown.url}/api/v999.0"
    modes = app.http.post(f"{base}/login.supported_modes", json={}, timeout=10, **own).json()
    assert modes["data"]["authenticated"] is False
    assert modes["data"]["basic"]["enabled"] is True
    assert app.http.post(f"{base}/users.get_current_user", timeout=10, **own).status_code == 401
    wrong = app.http.post(f"{base}/auth.login", auth=("a", "b"), timeout=10, **own)
    assert (wrong.status_code, wrong.cookies.get_dict()) == (401, {})
    key = (shown.keys["access_key"], shown.keys["secret_key"])
    good = app.http.post(f"{base}/auth.login", auth=key, timeout=10, **own)
    assert good.status_code == 200
    token = good.cookies["clearml_token_basic"]
    assert token == good.json()["data"]["token"]


def test_the_cookie_is_no_use_to_foreign_pages(shown: Any) -> None:
    app = Application(shown.url)
    app.call("login.supported_modes")
    for headers in ({"Origin": "http://127.0.0.1:1"}, {"Origin": "null"}):
        answer = app.post("tasks.get_all", {}, headers=headers)
        assert answer.status_code in (401, 403)
    address = f"{shown.url}/tasks.get_all"
    for site in ("same-site", "cross-site"):
        headers = {"Sec-Fetch-Site": site}
        assert app.http.get(address, headers=headers, timeout=10).status_code in (401, 403)
        path = f"{shown.url}/files/none"
        assert app.http.get(path, headers=headers, timeout=10).status_code in (401, 403)


def test_files_are_shown_by_the_cookie(shown: Any) -> None:
    shown.http.post(f"{shown.url}/files", files={"web/a.txt": b"text"}, timeout=10)
    app = Application(shown.url)
    app.call("login.supported_modes")
    own = {"Sec-Fetch-Site": "same-origin"}
    found = app.http.get(f"{shown.url}/files/web/a.txt", headers=own, timeout=10)
    assert found.text == "text"


def test_credentials_are_told_to_this_user_only(shown: Any) -> None:
    address = f"{shown.url}/credentials.json"
    mine = requests.get(address, timeout=10).json()
    assert mine["userKey"] == shown.keys["access_key"]
    for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        other = requests.get(address, headers=headers, timeout=10)
        assert other.status_code == 403
        assert mine["userKey"] not in other.text


@pytest.mark.parametrize("inner", ["html", "build"])
def test_a_folder_inside_is_found(
    start_server: Callable[..., Any], built: Path, tmp_path: Path, inner: str
) -> None:
    outer = tmp_path / "outer"
    shutil.copytree(built, outer / inner, symlinks=True)
    server = start_server("--webapp", str(outer))
    assert "main-ABCDEF12.js" in requests.get(f"{server.url}/", headers=HTML, timeout=10).text


def test_a_folder_without_an_application_is_refused(tmp_path: Path) -> None:
    from agent.server.web.application import locate

    with pytest.raises(ValueError, match=r"no index\.html in it"):
        locate(tmp_path)
