"""Kaggle's datasets, from a server that asks for a key and leads on to a store as Kaggle does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.data import kaggle
from models.data.download import DownloadError
from models.data.fetch import fetch, fingerprint
from models.data.sources import resolve
from models.reporting import Silence
from tests.models.data.test_fetch import archive_of

RIGHT = "Basic " + base64.b64encode(b"ann:secret").decode()


@pytest.fixture
def asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[tuple[str, str | None]]]:
    """Paths and `Authorization` headers of all requests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "keys"))
    seen: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

        def do_GET(self) -> None:
            login = self.headers.get("Authorization")
            seen.append((self.path, login))
            if self.path.startswith("/store"):
                body = archive_of("from kaggle")
                self.send_response(200)
                self.send_header("ETag", '"1"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                return
            self.send_response(302 if login == RIGHT else 401)
            self.send_header("Location", f"http://localhost:{server.server_port}/store")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(kaggle, "KAGGLE", f"http://127.0.0.1:{server.server_port}/api/")
    yield seen
    server.shutdown()
    server.server_close()


def keep_key(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "kaggle.json").write_text(text)


def test_the_key_goes_to_kaggle_and_not_to_its_store(
    asked: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    keep_key(tmp_path / "keys", json.dumps({"username": "ann", "key": "secret"}))
    folder = fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence())
    assert (folder / "set" / "text.txt").read_text() == "from kaggle"
    assert asked == [("/api/owner/rice-set", RIGHT), ("/store", None)]
    assert fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence()) == folder
    assert fingerprint("kaggle:owner/rice-set") is not None


def test_variables_go_first(
    asked: list[tuple[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_key(tmp_path / "keys", json.dumps({"username": "ann", "key": "wrong"}))
    with pytest.raises(DownloadError, match="the server answered 401"):
        fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence())
    monkeypatch.setenv("KAGGLE_USERNAME", "ann")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    assert fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence()).is_dir()


def test_what_is_missing_is_one_clear_line(
    asked: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"put the kaggle.json that its settings page makes into"):
        fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence())
    assert fingerprint("kaggle:owner/rice-set") is None
    keep_key(tmp_path / "keys", "{}")
    with pytest.raises(ValueError, match=r"kaggle.json holds no username and key"):
        fetch("kaggle:owner/rice-set", tmp_path / "cache", Silence())
    assert not asked
    with pytest.raises(ValueError, match="expected kaggle:OWNER/DATASET"):
        resolve("kaggle:rice")


def test_other_addresses_get_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "ann")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    assert kaggle.login_for("https://example.org/api/v1/datasets/download/a/b") is None
    assert resolve("rice-images").startswith(kaggle.KAGGLE)
