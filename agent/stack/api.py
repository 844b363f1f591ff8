"""A few calls to the ClearML API with plain `requests`: the SDK takes seconds to import."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agent.stack.credentials import Credentials
from agent.stack.errors import StackError

if TYPE_CHECKING:
    import requests


class UnreachableError(StackError):
    """No ClearML server answers at the address."""


class Api:
    """A session with a ClearML server; logs in at the first call."""

    def __init__(self, url: str, credentials: Credentials, timeout_s: float = 10.0) -> None:
        import requests

        self._url = url
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._session: requests.Session = requests.Session()
        self._session.trust_env = False  # a proxy would be asked for 127.0.0.1
        self._logged_in = False

    def __enter__(self) -> Api:
        """The session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, endpoint: str, **body: Any) -> dict[str, Any]:
        """Call an endpoint such as `queues.get_all`; returns the `data` of the answer.

        Raises:
            UnreachableError: No server answers.
            StackError: The server refused; the message is the server's.
        """
        if not self._logged_in:
            key = (self._credentials.access_key, self._credentials.secret_key)
            token = self._post("auth.login", {}, auth=key)["token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
            self._logged_in = True
        return self._post(endpoint, body)

    def _post(
        self, endpoint: str, body: dict[str, Any], auth: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        import requests

        try:
            response = self._session.post(
                f"{self._url}/{endpoint}", json=body, auth=auth, timeout=self._timeout_s
            )
            answer = response.json()
            meta, data = answer["meta"], answer.get("data") or {}
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise UnreachableError(
                f"no ClearML server answers at {self._url} ({type(error).__name__})"
            ) from error
        if meta.get("result_code") != 200:
            raise StackError(f"{self._url}/{endpoint}: {meta.get('result_msg') or 'refused'}")
        return dict(data)


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a ClearML-compatible server answers there, without credentials."""
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.get(f"{url}/debug.ping", timeout=timeout_s)
            return response.status_code == 200 and isinstance(response.json(), dict)
    except (requests.RequestException, ValueError):
        return False


def wait_until_answers(url: str, seconds: float, still_runs: Any = None) -> bool:
    """Wait for a server to answer; gives up early when `still_runs()` turns false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answers(url):
            return True
        if still_runs is not None and not still_runs():
            return False
        time.sleep(0.05)
    return False
