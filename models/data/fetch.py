"""Get raw data from a folder, an archive or a URL: once, checked, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from models.data.archive import ArchiveError, Limits, is_archive, unpack
from models.data.download import download, probe, shown
from models.data.looking import walk
from models.data.sources import page_instead, resolve
from models.reporting import Reporter

_REMOTE = ("http", "https")


def fetch(
    source: str,
    cache: Path,
    reporter: Reporter,
    *,
    sha256: str | None = None,
    limits: Limits | None = None,
) -> Path:
    """Make raw data lie in a local folder.

    A folder is used where it is. An archive is unpacked into the cache. A URL is downloaded into
    the cache, resumed where an earlier try broke off, and downloaded anew only when the server
    says that its content changed. Two processes that fetch the same source don't disturb each
    other.

    Args:
        source: Path of a folder or archive (zip, tar and its compressed kinds), a URL with the
            scheme `http`, `https` or `file`, or what `sources.resolve` knows.
        cache: Folder that keeps downloads and unpacked archives.
        reporter: Told about progress.
        sha256: Expected SHA-256 of the archive, hexadecimal; unchecked if None.
        limits: How much an archive may unpack to.

    Returns:
        The folder; nobody may write into it.

    Raises:
        ValueError: there is no such source, it isn't an archive, or it isn't what was promised.
    """
    source = resolve(source)
    if _scheme(source) in _REMOTE:
        return _fetch_url(source, cache, reporter, sha256, limits)
    path = local_path(source)
    if path.is_dir():
        if sha256:
            raise ValueError(f"'{source}' is a folder: a SHA-256 can be checked of an archive only")
        return path
    _check_archive(path, path.name)
    stat = path.stat()
    key = _digest(f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{sha256 or ''}")
    with _locked(cache, key):
        content = cache / key / "content"
        if not content.is_dir():
            _check_sha256(path, sha256, path.name)
            reporter.log(f"unpacking {path.name}")
            unpack(path, content, limits)
    return content


def fingerprint(source: str) -> str | None:
    """Say what version of its content a source has now, without reading the content.

    Of a folder: a hash over all relative paths, sizes and modification times, hidden files left
    out. Of a file: its name, size and modification time. Of a URL: what a HEAD request tells
    (ETag, Last-Modified, length).

    Returns:
        A short text that changes when the content does; None where that can't be known, such as
        a server that gives neither ETag nor Last-Modified.

    Raises:
        ValueError: there is no such file or folder.
    """
    source = resolve(source)
    if _scheme(source) in _REMOTE:
        validators = probe(source)
        return None if validators is None else validators.fingerprint()
    path = local_path(source)
    if path.is_dir():
        entries = sorted(_walk(path))
    else:
        stat = path.stat()
        entries = [(path.name, stat.st_size, stat.st_mtime_ns)]
    digest = hashlib.sha256()
    for name, size, changed in entries:
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def local_path(source: str) -> Path:
    """The path of a source that isn't remote: a plain path, one with `~`, or a `file` URL.

    Raises:
        ValueError: it doesn't exist, or the URL's scheme is unknown.
    """
    scheme = _scheme(source)
    if scheme == "file":
        parts = urlsplit(source)
        if parts.netloc not in ("", "localhost"):
            raise ValueError(f"'{source}' names a file on another machine: use http or a mount")
        path = Path(url2pathname(unquote(parts.path)))
    elif scheme:
        raise ValueError(f"'{shown(source)}': can't fetch {scheme}://; use http, https or file")
    else:
        try:
            path = Path(source).expanduser()
        except RuntimeError:
            raise ValueError(f"'{source}': there is no user with such a home folder") from None
    if not path.exists():
        raise ValueError(
            f"there is no file or folder '{source}' (looked at {path.absolute()}): give the path "
            "of a folder or an archive, or a URL"
        )
    return path.absolute()


def _scheme(source: str) -> str:
    found = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", source)
    return found.group(1).lower() if found else ""


def _fetch_url(
    url: str, cache: Path, reporter: Reporter, sha256: str | None, limits: Limits | None
) -> Path:
    key = _digest(url)
    with _locked(cache, key):
        room = cache / key
        content, done = room / "content", room / "done.json"
        known = _read_state(done)
        if known is not None and content.is_dir() and _still_valid(url, known, sha256, reporter):
            return content
        done.unlink(missing_ok=True)
        shutil.rmtree(content, ignore_errors=True)
        archive = room / "archive"
        validators = download(url, archive, reporter)
        try:
            if onward := page_instead(url, archive):
                validators = download(onward, archive, reporter)
            found = _check_sha256(archive, sha256, shown(url))
            _check_archive(archive, shown(url))
            reporter.log(f"unpacking {shown(url)}")
            try:
                unpack(archive, content, limits)
            except ArchiveError as error:
                raise ArchiveError(f"{shown(url)}: {error}") from error
        finally:
            # Kept twice it would only take room; a broken one must not be resumed.
            archive.unlink(missing_ok=True)
        state = {"fingerprint": validators.fingerprint(), "sha256": found}
        done.write_text(json.dumps(state))
    return content


def _read_state(file: Path) -> dict[str, str] | None:
    """What was noted of an earlier fetch; None if there was none or the note is cut off."""
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found


def _still_valid(url: str, known: dict[str, str], sha256: str | None, reporter: Reporter) -> bool:
    if sha256 is not None:
        return known["sha256"] == sha256.lower()
    now = probe(url)
    if now is None:
        reporter.log(f"can't ask about {shown(url)}: taking the copy fetched earlier")
        return True
    current = now.fingerprint()
    return current is None or current == known["fingerprint"]


def _check_archive(path: Path, name: str) -> None:
    if not is_archive(path):
        raise ValueError(f"'{name}' is no zip or tar archive, or a broken one")


def _check_sha256(path: Path, expected: str | None, name: str) -> str:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected.lower():
        raise ValueError(f"'{name}' has the SHA-256 {found}, expected was {expected.lower()}")
    return found


def _walk(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Relative path, size and modification time of each file that isn't hidden."""
    for path in walk(folder):
        relative = path.relative_to(folder)
        if not any(part.startswith(".") for part in relative.parts):
            found = path.stat()
            yield relative.as_posix(), found.st_size, found.st_mtime_ns


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


@contextmanager
def _locked(cache: Path, key: str) -> Iterator[None]:
    """Hold the cache entry `key`; another process that wants it waits."""
    (cache / key).mkdir(parents=True, exist_ok=True)
    with (cache / f"{key}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
