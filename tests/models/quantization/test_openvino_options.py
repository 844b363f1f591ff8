"""Each option of the OpenVINO form changes what it says it changes, on a small graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray

from models.bootstrap import PairedBootstrap
from models.families import Predict, family
from models.ocr.networks.contrast import LocalContrast
from models.package import ModelCard, ModelPackage
from models.quantization.calibration import Calibration
from models.quantization.layers import explain, float_names, layers
from models.quantization.nncf_library import nncf_library
from models.quantization.openvino_int8 import (
    CompiledEngine,
    Judgement,
    quantize_controlled,
    quantize_plain,
    read_graph,
)
from models.quantization.options import QuantizeOptions
from models.reporting import Silence
from models.runtimes import Predictor

DETECTION = family("detection")
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def graph_of() -> Callable[[Path], Any]:
    """Reads a graph as it is read for quantisation."""

    def read(file: Path) -> Any:
        graph, xml = openvino.Core().read_model(os.fspath(file)), file.with_suffix(".xml")
        openvino.save_model(graph, os.fspath(xml), compress_to_fp16=False)
        return read_graph(xml)

    return read


def quantized(graph: Any, card: ModelCard, squares: Path, **options: Any) -> Any:
    wanted = QuantizeOptions.model_validate({"calibration_pictures": 8, **options})
    chosen = Calibration(DETECTION, card, squares, wanted.calibration_pictures, wanted.seed)
    kept = float_names(graph, wanted.float_parts, wanted.float_layers)
    package = ModelPackage(card, Path(), {})
    return quantize_plain(graph, chosen, DETECTION, package, kept, wanted)


def in_int8(graph: Any) -> set[str]:
    return {short(layer.name) for layer in layers(graph) if layer.int8}


def short(name: str) -> str:
    """A convolution with a bias becomes two nodes."""
    return name.removesuffix("/WithoutBiases")


def ranges(graph: Any) -> list[tuple[float, float]]:
    """Lowest and highest value of each rounding of activations."""
    found = []
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            low, high = (node.input_value(port).get_node().data for port in (1, 2))
            found.append((float(low.min()), float(high.max())))
    return found


def test_all_layers_are_quantised_and_float_layers_are_not(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path
) -> None:
    graph = graph_of(toy())
    every = {"first", "steady", "fragile", "last", "dense"}
    assert {short(layer.name) for layer in layers(graph)} == every
    assert not in_int8(graph)
    assert in_int8(quantized(graph, card, squares)) == every
    some = quantized(graph, card, squares, float_layers=["^steady", "las"])
    assert in_int8(some) == every - {"steady", "last"}
    kept = float_names(graph, (), ("^steady", "las"))
    assert explain(layers(some), kept, None) == [
        ("steady/WithoutBiases", "Convolution", "float_layers=^steady"),
        ("last/WithoutBiases", "Convolution", "float_layers=las"),
    ]
    with pytest.raises(ValueError, match="no node of the graph has a name like 'decoder_9'"):
        quantized(graph, card, squares, float_layers=["decoder_9"])


def test_the_arithmetic_of_outputs_stays_in_float(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path
) -> None:
    graph = graph_of(toy())
    assert set(float_names(graph, ("outputs",), ())) == {
        *("said", "shrunk", "moved", "shares", "boxes", "logits")
    }
    without = quantized(graph, card, squares, model_type="none", float_parts=[])
    kept = quantized(graph, card, squares, model_type="none")
    assert len(ranges(without)) > len(ranges(kept))
    with pytest.raises(ValueError, match="the network chooses no queries"):
        float_names(graph, ("decoder",), ())


def test_what_comes_before_the_first_weights_stays_in_float(
    toy: Write, graph_of: Callable[[Path], Any]
) -> None:
    graph = graph_of(toy())
    found = list(float_names(graph, ("inputs",), ()))
    names = [node.get_friendly_name() for node in graph.get_ordered_ops()]
    first = next(layer.name for layer in layers(graph))
    assert "pixels" in found
    assert all(names.index(name) < names.index(first) for name in found)
    # Nothing that makes pixels is left out.
    made = [
        node.get_friendly_name()
        for node in graph.get_ordered_ops()
        if node.get_type_name() not in ("Constant", "Parameter")
    ]
    assert found == made[: len(found)]
    assert made[len(found)] == first


def test_local_contrast_stays_in_float(tmp_path: Path) -> None:
    """Variances span many powers of two: in 8 bits those of faint lines are 0."""
    see = torch.nn.Sequential(LocalContrast(), torch.nn.Conv2d(1, 8, 3, stride=2))
    given = torch.rand(2, 3, 32, 64) * 0.1
    graph = openvino.convert_model(see.eval(), example_input=given, input=[2, 3, 32, 64])
    with nncf_library() as nncf:
        plain, kept = (
            nncf.quantize(
                graph,
                nncf.Dataset([given.numpy()]),
                ignored_scope=nncf.IgnoredScope(names=list(float_names(graph, parts, ()))),
            )
            for parts in ((), ("inputs",))
        )
    assert len(ranges(kept)) == 1 < len(ranges(plain))


def test_a_decoder_is_what_follows_the_choice_of_queries(exported: Path) -> None:
    graph = openvino.Core().read_model(os.fspath(exported / "openvino/model.xml"))
    kept = float_names(graph, ("decoder",), ())
    products = [layer.name for layer in layers(graph) if layer.kind == "MatMul"]
    convolutions = [layer.name for layer in layers(graph) if layer.kind == "Convolution"]
    assert len(set(products) & set(kept)) > 20
    assert not set(convolutions) & set(kept)
    # What the queries are chosen from is no part of it.
    assert set(products) - set(kept)


def test_preset_scheme_and_bias_correction_make_other_graphs(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path
) -> None:
    graph = graph_of(toy())
    mixed = ranges(quantized(graph, card, squares, model_type="none", preset="mixed"))
    symmetric = ranges(quantized(graph, card, squares, model_type="none", preset="performance"))

    def crooked(found: list[tuple[float, float]]) -> int:
        return sum(low < 0 and abs(low + high) > 0.02 * high for low, high in found)

    assert crooked(mixed) > 0 and crooked(symmetric) == 0
    # For attention sums are left in float; detectors with queries take that scheme by themselves.
    plain = len(ranges(quantized(graph, card, squares, model_type="none")))
    attends = len(ranges(quantized(graph, card, squares, model_type="transformer")))
    assert attends < plain
    assert len(ranges(quantized(graph, card, squares, model_type="auto"))) == attends
    dense = card.model_copy(update={"network": {"name": "yolox-nano"}})
    assert len(ranges(quantized(graph, dense, squares, model_type="auto"))) == plain

    def outputs(made: Any) -> NDArray[np.float32]:
        inputs = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), dtype=np.uint8)
        found: NDArray[np.float32] = openvino.compile_model(made, "CPU")(inputs)[0]
        return found

    fast = outputs(quantized(graph, card, squares, fast_bias_correction=True))
    slow = outputs(quantized(graph, card, squares, fast_bias_correction=False))
    assert np.abs(fast - slow).max() > 0


@pytest.mark.parametrize("which", ["first-layer", "all-layers", "none"])
def test_seven_bits_of_weights_leave_room_for_sums(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path, which: str
) -> None:
    graph = graph_of(toy())
    made = quantized(graph, card, squares, seven_bits=which)
    largest = {
        node.get_friendly_name(): int(np.abs(node.data.astype(int)).max())
        for node in made.get_ordered_ops()
        if node.get_type_name() == "Constant" and node.get_element_type().to_string() == "i8"
    }
    assert len(largest) == len(in_int8(made))
    narrow = [top <= 64 for top in largest.values()]
    assert sum(narrow) == {"first-layer": 1, "all-layers": len(narrow), "none": 0}[which]


def test_calibration_takes_training_pictures_by_seed(card: ModelCard, squares: Path) -> None:
    first, again, other = (Calibration(DETECTION, card, squares, 12, seed) for seed in (0, 0, 1))
    assert first.indices == again.indices != other.indices
    assert len(first) == len(set(first.indices)) == 12
    assert len(Calibration(DETECTION, card, squares, 10**6)) == 160
    inputs = list(first)
    assert {(one.shape, one.dtype.name) for one in inputs} == {((1, 64, 96, 3), "uint8")}
    from models.detection.dataset import read_labels, read_picture

    labels = read_labels(squares, "train")
    picture = read_picture(labels.folder / labels.files[first.indices[3]])
    expected, _ = card.preprocessing([picture])
    assert np.array_equal(inputs[3], expected)


class Agreement:
    """As labels: what the float graph says. The metric is 1 minus the mean distance from it."""

    split = "val"

    def __init__(self, expected: Predict, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._pictures = pictures
        self.asked: set[int] = set()
        """How many pictures were predicted at a time."""
        self._expected = [one.scores for one in expected(pictures, 0.0)]

    def __len__(self) -> int:
        return len(self._pictures)

    def picture(self, index: int) -> NDArray[np.uint8]:
        return self._pictures[index]

    def measure(self, predict: Predict) -> dict[str, float]:
        return self.measure_each(predict).values

    def measure_each(self, predict: Predict, indices: Sequence[int] | None = None) -> Any:
        indices = range(len(self)) if indices is None else indices
        self.asked.add(len(indices))
        found = predict([self.picture(index) for index in indices], 0.0)
        off = [
            float(np.abs(one.scores - self._expected[index]).mean())
            for one, index in zip(found, indices, strict=True)
        ]
        return Distances(1 - 20 * np.array(off))


class Distances:
    """A mean over pictures."""

    def __init__(self, each: NDArray[np.float64]) -> None:
        self.each, self.values = each, {"mAP": float(each.mean())}

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        return self.values["mAP"] if counts is None else float(self.each @ counts / counts.sum())


def control(
    graph: Any, card: ModelCard, squares: Path, **options: Any
) -> tuple[Any, Any, Callable[[Any], Any], int, set[int]]:
    """Quantise plainly and under control.

    Returns:
        Both graphs, what measures one, how often control measured, on how many pictures.
    """
    detector = card.model_copy(
        update={
            "network": {"name": "yolox-nano"},
            "postprocessing": {"kind": "detr", "max_detections": 20},
        }
    )
    package = ModelPackage(detector, Path(), {})
    wanted = QuantizeOptions.model_validate({"calibration_pictures": 16, **options})
    chosen = Calibration(DETECTION, detector, squares, 16)
    train = DETECTION.validation(detector, squares, "train", 40)

    def predictor(made: Any) -> Predictor:
        compiled = openvino.compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return Predictor(package, "openvino", CompiledEngine(compiled, package))

    validation = Agreement(predictor(graph), [train.picture(index) for index in range(40)])
    reference = validation.measure_each(predictor(graph))
    bootstrap = PairedBootstrap(reference, 40, 200)
    judgement = Judgement(package, validation, bootstrap, 1.0)
    tries: list[tuple[str, int, int]] = []

    class Counting(Silence):
        def progress(self, description: str, done: int, total: int) -> None:
            tries.append((description, done, total))

    plain = quantize_plain(graph, chosen, DETECTION, package, (), wanted)
    controlled = quantize_controlled(graph, chosen, DETECTION, judgement, (), 2, wanted, Counting())
    rounds = {total for description, _, total in tries if description.startswith("putting")}
    assert rounds == {wanted.control.rounds}
    judged = [(done, total) for description, done, total in tries if "judging" in description]
    assert judged[0] == (1, 2)
    return (
        plain,
        controlled,
        lambda made: bootstrap.loss(validation.measure_each(predictor(made))),
        len(tries),
        set(validation.asked),
    )


def test_accuracy_control_puts_back_what_hurts(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path
) -> None:
    graph = graph_of(toy(outlier=2000.0))
    plain, controlled, loss, tries, _ = control(graph, card, squares, budget=0.05)
    assert not loss(plain).within(0.05)
    assert loss(controlled).within(0.05)
    assert "fragile" in in_int8(plain) - in_int8(controlled)
    assert in_int8(controlled)
    reasons = {short(name): why for name, _, why in explain(layers(controlled), {}, layers(plain))}
    assert reasons["fragile"] == "put back by accuracy control"
    assert tries > 5


def test_limits_of_accuracy_control(
    toy: Write, graph_of: Callable[[Path], Any], card: ModelCard, squares: Path
) -> None:
    """With no round that could help, and with fewer pictures to rank on."""
    graph = graph_of(toy(outlier=2000.0))
    strict = {"budget": 1e-7}
    least = {"rounds": 1, "ranking_pictures": 7}
    _, once, _, few, asked = control(graph, card, squares, **strict, control=least)
    assert 7 in asked
    more = {"rounds": 3, "ranking_pictures": 9}
    _, often, _, many, asked = control(graph, card, squares, **strict, control=more)
    assert 9 in asked and 7 not in asked
    assert len(in_int8(once)) > len(in_int8(often))
    assert many > few


def test_an_error_while_measuring_is_not_taken_for_another_kind_of_metric(
    toy: Write,
    graph_of: Callable[[Path], Any],
    card: ModelCard,
    squares: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("picture 3 cannot be decoded")

    graph = graph_of(toy())
    monkeypatch.setattr(PairedBootstrap, "loss", broken)
    with pytest.raises(ValueError, match="picture 3 cannot be decoded"):
        control(graph, card, squares)
