"""The postprocessing of a model package."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models.detection.detections import Detections
from models.detection.postprocessing.dense import DensePostprocessing
from models.detection.postprocessing.queries import QueryPostprocessing
from models.families import Postprocessor
from models.package import ModelCard
from models.preprocessing import Placement

KINDS: dict[str, type[QueryPostprocessing] | type[DensePostprocessing]] = {
    "detr": QueryPostprocessing,
    "dense": DensePostprocessing,
}


def steps_of(card: ModelCard) -> QueryPostprocessing | DensePostprocessing:
    """Read what a package says about its postprocessing.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    kind = str(card.postprocessing.get("kind"))
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ValueError(f"model.json: postprocessing.kind: expected one of {known}, got '{kind}'")
    try:
        steps = KINDS[kind].model_validate(card.postprocessing)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["postprocessing", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error
    names = tuple(output.name for output in card.outputs)
    if names != steps.outputs:
        raise ValueError(f"model.json: outputs: expected {steps.outputs}, got {names}")
    return steps


def postprocessor(card: ModelCard) -> Postprocessor:
    """Make what turns a package's output tensors into detections.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    steps = steps_of(card)
    limits = np.array(card.class_thresholds, np.float32)

    def process(
        outputs: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> list[Detections]:
        found = steps(outputs, card.preprocessing, placements)
        return [one.above(limits if threshold is None else threshold) for one in found]

    return process
