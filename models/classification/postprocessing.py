"""The postprocessing of a classifier's package, also as part of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from models.classification.naming import Classification, confidences, name_classes
from models.families import Fused, NodeList, Postprocessor
from models.package import ModelCard, Output
from models.preprocessing import Placement
from models.training.options import Options


class Postprocessing(Options):
    """The `postprocessing` part of `model.json`."""

    kind: Literal["softmax", "sigmoid"] = "softmax"
    """`softmax`: one class a picture; `sigmoid`: any number of classes."""
    temperature: float = Field(1.0, gt=0.0, le=1000.0)
    """What logits are divided by, so that confidences are shares of what is right."""


def steps_of(card: ModelCard) -> Postprocessing:
    """Read what a package says about its postprocessing.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    try:
        steps = Postprocessing.model_validate(card.postprocessing)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["postprocessing", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error
    shape = card.outputs[0].shape if card.outputs else ()
    if [output.name for output in card.outputs] != ["logits"] or shape[1:] != (len(card.classes),):
        raise ValueError("model.json: outputs: expected 'logits' with one value for each class")
    return steps


def postprocessor(card: ModelCard) -> Postprocessor:
    """Make what turns logits into `Classification`s."""
    steps = steps_of(card)
    own = np.array(card.class_thresholds, np.float32)

    def run(
        tensors: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> list[Classification]:
        scores = confidences(tensors[0], steps.kind, steps.temperature)
        return name_classes(scores, own if threshold is None else threshold, steps.kind)

    return run


def fused(card: ModelCard) -> Fused:
    """Describe the form with confidences and their order inside the graph.

    Its outputs are `scores`, falling, and `labels`, the class index of each.
    """
    steps = steps_of(card)
    count = len(card.classes)
    own = np.array(card.class_thresholds, np.float32)
    outputs = (
        Output(name="scores", shape=("batch", count), meaning="confidence, falling"),
        Output(name="labels", shape=("batch", count), dtype="int64", meaning="class index"),
    )

    def place(
        tensors: Sequence[NDArray[Any]], placements: Sequence[Placement], threshold: float | None
    ) -> list[Classification]:
        falling, labels = tensors
        scores = np.zeros(falling.shape, np.float32)
        np.put_along_axis(scores, labels.astype(np.int64), falling.astype(np.float32), axis=1)
        return name_classes(scores, own if threshold is None else threshold, steps.kind)

    def write(tensors: Sequence[str], nodes: NodeList) -> Sequence[str]:
        scaled = nodes.add("Div", tensors[0], nodes.constant(np.float32(steps.temperature)))
        if steps.kind == "softmax":
            scores = nodes.add("Softmax", scaled, axis=1)
        else:
            scores = nodes.add("Sigmoid", scaled)
        return nodes.add_many("TopK", [scores, nodes.constant(np.array([count]))], 2, axis=1)

    return Fused(outputs, write, place)
