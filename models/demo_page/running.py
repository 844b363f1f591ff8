"""Predictions for a page that many threads ask at once, with the time of each step."""

from __future__ import annotations

import importlib.util
import threading
import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.families import Presenter, family
from models.package import ModelPackage
from models.package.card import Precision
from models.reporting import Image
from models.runtimes import RUNTIMES, Engine, Predictor, load_predictor
from models.runtimes.engines import Outputs


@dataclass(frozen=True)
class Times:
    """How long the steps of one picture took, milliseconds."""

    decode: float
    """From the file to pixels."""
    network: float
    """The runtime alone."""
    around: float
    """Before and after the network: resizing, picking results."""
    draw: float = 0.0
    """Results onto the picture."""

    @property
    def total(self) -> float:
        """All steps together."""
        return self.decode + self.network + self.around + self.draw


def offered(package: ModelPackage) -> dict[str, tuple[str, Precision]]:
    """List what can run a package here, by a name for people: `openvino, int8`.

    A runtime is offered if the package has a form for it and its library is installed. Nothing is
    loaded.

    Returns:
        Runtime and precision; exported forms in front of PyTorch.
    """
    found: dict[str, tuple[str, Precision]] = {}
    for runtime, entry in sorted(RUNTIMES.items(), key=lambda item: item[0].startswith("torch")):
        library = runtime.replace("-", "_").partition("_")[0]
        if importlib.util.find_spec(library) is None:
            continue
        for artifact in package.card.artifacts:
            if artifact.format == entry.format:
                found.setdefault(f"{runtime}, {artifact.precision}", (runtime, artifact.precision))
    return found


class _Timed:
    """An engine that adds up how long its calls take."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.artifact, self.device = engine.artifact, engine.device
        self.seconds = 0.0

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        start = time.perf_counter()
        try:
            return self._engine(inputs)
        finally:
            self.seconds += time.perf_counter() - start

    def close(self) -> None:
        self._engine.close()


class Runners:
    """The predictors of one package, each loaded when it is first asked for.

    May be called from any thread: a predictor serves one call at a time.
    """

    def __init__(self, package: ModelPackage, threads: int | None = None) -> None:
        """Look what there is.

        Args:
            package: the model.
            threads: CPU threads of each runtime; None leaves it to the runtime.

        Raises:
            ValueError: nothing here can run the package.
        """
        self.package = package
        self.presenter: Presenter = family(package.card.family).presenter(package.card)
        self.choices = offered(package)
        if not self.choices:
            forms = ", ".join(artifact.format for artifact in package.card.artifacts)
            raise ValueError(
                f"{package.folder} has the forms {forms or 'none'}, and no runtime for them is "
                f"installed here: pip install 'sightline[export]'"
            )
        self._threads = threads
        self._loading = threading.Lock()
        self._ready: dict[str, tuple[Predictor, _Timed, threading.Lock]] = {}

    def __call__(self, choice: str, image: Image, threshold: float | None) -> tuple[Any, Times]:
        """Predict one picture.

        Args:
            choice: a key of `choices`.
            image: RGB, uint8, (height, width, 3).
            threshold: least confidence; None takes the package's own, by class.

        Returns:
            The family's result.

        Raises:
            ValueError: no such choice, or what it needs doesn't load.
        """
        predictor, engine, turn = self._predictor(choice)
        with turn:
            start, before = time.perf_counter(), engine.seconds
            (found,) = predictor([image], threshold)
            whole, network = time.perf_counter() - start, engine.seconds - before
        return found, Times(0.0, network * 1e3, (whole - network) * 1e3)

    def load(self, choice: str) -> None:
        """Make a predictor ready before it is asked for.

        Raises:
            ValueError: no such choice, or what it needs doesn't load.
        """
        self._predictor(choice)

    def close(self) -> None:
        """Free all predictors; those that are at work finish first."""
        with self._loading:
            for predictor, _, turn in self._ready.values():
                with turn:
                    predictor.close()
            self._ready.clear()

    def _predictor(self, choice: str) -> tuple[Predictor, _Timed, threading.Lock]:
        if choice not in self.choices:
            raise ValueError(f"runtime '{choice}': expected one of {'; '.join(self.choices)}")
        with self._loading:
            if choice not in self._ready:
                runtime, precision = self.choices[choice]
                predictor = load_predictor(
                    self.package, runtime, "auto", self._threads, precision=precision, batch_size=1
                )
                timed = _Timed(predictor.engine)
                predictor.engine = cast(Engine, timed)
                _warm_up(predictor)
                self._ready[choice] = (predictor, timed, threading.Lock())
            return self._ready[choice]


def _warm_up(predictor: Predictor) -> None:
    """Run once, so that no figure holds what a runtime does at its first call."""
    _, height, width, _ = predictor.package.card.input.shape
    blank: Any = np.zeros((height, width, 3), np.uint8)
    predictor([blank])
