"""Who takes the title, from the records of both."""

from __future__ import annotations

from typing import Any

import pytest

from models.benchmark.challenge import challenge
from models.benchmark.hardware import hardware
from models.benchmark.options import PromotionOptions
from models.benchmark.record import BenchmarkRecord, Latency, Row

MACHINE = hardware()


def form(metric: float | None, ms: float, baseline: bool = False, **more: Any) -> Row:
    latency = Latency(calls=9, fastest=ms, p50=ms, p90=ms, p99=ms, rounds=(ms, ms))
    given = {"file": "model.onnx", "format": "onnx", "runtime": "onnxruntime"} | more
    metrics = {} if metric is None else {"mAP": metric}
    return Row(
        precision="float32",
        bytes=1,
        baseline=baseline,
        metrics=metrics,
        end_to_end=latency,
        **given,
    )


def record(*rows: Row, **more: Any) -> BenchmarkRecord:
    given: dict[str, Any] = {"dataset_hash": "h", "hardware": MACHINE, "baseline": "c"} | more
    return BenchmarkRecord(
        created="2026-01-01T00:00:00Z",
        family="detection",
        metric="mAP",
        model="m",
        dataset="d",
        split="test",
        pictures=9,
        threads=None,
        device="cpu",
        seconds=1,
        rounds=2,
        rows=rows,
        **given,
    )


@pytest.mark.parametrize(
    ("own", "champion", "options", "promoted", "why"),
    [
        ((0.80, 10), (0.80, 10), {}, True, "not worse than the champion"),
        ((0.797, 10), (0.80, 10), {}, True, "mAP 0.7970, the champion 0.8000"),
        ((0.79, 10), (0.80, 10), {}, False, "mAP 0.7900, the baseline 0.8000: 0.0100 less"),
        ((0.79, 10), (0.80, 10), {"metric_tolerance": 0.02}, True, "not worse"),
        ((0.90, 12), (0.80, 10), {}, False, "end to end 12.00 ms"),
        ((0.90, 12), (0.80, 10), {"latency_tolerance": None}, True, "not worse"),
        ((0.90, 12), (0.80, 10), {"latency_tolerance": 0.3}, True, "not worse"),
        ((0.80, 5), (0.80, 10), {"rule": "better"}, False, "no better than the champion"),
        ((0.82, 10), (0.80, 10), {"rule": "better"}, True, "better than the champion"),
        ((None, 10), (0.80, 10), {}, False, "no form in common whose accuracy was measured"),
        ((None, 10), (0.80, 10), {"unmeasured": "promote"}, True, "promotion.unmeasured=promote"),
    ],
)
def test_both_in_one_record(
    own: tuple[float | None, float],
    champion: tuple[float, float],
    options: dict[str, Any],
    promoted: bool,
    why: str,
) -> None:
    one = record(form(*own), form(*champion, baseline=True))
    verdict = challenge(one, one, PromotionOptions(**options))
    assert (verdict.promoted, why in verdict.why) == (promoted, True), verdict.why
    assert verdict.forms[0]["champion ms"] == champion[1]


def test_noise_is_neither_a_loss_nor_a_gain() -> None:
    draws = tuple(0.5 + 0.1 * (n % 7) for n in range(300))
    noisy = tuple(reversed(draws))
    for rule, promoted in (("not-worse", True), ("better", False)):
        for own, other in ((0.78, 0.80), (0.82, 0.80)):
            one = record(
                form(own, 10, resampled=draws), form(other, 10, baseline=True, resampled=noisy)
            )
            assert challenge(one, one, PromotionOptions(rule=rule)).promoted is promoted


@pytest.mark.parametrize(
    ("more", "options", "promoted", "why"),
    [
        ({}, {}, True, "not worse"),
        ({"dataset_hash": "another"}, {}, False, "it was measured on other pictures"),
        (
            {"hardware": MACHINE.model_copy(update={"cpu": "another"})},
            {},
            False,
            "it was measured with another cpu",
        ),
        (
            {"hardware": MACHINE.model_copy(update={"cpu": "another"})},
            {"latency_tolerance": None},
            True,
            "not worse",
        ),
    ],
)
def test_a_record_of_the_champions_own_counts_where_it_is_comparable(
    more: dict[str, Any], options: dict[str, Any], promoted: bool, why: str
) -> None:
    # Both were measured beside a third one, as of two that are published at once.
    own = record(form(0.8, 10), form(0.1, 99, baseline=True))
    earlier = record(form(0.8, 10), form(0.9, 1, baseline=True), **more)
    verdict = challenge(own, earlier, PromotionOptions(**options))
    assert (verdict.promoted, why in verdict.why) == (promoted, True), verdict.why


def test_other_forms_are_not_compared() -> None:
    own = record(form(0.8, 10), form(0.8, 10, baseline=True, file="m.xml", format="openvino"))
    verdict = challenge(own, own, PromotionOptions())
    assert not verdict.promoted and "no form in common" in verdict.why
