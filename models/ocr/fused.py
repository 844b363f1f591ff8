"""A reader's greedy decoding as ONNX operators behind the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.families import Fused, NodeList
from models.ocr.postprocessing import steps_of
from models.ocr.readings import Reading, readings
from models.package import ModelCard, Output
from models.placement import Placement

_INT64 = 7


def fused(card: ModelCard) -> Fused:
    """Describe the fused form.

    Raises:
        ValueError: beam search or checksums, which aren't made of operators.
    """
    steps = steps_of(card)
    for name, plain in (("method", "greedy"), ("symbology", "none")):
        if getattr(steps, name) != plain:
            raise ValueError(
                f"onnx-fused has greedy decoding alone inside; this model's decoding has "
                f"{name}={getattr(steps, name)}: export it as onnx"
            )
    length = card.outputs[0].shape[1]
    assert isinstance(length, int)
    decoder = steps.decoder(card.class_names)
    outputs = (
        Output(
            name="classes",
            shape=("batch", length),
            dtype="int64",
            meaning="class index of the likeliest class of each step; the last is CTC's blank",
        ),
        Output(name="scores", shape=("batch", length), meaning="its probability"),
        Output(
            name="starts",
            shape=("batch", length),
            dtype="int64",
            meaning="1 where a character begins: the class is no blank and isn't that of the step "
            "before; the text is the classes at these steps",
        ),
    )

    def write(names: Sequence[str], nodes: NodeList) -> Sequence[str]:
        (log_probs,) = names
        best = nodes.add("ArgMax", log_probs, axis=2, keepdims=0)
        axis = nodes.constant(np.array([2], np.int64))
        scores = nodes.add("Exp", nodes.add("ReduceMax", log_probs, axis, keepdims=0))
        before = nodes.add(
            "Pad",
            nodes.add(
                "Slice",
                best,
                nodes.constant(np.array([0], np.int64)),
                nodes.constant(np.array([-1], np.int64)),
                nodes.constant(np.array([1], np.int64)),
            ),
            nodes.constant(np.array([0, 1, 0, 0], np.int64)),
            nodes.constant(np.array(-1, np.int64)),
        )
        blank = nodes.constant(np.array(steps.blank, np.int64))
        fresh = nodes.add("Not", nodes.add("Equal", best, before))
        letter = nodes.add("Not", nodes.add("Equal", best, blank))
        starts = nodes.add("Cast", nodes.add("And", fresh, letter), to=_INT64)
        return best, scores, starts

    def place(
        tensors: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> list[Reading]:
        limit = card.threshold.value if threshold is None else threshold
        best = np.asarray(tensors[0]).astype(np.int64)
        return readings(decoder.from_best(best, tensors[1]), placements, limit)

    return Fused(outputs, write, place)
