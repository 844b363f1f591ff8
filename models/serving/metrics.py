"""Figures for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self, queue: Callable[[], float]) -> None:
        """Set all to nothing.

        Args:
            queue: gives the pictures that are decoded or wait.
        """
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "sightline_requests",
            "Inference requests answered, by HTTP status; 499: the client had gone.",
            ("model", "code"),
            registry=registry,
        )
        self._errors = Counter(
            "sightline_errors",
            "Inference requests that got no result (status 400 and up).",
            ("model",),
            registry=registry,
        )
        self._seconds = Histogram(
            "sightline_request_seconds",
            "Time of a successful request, from its head to its answer.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch = Histogram(
            "sightline_batch_pictures",
            "Pictures that went through the network together.",
            buckets=_SIZES,
            registry=registry,
        )
        self._network = Histogram(
            "sightline_network_seconds",
            "Time of the network for one batch.",
            buckets=_SECONDS,
            registry=registry,
        )
        Gauge(
            "sightline_queue_pictures",
            "Pictures that are decoded or wait for the network.",
            registry=registry,
        ).set_function(queue)

    def answered(self, model: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(model, str(status)).inc()
        if status >= 400:
            self._errors.labels(model).inc()
        else:
            self._seconds.labels(model).observe(seconds)

    def ran(self, pictures: int, seconds: float) -> None:
        """Count a batch."""
        self._batch.observe(pictures)
        self._network.observe(seconds)

    def text(self) -> bytes:
        """Write all in Prometheus's text format."""
        return generate_latest(self._registry)
