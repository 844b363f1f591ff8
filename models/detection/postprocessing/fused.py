"""The postprocessor as ONNX, to be shipped inside a network's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.postprocessing.dense import DensePostprocessing
from models.detection.postprocessing.package import steps_of
from models.detection.postprocessing.queries import QueryPostprocessing
from models.families import Fused, NodeList
from models.package import ModelCard, Output
from models.preprocessing import Placement, to_pictures


def fused(card: ModelCard) -> Fused:
    """Describe a detector's fused form.

    Its outputs are `boxes` (left, top, right, bottom in pixels of the input, not clipped), `scores`
    and `labels` (class indices), the surest first. No threshold has cut them; of a dense network,
    places that NMS leaves empty have score 0.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    steps = steps_of(card)
    count = _candidates(steps, card)
    count = min(steps.max_detections, count)
    outputs = (
        Output(
            name="boxes",
            shape=("batch", count, 4),
            meaning="left, top, right, bottom in pixels of the input",
        ),
        Output(name="scores", shape=("batch", count), meaning="falling; 0 is an empty place"),
        Output(name="labels", shape=("batch", count), dtype="int64", meaning="class index"),
    )
    limits = np.array(card.class_thresholds, np.float32)

    def place(
        tensors: Sequence[NDArray[Any]], placements: Sequence[Placement], threshold: float | None
    ) -> list[Detections]:
        boxes, scores, labels = tensors
        results = []
        for box, score, label in zip(to_pictures(boxes, placements), scores, labels, strict=True):
            there = score > 0
            found = Detections(box[there], score[there], label[there])
            results.append(found.above(limits if threshold is None else threshold))
        return results

    def write(tensors: Sequence[str], nodes: NodeList) -> tuple[str, ...]:
        first, boxes = tensors
        if isinstance(steps, DensePostprocessing):
            return _dense(steps, card, first, boxes, nodes)
        return _queries(card, first, boxes, count, nodes)

    return Fused(outputs, write, place)


def _candidates(steps: QueryPostprocessing | DensePostprocessing, card: ModelCard) -> int:
    """Count the pairs of query or place and class that are looked at."""
    pairs = int(np.prod([size for size in card.outputs[0].shape[1:] if size != "batch"]))
    if isinstance(steps, DensePostprocessing):
        return min(steps.candidates_before_nms, pairs)
    return pairs


def _queries(
    card: ModelCard, logits: str, boxes: str, count: int, nodes: NodeList
) -> tuple[str, ...]:
    """Top-k over all pairs of query and class, without NMS."""
    values, labels, corners = _surest(card, logits, boxes, count, nodes)
    return _pixels(card, corners, nodes), nodes.add("Sigmoid", values), labels


def _dense(
    steps: DensePostprocessing, card: ModelCard, scores: str, boxes: str, nodes: NodeList
) -> tuple[str, ...]:
    """The surest pairs of place and class, NMS in each class, and the surest that are left."""
    count = _candidates(steps, card)
    values, labels, corners = _surest(card, scores, boxes, count, nodes)
    # INT8 or a broken export may give others than finite numbers: x - x is 0 or not a number.
    strange = nodes.add("IsNaN", nodes.add("Sub", corners, corners))
    strange = nodes.add("Cast", strange, to=nodes.FLOAT)
    strange = nodes.add("ReduceMax", strange, nodes.constant(np.array([2])), keepdims=0)
    values = nodes.add(
        "Where",
        nodes.add("Cast", strange, to=nodes.BOOL),
        nodes.constant(np.float32(0)),
        values,
    )
    # As `_nms`, which cuts boxes far outside the input before it compares them.
    bounded = nodes.add(
        "Clip", corners, nodes.constant(np.float32(-2)), nodes.constant(np.float32(3))
    )
    # Scores [B, classes, candidates], 0 in all classes but the candidate's own.
    classes = nodes.constant(np.arange(len(card.classes))[None, :, None])
    own = nodes.add("Equal", nodes.add("Unsqueeze", labels, nodes.constant(np.array([1]))), classes)
    by_class = nodes.add(
        "Where",
        own,
        nodes.add("Unsqueeze", values, nodes.constant(np.array([1]))),
        nodes.constant(np.float32(0)),
    )
    kept = nodes.add(
        "NonMaxSuppression",
        bounded,
        by_class,
        nodes.constant(np.array([count])),
        nodes.constant(np.array([steps.nms_iou], np.float32)),
        nodes.constant(np.array([steps.least_score], np.float32)),
    )
    # Rows of picture, class, candidate, without an order: marked where they lie, which has one.
    where = nodes.add("Gather", kept, nodes.constant(np.array([0, 2])), axis=1)
    nothing = nodes.add("Mul", values, nodes.constant(np.float32(0)))
    ones = nodes.add("Shape", where, end=1)
    ones = nodes.add("Expand", nodes.constant(np.array([1], np.float32)), ones)
    mark = nodes.add("ScatterND", nothing, where, ones)
    left = nodes.add("Mul", values, mark)
    most = nodes.constant(np.array([min(steps.max_detections, count)]))
    scores, chosen = nodes.add_many("TopK", [left, most], 2, axis=1)
    return (
        _pixels(card, _pick(corners, chosen, nodes), nodes),
        scores,
        nodes.add("GatherElements", labels, chosen, axis=1),
    )


def _surest(
    card: ModelCard, scores: str, boxes: str, count: int, nodes: NodeList
) -> tuple[str, str, str]:
    """Scores, labels and corners (shares of the input) of the surest pairs, [B, count] each."""
    classes = nodes.constant(np.array(len(card.classes)))
    flat = nodes.add("Flatten", scores, axis=1)
    values, pairs = nodes.add_many("TopK", [flat, nodes.constant(np.array([count]))], 2, axis=1)
    middle_and_size = _pick(boxes, nodes.add("Div", pairs, classes), nodes)
    middle = nodes.add("Slice", middle_and_size, *_range(nodes, 0, 2))
    half = nodes.add(
        "Div",
        nodes.add("Slice", middle_and_size, *_range(nodes, 2, 4)),
        nodes.constant(np.float32(2)),
    )
    low, high = nodes.add("Sub", middle, half), nodes.add("Add", middle, half)
    return values, nodes.add("Mod", pairs, classes), nodes.add("Concat", low, high, axis=2)


def _pick(rows: str, places: str, nodes: NodeList) -> str:
    """Gather rows [B, N, 4] at places [B, K]."""
    wide = nodes.add("Unsqueeze", places, nodes.constant(np.array([2])))
    wide = nodes.add("Tile", wide, nodes.constant(np.array([1, 1, 4])))
    return nodes.add("GatherElements", rows, wide, axis=1)


def _pixels(card: ModelCard, corners: str, nodes: NodeList) -> str:
    size = [card.preprocessing.width, card.preprocessing.height] * 2
    return nodes.add("Mul", corners, nodes.constant(np.array(size, np.float32)))


def _range(nodes: NodeList, start: int, end: int) -> tuple[str, str, str]:
    """Arguments of `Slice` along the last of three axes."""
    return (
        nodes.constant(np.array([start])),
        nodes.constant(np.array([end])),
        nodes.constant(np.array([2])),
    )
