"""The light page's files: what is served, how, and what never is."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
import requests

PAGE = Path(__file__).parents[4] / "agent" / "server" / "web" / "page"
HTML = {"Accept": "text/html,application/xhtml+xml"}


def get(server: Any, path: str, **headers: str) -> requests.Response:
    """A request as a browser sends it that isn't logged in."""
    return requests.get(f"{server.url}{path}", headers=headers, timeout=10)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/projects",
        "/projects/*/tasks/0123456789abcdef0123456789abcdef/output/log",
        "/pipelines/a/experiments/b",
        "/workers-and-queues",
        "/login",
    ],
)
def test_each_address_of_a_page_is_the_document(server: Any, path: str) -> None:
    answer = get(server, path, **HTML)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert '<script type="module" src="/web/main.js">' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/v2.31/debug.ping", HTML, 200),
        ("/debug.ping", {}, 200),
        ("/api/v999.0/debug.ping", {}, 200),
        ("/tasks.get_all", HTML, 401),
        ("/v2.31/nothing.here", HTML, 401),
        ("/tasks.no_such_action", HTML, 401),
        ("/no/such/address", {"Accept": "*/*"}, 400),
    ],
)
def test_calls_stay_calls(server: Any, path: str, headers: dict[str, str], code: int) -> None:
    answer = get(server, path, **headers)
    assert answer.status_code in (code, 400)
    assert answer.json()["meta"]["result_code"] == answer.status_code


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("styles/base.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
        ("plotly.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_have_types_and_come_from_the_cache(server: Any, name: str, kind: str) -> None:
    first = get(server, f"/web/{name}")
    assert first.headers["content-type"] == kind
    assert first.headers["x-content-type-options"] == "nosniff"
    again = get(server, f"/web/{name}", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = requests.head(f"{server.url}/web/{name}", timeout=10)
    assert (head.status_code, head.content) == (200, b"")


def test_compression_is_for_those_who_ask(server: Any) -> None:
    plain = get(server, "/web/main.js", **{"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    packed = requests.get(f"{server.url}/web/main.js", stream=True, timeout=10)
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read()) == plain.content == (PAGE / "main.js").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/web/../page.py",
        "/web/%2e%2e/page.py",
        "/web/..%2f..%2fsettings.py",
        "/web//etc/passwd",
        "/web/.hidden",
        "/web/main.js%00.html",
        "/web/",
        "/web/nothing.js",
    ],
)
def test_nothing_else_can_be_reached(server: Any, path: str) -> None:
    session = requests.Session()
    request = requests.Request("GET", server.url).prepare()
    request.url = f"{server.url}{path}"
    answer = session.send(request, timeout=10)
    assert answer.status_code in (400, 404)
    assert b"root:" not in answer.content


def test_the_frame_of_plots_is_shut_off(server: Any) -> None:
    policy = get(server, "/web/plot.html").headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy  # so 'none', the default
    assert f"script-src {server.url};" in policy


@pytest.mark.parametrize("name", ["plotly.min.js", "plot-frame.js"])
def test_the_frame_gets_its_scripts_though_it_counts_as_foreign(server: Any, name: str) -> None:
    # As Chromium asks from inside a sandbox.
    asked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Origin": "null"}
    assert get(server, f"/web/{name}", **asked).status_code == 200
    assert get(server, "/tasks.get_all", **asked).status_code == 403


FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PAGE)) for path in FILES])
def test_a_file_names_no_other_host_and_reads_no_html(path: Path) -> None:
    text = path.read_text()
    hosts = set(re.findall(r"""https?://[^\s'"`)/]+""", text)) - {"http://www.w3.org"}
    assert not hosts
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    if path.suffix == ".js":
        for wanted in re.findall(
            r"(?:^(?:import|export)[^;']*?from |import\()'([^']+)'", text, re.MULTILINE
        ):
            assert (path.parent / wanted).resolve().is_file(), wanted
