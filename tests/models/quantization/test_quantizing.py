"""INT8 forms of a detector: what they hold, what they lose, and when they are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, numpy_helper

import models.quantization.quantizer
from models.families import family
from models.package import ModelPackage
from models.quantization import BudgetError, QuantizeOptions, QuantizeReport, quantize
from models.quantization.layers import layers
from models.quantization.quantizer import differs, refuse_losses
from models.reporting import Silence
from models.runtimes import load_predictor


class Listener(Protocol):
    """A reporter that keeps what it is told; see `conftest.py`."""

    lines: list[str]
    tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]

    def log(self, message: str) -> None: ...


FORMS = ("openvino-int8/model.xml", "model-int8.onnx")


def test_the_report_says_what_was_lost(quantized: tuple[QuantizeReport, object]) -> None:
    report, _ = quantized
    assert (report.metric, report.split, report.pictures) == ("mAP", "val", 21)
    assert tuple(form.file for form in report.forms) == FORMS
    for form in report.forms:
        assert form.kept and form.loss.within(0.2) and form.plain is None
        assert form.loss.low < form.loss.value < form.loss.high
        assert form.loss.candidate == form.metrics["mAP"]
        assert form.parity is not None and form.parity.compared > 20
        # It isn't the float model.
        assert form.parity.difference["score"] > 1e-4
        assert form.latency is not None and form.latency.network > 0
        assert form.quantization.layers > 30
        assert form.quantization.pictures == 16 and form.quantization.split == "train"
    assert report.reference is not None
    columns, rows = report.table()
    assert [len(row) for row in rows] == [len(columns)] * 2
    assert json.loads(json.dumps(report.record()))["forms"][0]["loss"]["pictures"] == 21


def test_the_new_package_holds_them_beside_the_old(
    quantized: tuple[QuantizeReport, object], exported: Path, trained: Path
) -> None:
    report, _ = quantized
    before, after = ModelPackage.load(trained), ModelPackage.load(report.package)
    assert [a.file for a in after.card.artifacts] == ["weights.safetensors", *FORMS]
    assert before.card.artifacts == after.card.artifacts[:1]
    for form, artifact in zip(report.forms, after.card.artifacts[1:], strict=True):
        assert artifact.precision == "int8" and artifact.tool
        assert artifact.quantization == form.quantization
        assert artifact.quantization.method == "post-training"
        assert artifact.parity == form.parity
        figures = {m.name: m.value for m in after.card.metrics if m.artifact == artifact.file}
        assert figures == form.metrics
    whole = ModelPackage.load(exported)
    for kind in ("openvino", "onnx"):
        bytes_ = after.artifact(kind, "int8").bytes  # type: ignore[arg-type]
        assert bytes_ < 0.65 * whole.artifact(kind).bytes  # type: ignore[arg-type]


def test_runtimes_pick_them_by_precision_and_the_figures_are_theirs(
    quantized: tuple[QuantizeReport, object], squares: Path
) -> None:
    report, _ = quantized
    package = ModelPackage.load(report.package)
    validation = family("detection").validation(package.card, squares, "val", 99)
    for form in report.forms:
        with load_predictor(package, form.runtime, "cpu", 1, precision="int8") as predictor:
            assert predictor.engine.artifact == form.file
            assert validation.measure(predictor) == pytest.approx(form.metrics, abs=1e-3)


def test_openvino_really_computes_in_8_bits(quantized: tuple[QuantizeReport, object]) -> None:
    report, heard = quantized
    graph = openvino.Core().read_model(os.fspath(report.package / FORMS[0]))
    found = layers(graph)
    form = report.forms[0]
    assert sum(layer.int8 for layer in found) == form.quantization.layers
    assert {layer.name for layer in found if not layer.int8} == {
        layer.name for layer in form.float_layers
    }
    assert all(layer.reason for layer in form.float_layers)
    running = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = [
        str(node.get_rt_info()["runtimePrecision"].value)
        for node in running.get_runtime_model().get_ops()
        if str(node.get_rt_info()["layerType"].value) == "Convolution"
    ]
    assert sum(kind in ("i8", "u8") for kind in kinds) > 0.8 * len(kinds)
    columns, rows = heard.tables["layers in float"]  # type: ignore[attr-defined]
    assert list(columns) == ["file", "layer", "kind", "why"]
    assert len(rows) == sum(len(one.float_layers) for one in report.forms)


def test_every_zero_point_of_the_onnx_file_is_an_int8_zero(
    quantized: tuple[QuantizeReport, object],
) -> None:
    report, _ = quantized
    graph = onnx.load(report.package / FORMS[1])
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    ports = [n for n in graph.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(ports) > 60
    per_channel = 0
    for node in ports:
        zero = constants[node.input[2]]
        assert zero.data_type == TensorProto.INT8, node.name
        assert not np.any(numpy_helper.to_array(zero)), node.name
        per_channel += numpy_helper.to_array(zero).size > 1
    assert per_channel > 30
    # TensorRT takes no int32: biases stay in float.
    assert not any(
        constants[node.input[0]].data_type == TensorProto.INT32
        for node in ports
        if node.input[0] in constants
    )
    assert {prop.key for prop in graph.metadata_props} >= {"sightline"}


STRICT = {"forms": ("onnx",), "calibration_pictures": 2, "budget": 0.0, "resamples": 100}
STRICT |= {"threads": 1, "latency_calls": 0}


def test_a_loss_whose_interval_is_outside_the_budget_is_refused_with_figures(
    trained: Path, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The point may well be inside: on 21 pictures nothing is sure."""

    def control(*_: object) -> None:
        raise AssertionError("accuracy control is off")

    monkeypatch.setattr(models.quantization.quantizer, "quantize_controlled", control)
    options = QuantizeOptions.model_validate(
        {**STRICT, "forms": ("openvino",), "control": {"enabled": False}, "confidence": 0.9}
    )
    with pytest.raises(BudgetError) as caught:
        quantize(trained, tmp_path / "package", squares, options, Silence())
    words = str(caught.value)
    assert words.startswith("openvino-int8/model.xml under openvino has mAP 0.")
    assert "with 90% confidence between" in words and words.endswith("the budget is 0")
    assert "\n" not in words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_otherwise_float_hands_on_what_was_there(
    trained: Path, squares: Path, tmp_path: Path, listener: Listener
) -> None:
    options = QuantizeOptions.model_validate(
        {**STRICT, "otherwise": "float", "metric_pictures": 9, "parity_pictures": 5}
    )
    report = quantize(trained, tmp_path / "package", squares, options, listener)
    form = report.forms[0]
    assert not form.kept and form.latency is None
    assert report.pictures == form.loss.pictures == 9 and form.loss.resamples == 100
    assert form.parity is not None and form.parity.pictures == 5
    package = ModelPackage.load(report.package)
    assert [a.file for a in package.card.artifacts] == ["weights.safetensors"]
    assert any("it is left out" in line for line in listener.lines)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_accuracy_control_follows_where_plain_loses_too_much(
    trained: Path, squares: Path, tmp_path: Path, listener: Listener
) -> None:
    options = QuantizeOptions.model_validate(
        {
            **STRICT,
            "forms": ("openvino",),
            "otherwise": "float",
            "control": {"rounds": 2, "ranking_pictures": 3},
        }
    )
    report = quantize(trained, tmp_path / "package", squares, options, listener)
    form = report.forms[0]
    assert form.plain is not None and not form.plain.within(0.0)
    assert form.quantization.method == "accuracy-control"
    reasons = {layer.reason for layer in form.float_layers}
    assert "put back by accuracy control" in reasons
    assert any("putting layers back to float" in line for line in listener.lines)


