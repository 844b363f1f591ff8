"""A real service on a free port, in a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from models.runtimes import load_predictor
from models.serving.options import ServeOptions
from models.serving.server import build_server, listen
from models.serving.service import Service


class Gate:
    """An engine that can be held, to fill the queue behind it."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.artifact, self.device = engine, engine.artifact, engine.device
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.error: Exception | None = None

    def __call__(self, inputs: np.ndarray) -> Any:
        self.batches.append(len(inputs))
        self.entered.set()
        assert self.open.wait(60)
        if self.error:
            raise self.error
        return self.engine(inputs)

    def close(self) -> None:
        self.engine.close()


@dataclass
class Running:
    """A service that runs."""

    url: str
    gate: Gate
    service: Service
    server: Any

    def infer(self, body: Any, model: str = "model", **more: Any) -> requests.Response:
        return requests.post(f"{self.url}/v2/models/{model}/infer", json=body, timeout=60, **more)

    def predict(self, file: bytes, **more: Any) -> requests.Response:
        return requests.post(f"{self.url}/predict", data=file, timeout=60, **more)

    def metric(self, line: str) -> float:
        """Read one line of /metrics, 0 if it isn't there."""
        for found in requests.get(f"{self.url}/metrics", timeout=60).text.splitlines():
            if found.startswith(f"{line} "):
                return float(found.split()[-1])
        return 0.0


Start = Callable[..., Running]
"""`start(runtime=..., tls=(certificate, key), port=..., package=...,
**options of the service)`"""


@pytest.fixture(scope="session")
def start_service(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start services; `start_service(queue=3)`."""
    with contextlib.ExitStack() as ends:

        def start(
            runtime: str = "onnxruntime",
            tls: Any = None,
            port: int = 0,
            package: Path | None = None,
            **options: Any,
        ) -> Running:
            # Asked for when it's needed: it is trained first.
            package = package or request.getfixturevalue("exported")
            predictor = load_predictor(package, runtime, "cpu", 1)
            gate = Gate(predictor.engine)
            predictor.engine = gate
            service = Service(predictor, ServeOptions(**options))
            gate.batches.clear()
            gate.entered.clear()
            listener = ends.enter_context(listen("127.0.0.1", port))
            up = threading.Event()
            url: list[str] = []
            server = build_server(service, lambda address: (url.append(address), up.set()))
            if tls:
                server.config.ssl_certfile, server.config.ssl_keyfile = tls
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()

            def end() -> None:
                gate.open.set()
                server.should_exit = True
                thread.join(60)
                assert not thread.is_alive()

            ends.callback(end)
            assert up.wait(60)
            return Running(url[0], gate, service, server)

        yield start


@pytest.fixture(scope="session")
def served(start_service: Start) -> Running:
    """A service with ordinary options."""
    return start_service(max_megabytes=2, max_megapixels=1)


@pytest.fixture(scope="session")
def jpegs(squares: Path) -> list[bytes]:
    """Pictures of the validation split, as JPEG files."""
    import cv2

    found = []
    for file in sorted((squares / "val" / "data").glob("*.png"))[:6]:
        image = cv2.imread(str(file))
        found.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    return found
