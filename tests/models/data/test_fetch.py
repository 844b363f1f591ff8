"""Downloads run against a local server that misbehaves as real ones do."""

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.data.download import DownloadError, download, shown
from models.data.fetch import fetch, fingerprint
from models.reporting import Silence


class Lines(Silence):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[int] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, description: str, done: int, total: int) -> None:
        self.lines.append(description)
        self.done.append(done)


def archive_of(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("set/text.txt", text)
        zipped.writestr("set/bulk.bin", hashlib.shake_256(text.encode()).digest(400_000))
    return buffer.getvalue()


@dataclass
class Site:
    """What the server serves, and how badly."""

    content: bytes = field(default_factory=lambda: archive_of("one"))
    etag: str | None = '"v1"'
    modified: str | None = None
    cut_after: int | None = None
    """Break the connection after so many bytes of a body, for `cuts` times."""
    cuts: int = 0
    ranges: bool = True
    head: bool = True
    errors: list[int] = field(default_factory=list)
    """Statuses to answer with first."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None: ...

        def do_HEAD(self) -> None:
            state.requests.append(("HEAD", None))
            if not state.head:
                self.send_response(405)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.headers_of(len(state.content))

        def headers_of(self, length: int) -> None:
            if state.etag:
                self.send_header("ETag", state.etag)
            if state.modified:
                self.send_header("Last-Modified", state.modified)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.requests.append(("GET", asked))
            if state.errors:
                self.send_response(state.errors.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            fits = self.headers.get("If-Range") in (state.etag, state.modified)
            if asked and state.ranges and fits:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                end = len(state.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(state.content)}")
            else:
                self.send_response(200)
            body = state.content[start:]
            self.headers_of(len(body))
            if state.cuts > 0 and state.cut_after is not None:
                state.cuts -= 1
                self.wfile.write(body[: state.cut_after])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/sets/one.zip?token=secret"
    yield state
    server.shutdown()
    server.server_close()


def gets(site: Site) -> list[str | None]:
    return [asked for method, asked in site.requests if method == "GET"]


def test_a_url_is_fetched_once_and_unpacked(site: Site, tmp_path: Path) -> None:
    lines = Lines()
    for _ in range(3):
        folder = fetch(site.url, tmp_path, lines)
        assert (folder / "set" / "text.txt").read_text() == "one"
    assert gets(site) == [None]
    assert lines.done[-1] == len(site.content)
    assert not any("secret" in line for line in lines.lines)
    assert not list(tmp_path.rglob("archive*"))


def test_a_cut_download_goes_on_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    site.cut_after, site.cuts = 150_000, 2
    target = tmp_path / "file"
    download(site.url, target, Silence())
    assert target.read_bytes() == site.content
    asked = gets(site)
    assert len(asked) == 3
    assert asked[0] is None
    starts = [int(one.removeprefix("bytes=").removesuffix("-")) for one in asked[1:] if one]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(site.content)


def test_a_new_process_goes_on_too(site: Site, tmp_path: Path) -> None:
    site.cut_after, site.cuts = 200_000, 1
    with pytest.raises(DownloadError, match=r"connection.* broke"):
        download(site.url, tmp_path / "file", Silence(), tries=1)
    have = (tmp_path / "file.part").stat().st_size
    assert have > 0
    download(site.url, tmp_path / "file", Silence())
    assert gets(site)[1] == f"bytes={have}-"
    assert (tmp_path / "file").read_bytes() == site.content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("case", ["new version", "no ranges", "no validators", "weak etag"])
def test_starts_anew_where_going_on_would_mix_versions(
    site: Site, tmp_path: Path, case: str
) -> None:
    if case == "no validators":
        site.etag = None
    if case == "weak etag":
        site.etag = 'W/"v1"'
    site.cut_after, site.cuts = 150_000, 1
    with pytest.raises(DownloadError):
        download(site.url, tmp_path / "file", Silence(), tries=1)
    if case == "new version":
        site.content, site.etag = archive_of("two"), '"v2"'
    if case == "no ranges":
        site.ranges = False
    download(site.url, tmp_path / "file", Silence())
    assert (tmp_path / "file").read_bytes() == site.content


def test_a_date_allows_going_on(site: Site, tmp_path: Path) -> None:
    site.etag, site.modified = None, "Mon, 02 Nov 2026 10:00:00 GMT"
    site.cut_after, site.cuts = 150_000, 1
    download(site.url, tmp_path / "file", Silence())
    assert (tmp_path / "file").read_bytes() == site.content
    assert gets(site)[1] is not None


def test_passing_errors_are_tried_again(site: Site, tmp_path: Path) -> None:
    site.errors = [503, 429, 500]
    download(site.url, tmp_path / "file", Silence())
    assert (tmp_path / "file").read_bytes() == site.content


@pytest.mark.parametrize("status", [403, 404, 410])
def test_final_errors_are_one_clear_line(site: Site, tmp_path: Path, status: int) -> None:
    site.errors = [status]
    with pytest.raises(ValueError, match=f"the server answered {status}") as error:
        fetch(site.url, tmp_path, Silence())
    assert "secret" not in str(error.value)
    assert len(gets(site)) == 1


def test_gives_up_after_some_tries(site: Site, tmp_path: Path) -> None:
    site.errors = [503] * 10
    with pytest.raises(DownloadError, match="4 tries"):
        download(site.url, tmp_path / "file", Silence())
    assert len(gets(site)) == 4


def test_no_server_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ValueError, match="no connection"):
        download("http://127.0.0.1:9/x", tmp_path / "file", Silence(), tries=2, pause=0)


def test_a_changed_url_is_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(site.url, tmp_path, Silence())
    site.content, site.etag = archive_of("two"), '"v2"'
    folder = fetch(site.url, tmp_path, Silence())
    assert (folder / "set" / "text.txt").read_text() == "two"


def test_the_copy_serves_when_the_server_cant_be_asked(site: Site, tmp_path: Path) -> None:
    fetch(site.url, tmp_path, Silence())
    site.head = False
    lines = Lines()
    assert (fetch(site.url, tmp_path, lines) / "set" / "text.txt").is_file()
    assert any("taking the copy" in line for line in lines.lines)


def test_sha256_is_checked(site: Site, tmp_path: Path) -> None:
    right = hashlib.sha256(site.content).hexdigest()
    with pytest.raises(ValueError, match="expected was 0000"):
        fetch(site.url, tmp_path, Silence(), sha256="0" * 64)
    folder = fetch(site.url, tmp_path, Silence(), sha256=right.upper())
    assert (folder / "set").is_dir()


def test_a_note_that_was_cut_off_is_fetched_over(site: Site, tmp_path: Path) -> None:
    done = fetch(site.url, tmp_path, Silence()).with_name("done.json")
    done.write_text("")
    assert fetch(site.url, tmp_path, Silence()).is_dir()
    assert done.read_text()


def test_content_that_is_no_archive(site: Site, tmp_path: Path) -> None:
    site.content = b"<html>sign in, please</html>"
    with pytest.raises(ValueError, match="is no zip or tar archive"):
        fetch(site.url, tmp_path, Silence())
    site.content, site.etag = archive_of("one"), '"v3"'
    assert fetch(site.url, tmp_path, Silence()).is_dir()


def test_local_sources(tmp_path: Path) -> None:
    archive = tmp_path / "my set.zip"
    archive.write_bytes(archive_of("one"))
    cache = tmp_path / "cache"
    first = fetch(str(archive), cache, Silence())
    assert (first / "set" / "text.txt").read_text() == "one"
    assert fetch(archive.as_uri(), cache, Silence()) == first
    assert fetch(str(first), cache, Silence()) == first
    archive.write_bytes(archive_of("two"))
    os.utime(archive, (1, 1))
    assert (fetch(str(archive), cache, Silence()) / "set" / "text.txt").read_text() == "two"


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("nowhere/at/all", "there is no file or folder 'nowhere/at/all'"),
        ("", "data.source is empty"),
        ("ftp://example.org/a.zip", "can't fetch ftp"),
        ("file://elsewhere/a.zip", "another machine"),
        ("http://example.org:eighty/a.zip", "isn't an address that can be read"),
        ("http://[::1/a.zip", "isn't an address that can be read"),
        ("~nobody-of-this-name/data", "no user with such a home"),
    ],
)
def test_wrong_sources_are_one_clear_line(tmp_path: Path, source: str, match: str) -> None:
    for function in (lambda: fetch(source, tmp_path, Silence()), lambda: fingerprint(source)):
        with pytest.raises(ValueError, match=match):
            function()


def test_fingerprint_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.txt", "b/c.txt", ".hidden"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1000, 1000))
    first = fingerprint(str(tmp_path))
    (tmp_path / ".hidden").write_text("changed")
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert fingerprint(str(tmp_path)) == first
    os.utime(tmp_path / "a.txt", (1000, 1001))
    second = fingerprint(str(tmp_path))
    assert second != first
    (tmp_path / "b" / "c.txt").rename(tmp_path / "b" / "d.txt")
    assert fingerprint(str(tmp_path)) not in (first, second)


def test_fingerprint_of_a_url(site: Site) -> None:
    first = fingerprint(site.url)
    assert first is not None
    assert fingerprint(site.url) == first
    site.etag = '"v2"'
    assert fingerprint(site.url) != first
    site.etag = None
    assert fingerprint(site.url) is None
    site.head = False
    assert fingerprint(site.url) is None


def test_shown_hides_secrets() -> None:
    assert shown("https://me:pw@host.example:8443/a/b.zip?sig=x#y") == (
        "https://host.example:8443/a/b.zip"
    )
