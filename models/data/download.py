"""Download one file over HTTP, going on where an earlier try broke off (RFC 9110, section 14)."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from models.data.kaggle import login_for
from models.reporting import Reporter

_CHUNK = 1 << 16
_TIMEOUT = (10.0, 60.0)
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "sightline"}
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_HOPELESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.TooManyRedirects,
)


class DownloadError(ValueError):
    """A file that can't be had from its URL."""


@dataclass(frozen=True)
class Validators:
    """What a server says about the version of a file."""

    etag: str | None
    modified: str | None
    length: int | None

    def fingerprint(self) -> str | None:
        """A text that changes with the file; None when the server tells too little."""
        if self.etag is None and self.modified is None:
            return None
        return f"{self.etag or ''}|{self.modified or ''}|{self.length or ''}"

    def condition(self) -> str | None:
        """Value of `If-Range`: only a strong ETag or a date allows going on."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.modified


def shown(url: str) -> str:
    """A URL as it may be logged: without password and query, which often hold a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def probe(url: str) -> Validators | None:
    """Ask with HEAD what version a URL has; None if the server doesn't answer that."""
    try:
        with requests.head(
            url, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=True, auth=login_for(url)
        ) as response:
            return _validators(response) if response.ok else None
    except (requests.RequestException, ValueError):
        return None


def download(
    url: str, target: Path, reporter: Reporter, *, tries: int = 4, pause: float = 1.0
) -> Validators:
    """Fetch a URL into the file `target`, which appears only when it is complete.

    What came so far lies in `<target>.part`; a later call goes on from there if the server still
    has the same version. A try that brought something forward isn't counted.

    Args:
        url: Address with the scheme http or https.
        target: File to make.
        reporter: Told the bytes that came and the bytes to come.
        tries: Tries in a row that may fail.
        pause: Seconds before the second try; doubled for each further one.

    Raises:
        DownloadError: the server refuses, or all tries failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    failed = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            validators = _attempt(url, part, reporter)
            break
        except _HOPELESS as error:
            raise DownloadError(f"can't download {shown(url)}: {_reason(error)}") from error
        except (requests.RequestException, _PassingError) as error:
            after = part.stat().st_size if part.is_file() else 0
            failed = 1 if after > before else failed + 1
            if failed >= tries:
                raise DownloadError(
                    f"can't download {shown(url)}: {_reason(error)} ({tries} tries in a row)"
                ) from error
            if failed > 1:
                time.sleep(pause * 2 ** (failed - 2))
    part.replace(target)
    _notes(part).unlink(missing_ok=True)
    return validators


class _PassingError(Exception):
    """A failure that another try may mend."""


def _attempt(url: str, part: Path, reporter: Reporter) -> Validators:
    """Bring the part file to its full length, or raise what stopped it."""
    known = _read_notes(part)
    have = part.stat().st_size if part.is_file() and known is not None else 0
    headers = dict(_HEADERS)
    condition = known.condition() if known is not None else None
    if have and condition is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": condition}
    else:
        have = 0
    try:
        login = login_for(url)  # sent to this host alone, not to where it leads on
    except ValueError as error:
        raise DownloadError(str(error)) from error
    with requests.get(url, headers=headers, timeout=_TIMEOUT, stream=True, auth=login) as response:
        if response.status_code in _PASSING:
            raise _PassingError(f"the server answered {response.status_code} {response.reason}")
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if known is not None and known.length == have:
                return known  # it was complete already
            _forget(part)
            raise _PassingError("the part that came earlier doesn't fit")
        if not response.ok:
            raise DownloadError(
                f"can't download {shown(url)}: the server answered "
                f"{response.status_code} {response.reason}"
            )
        if response.status_code == HTTPStatus.PARTIAL_CONTENT and known is not None:
            start = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
            if start != str(have):
                _forget(part)
                raise _PassingError("the server sent another range than asked for")
            validators = known
        else:
            have = 0
            validators = _validators(response)
            _notes(part).write_text(json.dumps(asdict(validators)))
        _receive(response, part, have, validators.length, reporter, shown(url))
    return validators


def _receive(
    response: requests.Response,
    part: Path,
    have: int,
    total: int | None,
    reporter: Reporter,
    name: str,
) -> None:
    with part.open("ab" if have else "wb") as file:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            reporter.progress(f"downloading {name}", have, max(have, total or 0))
    if total is not None and have != total:
        if have > total:
            _forget(part)
        raise _PassingError(f"{have} of {total} bytes came")


def _validators(response: requests.Response) -> Validators:
    headers = response.headers
    length = headers.get("Content-Length", "")
    plain = headers.get("Content-Encoding", "identity") == "identity"
    return Validators(
        headers.get("ETag"),
        headers.get("Last-Modified"),
        int(length) if plain and length.isdigit() else None,
    )


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_notes(part: Path) -> Validators | None:
    try:
        return Validators(**json.loads(_notes(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """One line without the address: requests puts the whole URL, secrets and all, into it."""
    if isinstance(error, _PassingError):
        return str(error)
    kinds = {
        requests.Timeout: "no answer in time",
        requests.exceptions.SSLError: "the TLS certificate can't be verified",
        requests.ConnectionError: "no connection, or it broke",
        requests.exceptions.ChunkedEncodingError: "the connection broke",
    }
    for kind, reason in kinds.items():
        if isinstance(error, kind):
            return reason
    return type(error).__name__
