"""The place for models and artifacts: a small file goes there, comes back, and is deleted."""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path

from agent.doctor.findings import Finding, error, ok, warning
from agent.doctor.settings import Settings
from agent.doctor.wire import Wire, WireError

_FOLDER = ".sightline-doctor"


def check_files(wire: Wire, settings: Settings) -> list[Finding]:
    """Make a round trip to the file server, and to another place for outputs if there is one."""
    if not settings.files:
        said = "nothing names the file server"
        return [error("files", said, "set files_server in clearml.conf, or CLEARML_FILES_HOST")]
    return [_round_trip(wire, place) for place in dict.fromkeys([settings.files, settings.output])]


def _round_trip(wire: Wire, place: str) -> Finding:
    content = secrets.token_bytes(1024)
    start = time.monotonic()
    if place.startswith(("http://", "https://")):
        problem = _over_http(wire, place, content)
    else:
        problem = _through_the_sdk(place, content)
    if problem is not None:
        return problem
    took = 1000 * (time.monotonic() - start)
    return ok("files", f"{place} takes a file and gives it back, in {took:.0f} ms")


def _over_http(wire: Wire, place: str, content: bytes) -> Finding | None:
    """The way that the SDK goes: a POST to the server's root, whose part is named by the path."""
    path = f"/{_FOLDER}/{secrets.token_hex(8)}"
    try:
        sent = wire.request("POST", place, files={path: (path, content)})
        if sent.status_code != 200:
            return _refused(place, "an upload", sent.status_code)
        got = wire.request("GET", f"{place}{path}")
        if got.status_code != 200:
            return _refused(place, "a download", got.status_code)
        if got.content != content:
            return error(
                "files",
                f"{place} gives back other bytes than it was given",
                "look for a cache or proxy in between; files_server must be the file server "
                "(port 8081)",
            )
        deleted = wire.request("DELETE", f"{place}{path}").status_code
    except WireError as problem:
        return error("files", problem.said, problem.advice)
    if deleted != 200:
        said = f"{place} takes and gives files, but didn't delete {path} ({deleted})"
        return warning("files", said, "deleted tasks will leave their files behind there")
    return None


def _refused(place: str, what: str, status: int) -> Finding:
    advice = {
        401: "let its settings take the API's keys and tokens",
        403: "let its settings take the API's keys and tokens",
        404: "files_server must be the file server (port 8081), not the API or the page",
        413: "let the proxy in front of it pass large bodies (client_max_body_size)",
        507: "free some space on its disk",
    }.get(status, "see its log; files_server must be the file server (port 8081)")
    return error("files", f"{place} refuses {what} ({status})", advice)


def _through_the_sdk(place: str, content: bytes) -> Finding | None:
    """S3, Google's and Azure's storage, and folders: with the SDK's drivers and its credentials."""
    from clearml.storage.helper import StorageHelper

    url = f"{place}/{_FOLDER}/{secrets.token_hex(8)}"
    advice = "see to its credentials (clearml.conf or the environment), and that the place exists"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "there"), Path(folder, "back")
        source.write_bytes(content)
        try:
            storage = StorageHelper.get(url)
            if storage is None:
                return error(
                    "files", f"no driver for {place}", 'pip install "clearml[s3]" or alike'
                )
            storage.upload(str(source), url, retries=1)
            storage.download_to_file(url, str(target), overwrite_existing=True)
            same = target.is_file() and target.read_bytes() == content
            storage.delete(url)
        except Exception as problem:  # whatever a driver raises
            return error("files", f"{place}: {str(problem).strip().split(chr(10))[0]}", advice)
    if not same:
        return error("files", f"{place} doesn't give back what it was given", advice)
    return None
