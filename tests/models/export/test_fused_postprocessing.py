"""The postprocessor inside an ONNX graph does what the one beside it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from models.detection.postprocessing import DensePostprocessing, QueryPostprocessing
from models.export.fusing import fuse
from models.export.onnx_format import OPSET
from models.families import family
from models.package import Input, ModelCard, ModelClass, Output
from models.preprocessing import Preprocessing


def card_of(steps: Any, places: int, classes: int) -> ModelCard:
    return ModelCard(
        family="detection",
        network={"name": "any"},
        classes=tuple(ModelClass(name=f"c{index}") for index in range(classes)),
        input=Input(shape=("batch", 64, 96, 3)),
        preprocessing=Preprocessing(height=64, width=96),
        outputs=(
            Output(name=steps.outputs[0], shape=("batch", places, classes)),
            Output(name="boxes", shape=("batch", places, 4)),
        ),
        postprocessing=steps.model_dump(),
    )


def session_of(card: ModelCard) -> onnxruntime.InferenceSession:
    """A network that hands its inputs on, with the postprocessor behind it."""
    given = [
        helper.make_tensor_value_info(f"in_{output.name}", TensorProto.FLOAT, list(output.shape))
        for output in card.outputs
    ]
    made = [
        helper.make_tensor_value_info(output.name, TensorProto.FLOAT, list(output.shape))
        for output in card.outputs
    ]
    nodes = [
        helper.make_node("Identity", [one.name], [other.name])
        for one, other in zip(given, made, strict=True)
    ]
    graph = helper.make_graph(nodes, "pass", given, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    whole = fuse(model, card, family("detection").fused(card))
    onnx.checker.check_model(whole, full_check=True)
    return onnxruntime.InferenceSession(whole.SerializeToString())


def boxes_of(random: np.random.Generator, batch: int, places: int) -> Any:
    middle = random.uniform(0, 1, (batch, places, 2))
    size = random.uniform(0.02, 0.5, (batch, places, 2))
    return np.concatenate([middle, size], 2).astype(np.float32)


CASES = [
    pytest.param(QueryPostprocessing(), 20, 3, id="queries"),
    pytest.param(QueryPostprocessing(max_detections=7), 20, 1, id="fewer"),
    pytest.param(DensePostprocessing(), 200, 3, id="dense"),
    pytest.param(DensePostprocessing(nms_iou=0.2), 200, 1, id="strict"),
    pytest.param(DensePostprocessing(max_detections=5), 200, 3, id="few"),
    pytest.param(DensePostprocessing(candidates_before_nms=30), 200, 80, id="cut"),
    pytest.param(DensePostprocessing(least_score=0.9), 50, 2, id="sure"),
]


@pytest.mark.parametrize(("steps", "places", "classes"), CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_inside_and_beside_are_the_same(steps: Any, places: int, classes: int, batch: int) -> None:
    random = np.random.default_rng(places + classes + batch)
    card = card_of(steps, places, classes)
    first = random.normal(0, 2, (batch, places, classes)).astype(np.float32)
    if steps.kind == "dense":
        first = 1 / (1 + np.exp(-first))
    boxes = boxes_of(random, batch, places)
    if steps.kind == "dense":
        boxes[:, ::7, 2] = np.nan
        boxes[:, ::11, 0] = np.inf
    names = [f"in_{output.name}" for output in card.outputs]
    found = session_of(card).run(None, dict(zip(names, (first, boxes), strict=True)))
    fused = family("detection").fused(card)
    assert [list(one.shape) for one in found] == [
        [batch, *output.shape[1:]] for output in fused.outputs
    ]
    assert [one.dtype for one in found] == [output.dtype for output in fused.outputs]
    assert (np.diff(found[1], axis=1) <= 0).all()
    placements = [card.preprocessing.placement(50 + index, 80) for index in range(batch)]
    expected = family("detection").postprocessor(card)([first, boxes], placements, 0.0)
    for one, other in zip(expected, fused.place(found, placements, 0.0), strict=True):
        assert one.classes.tolist() == other.classes.tolist()
        np.testing.assert_allclose(other.scores, one.scores, atol=1e-6)
        np.testing.assert_allclose(other.boxes, one.boxes, atol=1e-3)
    assert sum(map(len, expected)) > 0


def test_the_packages_threshold_cuts_after_it() -> None:
    card = card_of(QueryPostprocessing(), 5, 2)
    card = card.model_copy(update={"threshold": card.threshold.model_copy(update={"value": 0.9})})
    random = np.random.default_rng(0)
    logits = np.linspace(-4, 4, 10, dtype=np.float32).reshape(1, 5, 2)
    boxes = boxes_of(random, 1, 5)
    found = session_of(card).run(None, {"in_logits": logits, "in_boxes": boxes})
    place = family("detection").fused(card).place
    placements = [card.preprocessing.placement(64, 96)]
    assert len(place(found, placements, None)[0]) == 3
    assert len(place(found, placements, 0.0)[0]) == 10


def test_nothing_found_is_scores_of_0() -> None:
    card = card_of(DensePostprocessing(), 50, 2)
    scores = np.full((1, 50, 2), 0.005, np.float32)
    boxes = boxes_of(np.random.default_rng(0), 1, 50)
    found = session_of(card).run(None, {"in_scores": scores, "in_boxes": boxes})
    assert not found[1].any()
    placements = [card.preprocessing.placement(64, 96)]
    assert len(family("detection").fused(card).place(found, placements, 0.0)[0]) == 0
