"""Plain requests to a ClearML server, with the reason told where one fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agent.doctor.settings import Settings

if TYPE_CHECKING:
    import requests


class WireError(Exception):
    """A request didn't get what it was for.

    Attributes:
        said: What happened.
        advice: What to do about it.
        code: HTTP status, or the API's result code; 0 if nobody answered.
    """

    def __init__(self, said: str, advice: str, code: int = 0) -> None:
        super().__init__(said)
        self.said = said
        self.advice = advice
        self.code = code


@dataclass(frozen=True)
class Pong:
    """The answer to a ping.

    Attributes:
        milliseconds: How long it took.
        skew_s: By how much the server's clock is ahead of ours; None if it didn't say its time.
    """

    milliseconds: float
    skew_s: float | None


class Wire:
    """A session with the server of some settings."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        import requests

        self._settings = settings
        self._timeout_s = timeout_s
        self.session = requests.Session()
        self.session.verify = settings.verify
        # Requests answers a redirect of a POST with a GET; and a proxy isn't asked for 127.0.0.1.
        self.session.max_redirects = 5
        self.session.trust_env = not settings.is_local

    def __enter__(self) -> Wire:
        """The session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.session.close()

    def request(self, method: str, url: str, **more: Any) -> requests.Response:
        """Send a request.

        Raises:
            WireError: No answer came.
        """
        import requests

        try:
            return self.session.request(method, url, timeout=self._timeout_s, **more)
        except requests.RequestException as problem:
            place = self._settings.api if url.startswith(self._settings.api) else url
            raise _explained(problem, place, self._timeout_s, self._settings) from problem

    def ping(self) -> Pong:
        """See whether a ClearML API answers, without credentials.

        Raises:
            WireError: None does.
        """
        before, started = time.time(), time.monotonic()
        response = self.request("GET", f"{self._settings.api}/debug.ping")
        took = time.monotonic() - started
        _envelope(response, self._settings.api)
        skew = None
        if date := response.headers.get("Date"):
            # The header has whole seconds, cut off; its middle is half a second on.
            skew = parsedate_to_datetime(date).timestamp() + 0.5 - (before + took / 2)
        return Pong(1000 * took, skew)

    def login(self) -> str:
        """Log in with what the settings have; returns the server's token.

        Raises:
            WireError: The server refused.
        """
        keys, token = self._settings.keys, self._settings.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # With keys in ~/.netrc, requests would send those.
        auth = (keys.access_key, keys.secret_key) if keys and not token else _no_auth
        found = self._call("auth.login", {}, headers=headers, auth=auth)
        made = str(found.get("token", ""))
        self.session.headers["Authorization"] = f"Bearer {made}"
        self.session.auth = _no_auth
        return made

    def call(self, endpoint: str, **body: Any) -> dict[str, Any]:
        """Call an endpoint such as `queues.get_all`, after `login`.

        Raises:
            WireError: It failed.
        """
        return self._call(endpoint, body)

    def _call(self, endpoint: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        response = self.request("POST", f"{self._settings.api}/{endpoint}", json=body, **more)
        answer = _envelope(response, self._settings.api)
        code = int(answer["meta"].get("result_code") or response.status_code)
        if code != 200:
            said = str(answer["meta"].get("result_msg") or response.reason)
            raise WireError(f"{endpoint}: {said}", "see the server's log", code)
        return dict(answer.get("data") or {})


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _envelope(response: requests.Response, url: str) -> dict[str, Any]:
    """The answer of a ClearML API, and of nobody else."""
    try:
        answer = response.json()
        if isinstance(answer, dict) and isinstance(answer.get("meta"), dict):
            return answer
    except ValueError:
        pass
    kind = response.headers.get("Content-Type", "").partition(";")[0] or "nothing"
    raise WireError(
        f"{url} answers with {kind} ({response.status_code}) and is no ClearML API",
        "api_server must be the API (port 8008, or api.NAME), not the web application",
        response.status_code,
    )


def _explained(problem: Exception, url: str, timeout_s: float, settings: Settings) -> WireError:
    """Say in words why nobody answered."""
    import requests

    text = str(problem)
    if isinstance(problem, requests.exceptions.SSLError):
        return WireError(
            f"the certificate of {url} isn't trusted here",
            "put the CA's file into REQUESTS_CA_BUNDLE",
        )
    if isinstance(problem, requests.exceptions.ProxyError):
        return WireError(
            f"the proxy on the way to {url} refuses", "correct HTTPS_PROXY, or add it to NO_PROXY"
        )
    if isinstance(problem, requests.Timeout):
        return WireError(
            f"{url} doesn't answer within {timeout_s:g} s",
            "look for a firewall, a VPN or a proxy in between; --timeout waits longer",
        )
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return WireError(
            f"nobody knows the host of {url}", "correct the name in clearml.conf, or the DNS"
        )
    if isinstance(problem, requests.ConnectionError):
        start = "sightline up" if settings.is_stack else "start the server, and check the port"
        return WireError(f"nothing answers at {url}", start)
    return WireError(f"{url}: {text}", "correct the address in clearml.conf")