def test_results_far_from_pytorchs_are_refused_though_the_metric_holds(
    quantized: tuple[QuantizeReport, object], listener: Listener
) -> None:
    report, _ = quantized
    form = report.forms[0]
    assert form.parity is not None
    parity = form.parity.model_copy(update={"outside": form.parity.compared - 1})
    for share, refused in ((0.5, True), (1.0, False)):
        options = QuantizeOptions.model_validate({"budget": 0.2, "tolerance": {"outside": share}})
        assert differs(parity, options) is refused
    left_out = replace(report, forms=(replace(form, parity=parity, kept=False),))
    options = QuantizeOptions(budget=0.2)
    with pytest.raises(BudgetError, match="results are outside the tolerance"):
        refuse_losses(left_out, options, listener)
    refuse_losses(left_out, options.model_copy(update={"otherwise": "float"}), listener)
    assert "it is left out" in listener.lines[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"forms": ()},
        {"forms": ("onnx", "onnx")},
        {"split": "train"},
        {"float_layers": ("(",)},
        {"confidence": 1.0},
        {"budget": -1},
        {"calibration_pictures": 0},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        QuantizeOptions.model_validate(wrong)


def test_an_occupied_target_is_refused_first(trained: Path, squares: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        quantize(trained, tmp_path, squares, QuantizeOptions(), Silence())
