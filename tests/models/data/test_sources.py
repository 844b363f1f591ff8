"""Public data by name, and Google Drive's links and pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from models.data import sources
from models.data.fetch import fetch
from models.data.sources import resolve
from models.reporting import Silence
from tests.models.data.test_fetch import archive_of

FILE = "1AbcdefghijklmnopQRSTUVWXYZ_-0123"
WARNING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<form id="download-form" action="https://elsewhere/download" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{file}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a&amp;b">
</form></html>"""
QUOTA = "<html><head><title>Google Drive - Quota exceeded</title></head></html>"


@pytest.mark.parametrize(
    "link",
    [
        f"gdrive:{FILE}",
        f"https://drive.google.com/file/d/{FILE}/view?usp=sharing",
        f"https://drive.google.com/open?id={FILE}",
        f"https://drive.google.com/u/0/uc?id={FILE}",
        f"https://docs.google.com/uc?export=download&id={FILE}",
    ],
)
def test_every_link_to_a_file_on_drive_means_one_address(link: str) -> None:
    assert resolve(link) == f"{sources.DRIVE}?id={FILE}&export=download&confirm=t"


@pytest.mark.parametrize(
    "link", ["gdrive:short", f"https://drive.google.com/drive/folders/{FILE}", "gdrive:"]
)
def test_what_names_no_file_is_one_clear_line(link: str) -> None:
    with pytest.raises(ValueError, match=r"no single file|the id of a file"):
        resolve(link)


def test_names_mean_their_address_unless_there_is_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("bccd").startswith("https://github.com/Shenggan/BCCD_Dataset/")
    assert resolve("barcodes").startswith(sources.DRIVE)
    assert resolve("/data/bccd") == "/data/bccd"
    assert resolve("https://example.org/a.zip") == "https://example.org/a.zip"
    (tmp_path / "bccd").mkdir()
    assert resolve("bccd") == "bccd"


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, list[str]]]]:
    """A server that warns before it gives the file, as Drive does with large ones."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

        def do_HEAD(self) -> None:
            self.send_response(405)
            self.end_headers()

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            asked.append(query)
            body = archive_of("from drive")
            if query["id"] != [FILE]:
                body = QUOTA.encode()
            elif query.get("uuid") != ["a&b"]:
                body = WARNING.format(file=FILE).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(sources, "DRIVE", f"http://127.0.0.1:{server.server_port}/download")
    yield asked
    server.shutdown()
    server.server_close()


def test_the_page_about_viruses_is_passed(
    drive: list[dict[str, list[str]]], tmp_path: Path
) -> None:
    folder = fetch(f"https://drive.google.com/file/d/{FILE}/view", tmp_path, Silence())
    assert (folder / "set" / "text.txt").read_text() == "from drive"
    assert len(drive) == 2
    assert fetch(f"gdrive:{FILE}", tmp_path, Silence()) == folder
    assert len(drive) == 2  # from the cache


def test_a_page_without_a_way_on_is_told(drive: list[dict[str, list[str]]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file but 'Google Drive - Quota exceeded'"):
        fetch(f"gdrive:{FILE[::-1]}", tmp_path, Silence())
    assert not list(tmp_path.rglob("archive*"))
