"""Batches that are filled up, cut in parts or worked on side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from models.package import ModelPackage
from models.runtimes import EngineOptions, load_predictor
from models.runtimes.engines import StreamingEngine, load_engine

BrightOf = Callable[[int | None], ModelPackage]
PICTURES = np.random.default_rng(0).integers(0, 256, (7, 64, 96, 3), dtype=np.uint8)
PICTURES //= np.arange(1, 8, dtype=np.uint8)[:, None, None, None]


def same(found: Any, expected: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.fixture
def expected(bright: ModelPackage) -> Any:
    return load_engine(bright, "onnxruntime", EngineOptions("cpu", 1))(PICTURES)


@pytest.mark.parametrize("mode", ["latency", "throughput"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_openvino_takes_any_number(
    bright_of: BrightOf, expected: Any, mode: Any, count: int, batch: int | None
) -> None:
    package = bright_of(batch)
    engine = load_engine(package, "openvino", EngineOptions("cpu", 2, mode=mode))
    same(engine(PICTURES[:count]), [output[:count] for output in expected])
    engine.close()


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_a_fixed_batch_under_onnxruntime(bright_of: BrightOf, expected: Any, count: int) -> None:
    package = bright_of(3)
    engine = load_engine(package, "onnxruntime", EngineOptions("cpu", 1))
    same(engine(PICTURES[:count]), [output[:count] for output in expected])


def test_outputs_of_a_stream_come_in_order(bright: ModelPackage, expected: Any) -> None:
    engine = load_engine(bright, "openvino", EngineOptions("cpu", 2, mode="throughput"))
    assert isinstance(engine, StreamingEngine)
    taken = []

    def batches() -> Iterator[Any]:
        for number in range(40):
            taken.append(number)
            size = number % 3
            yield np.ascontiguousarray(PICTURES[size : 2 * size + 1])

    behind = 0
    for number, outputs in enumerate(engine.stream(batches())):
        size = number % 3
        same(outputs, [output[size : 2 * size + 1] for output in expected])
        behind = max(behind, len(taken) - number)
    assert len(taken) == 40
    # Not all of them are held at once, however many there are.
    assert behind < 40


def test_latency_is_no_stream(bright: ModelPackage) -> None:
    engine = load_engine(bright, "openvino", EngineOptions("cpu", 1))
    assert not isinstance(engine, StreamingEngine)


def test_a_predictor_streams_in_chunks(bright: ModelPackage) -> None:
    pictures = list(PICTURES)
    with load_predictor(bright, "openvino", "cpu", 1, batch_size=2) as predictor:
        expected = predictor(pictures, 0.0)
    with load_predictor(bright, "openvino", "cpu", 1, batch_size=2, mode="throughput") as predictor:
        found = predictor(pictures, 0.0)
        assert predictor([]) == []
    assert len(found) == len(expected) == 7
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
