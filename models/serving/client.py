"""A model on an Open Inference Protocol server (`sightline serve`, Triton, KServe), over HTTP."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.runtimes.engines import library

ADDRESS: Final = "http://HOST:PORT/v2/models/NAME"
OF_CHARACTERS: Final = "character_"
"""Begins the names of tensors with an entry for each character; see `Family.result_tensors`."""
_URL = re.compile(
    r"(https?)://([^/?#\s]+(?:/[^?#\s]+?)?)/v2/models/([^/?#\s]+)(?:/versions/([^/?#\s]+))?/?"
)
_DATATYPES = {"uint8": "UINT8", "int64": "INT64", "float32": "FP32", "object": "BYTES"}
_PAUSES = (0.02, 1.0)
"""Shortest and longest pause before an overloaded server is asked again, seconds."""
T = TypeVar("T")


class ModelClient:
    """One model of a server. It may be used from several threads; each has its own connection.

    A server that says 503 has done nothing, and one that isn't reached may be starting again: both
    are asked again until the time is up.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        """Ask the server about the model.

        Args:
            url: `http://HOST:PORT/v2/models/NAME`, with `/versions/VERSION` if one is meant.
            timeout: seconds that a call may take, with all it asks again.

        Raises:
            ValueError: no such address, server or model, or tritonclient isn't installed.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError(f"url={url}: expected {ADDRESS}")
        scheme, self._host, self.name, version = found.groups()
        self._version = version or ""
        self._ssl = scheme == "https"
        self.url, self._timeout = url, timeout
        self._triton: Any = library("tritonclient.http", "serve", "the client of a server")
        self._local = threading.local()
        self.metadata: dict[str, Any] = self._call(
            lambda client: client.get_model_metadata(self.name, self._version), patient=False
        )
        """What the server says of the model: inputs, outputs, versions."""

    def ready(self) -> bool:
        """Whether the model can be asked now."""
        try:
            return bool(
                self._call(
                    lambda client: client.is_model_ready(self.name, self._version), patient=False
                )
            )
        except ValueError:
            return False

    def largest_batch(self) -> int | None:
        """Most pictures of one request, where the server says so (Triton does)."""
        about = self._call(lambda client: client.get_server_metadata(), patient=False)
        if "model_configuration" not in about.get("extensions", ()):
            return None
        config = self._call(
            lambda client: client.get_model_config(self.name, self._version), patient=False
        )
        return int(config.get("max_batch_size", 0)) or None

    def infer(
        self,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
    ) -> list[NDArray[Any]]:
        """Ask for output tensors.

        Args:
            inputs: by name.
            outputs: names wanted.
            parameters: of the request.

        Returns:
            The outputs in the order asked, in memory of their own.

        Raises:
            ValueError: the server refused, or didn't answer in time.
        """
        tensors = []
        for name, array in inputs.items():
            kind = _DATATYPES[array.dtype.name]
            tensors.append(self._triton.InferInput(name, list(array.shape), kind))
            tensors[-1].set_data_from_numpy(array)
        wanted = [self._triton.InferRequestedOutput(name) for name in outputs]
        given = dict(parameters or {})
        answer = self._call(
            lambda client: client.infer(
                self.name, tensors, self._version, outputs=wanted, parameters=given
            ),
            patient=True,
        )
        found = [answer.as_numpy(name) for name in outputs]
        if missing := [name for name, array in zip(outputs, found, strict=True) if array is None]:
            raise ValueError(f"{self.url} gave no output '{missing[0]}'")
        return [array.copy() for array in found]

    def pictures(
        self, files: Sequence[bytes], threshold: float | None = None
    ) -> list[dict[str, NDArray[Any]]]:
        """Ask for results; for the model NAME_pictures of `sightline serve`.

        Args:
            files: contents of JPEG or PNG files.
            threshold: least confidence; None takes the model's own.

        Returns:
            For each picture its results by name; of detection: `boxes` (N, 4) xyxy in pixels,
            `scores`, `classes`, `names` (N,); of reading: `texts` (1,), `character_scores` (as
            many as the text has characters,) and more.

        Raises:
            ValueError: the server refused, or didn't answer in time.
        """
        names = [output["name"] for output in self.metadata["outputs"]]
        if "count" not in names:
            raise ValueError(f"{self.url} takes no encoded pictures; ask NAME_pictures")
        if not files:
            return []
        picture = np.empty(len(files), np.object_)
        picture[:] = files
        parameters = {} if threshold is None else {"threshold": threshold}
        found = self.infer({"picture": picture}, names, parameters)
        tensors = dict(zip(names, found, strict=True))
        counts = tensors.pop("count")
        texts = {
            name: np.array([text.decode() for text in array], np.object_)
            for name, array in tensors.items()
            if array.dtype == np.object_
        }
        ends = _ends(tensors, counts)
        parts = {name: np.split(a, ends(name)) for name, a in {**tensors, **texts}.items()}
        return [{name: part[i] for name, part in parts.items()} for i in range(len(files))]

    def close(self) -> None:
        """Close this thread's connection."""
        client = self._local.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def _call(self, work: Callable[[Any], T], *, patient: bool) -> T:
        end = time.monotonic() + self._timeout
        pause = _PAUSES[0]
        while True:
            try:
                return work(self._client())
            except self._triton.InferenceServerException as error:
                message, status = _first_line(error.message()), error.status()
                if not (patient and status == "503"):
                    raise ValueError(f"{self.url}: {message}") from None
            except Exception as error:  # of sockets, HTTP and JSON: they have no common base
                self.close()
                message = f"no answer ({_first_line(error) or type(error).__name__})"
                if not (patient and isinstance(error, OSError)):
                    raise ValueError(f"{self.url}: {message}; is the server up?") from None
            if time.monotonic() + pause > end:
                raise ValueError(f"{self.url}: {message}, for {self._timeout:g} s")
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])

    def _client(self) -> Any:
        """This thread's client: its connections can't be used from another."""
        if "client" not in self._local.__dict__:
            secure: dict[str, Any] = {}
            if self._ssl:
                secure = {"ssl": True, "ssl_context_factory": _trust}
            self._local.client = self._triton.InferenceServerClient(
                self._host,
                connection_timeout=self._timeout,
                network_timeout=self._timeout,
                **secure,
            )
        return self._local.client


def _ends(
    tensors: Mapping[str, NDArray[Any]], counts: NDArray[Any]
) -> Callable[[str], NDArray[Any]]:
    """Say by a tensor's name where the part of each picture but the last ends in it.

    Most tensors have one entry for each result; those of characters have as many as `lengths` says.
    """
    results = np.cumsum(counts)
    characters = np.concatenate([[0], np.cumsum(tensors.get("lengths", np.zeros(0, np.int32)))])

    def ends(name: str) -> NDArray[Any]:
        return (characters[results] if name.startswith(OF_CHARACTERS) else results)[:-1]

    return ends


def _trust(cafile: str | None = None) -> Any:
    """Trust what the system and its environment (SSL_CERT_FILE) trust, and a given bundle."""
    from gevent.ssl import create_default_context

    context = create_default_context()
    if cafile:
        context.load_verify_locations(cafile=cafile)
    return context


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else ""
