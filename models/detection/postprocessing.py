"""From a detector's output tensors to detections: the same for every runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.detection.detections import Detections
from models.families import Postprocessor
from models.package import ModelCard
from models.preprocessing import Placement, Preprocessing, to_pictures

_OUTPUTS = ("logits", "boxes")


class Postprocessing(BaseModel, ABC):
    """The `postprocessing` part of `model.json`, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: str
    """Which subclass this is."""

    @abstractmethod
    def __call__(
        self,
        outputs: Sequence[NDArray[np.float32]],
        preprocessing: Preprocessing,
        placements: Sequence[Placement],
    ) -> list[Detections]:
        """Make detections that no threshold has cut.

        Args:
            outputs: the network's, in the order of `model.json`, batch first.
            preprocessing: gives the input size.
            placements: where each picture lies in the input.

        Returns:
            For each picture, the surest first; boxes are clipped to the picture.
        """


class QueryPostprocessing(Postprocessing):
    """The `postprocessing` part of `model.json` for networks of queries (DETR and its kin).

    As in Deformable DETR (Zhu et al., 2021, arXiv:2010.04159) every pair of query and class is a
    candidate, with the sigmoid of its logit for a score; the surest are kept, without NMS.
    """

    kind: Literal["detr"] = "detr"
    activation: Literal["sigmoid"] = "sigmoid"
    """Turns the output `logits` (batch, queries, classes) into independent scores."""
    box_format: Literal["cxcywh"] = "cxcywh"
    """Of the output `boxes` (batch, queries, 4): centre x, centre y, width, height."""
    box_units: Literal["relative"] = "relative"
    """Shares of the input's width and height."""
    max_detections: int = Field(300, ge=1)
    """Candidates kept in each picture, the surest."""

    def __call__(
        self,
        outputs: Sequence[NDArray[np.float32]],
        preprocessing: Preprocessing,
        placements: Sequence[Placement],
    ) -> list[Detections]:
        """Make detections of `logits` and `boxes`."""
        logits, boxes = outputs
        batch, queries, classes = logits.shape
        flat = logits.reshape(batch, queries * classes)
        kept = _surest(flat, min(self.max_detections, flat.shape[1]))
        with np.errstate(over="ignore"):  # exp(90) is inf in float32, and 1 / inf is the right 0
            scores = 1 / (1 + np.exp(-np.take_along_axis(flat, kept, axis=1)))
        query, label = np.divmod(kept, classes)
        corners = _corners(np.take_along_axis(boxes, query[..., None], axis=1))
        size = np.array([preprocessing.width, preprocessing.height] * 2, np.float32)
        found = zip(to_pictures(corners * size, placements), scores, label, strict=True)
        return [Detections(box, score, index.astype(np.int64)) for box, score, index in found]


def postprocessor(card: ModelCard) -> Postprocessor:
    """Make what turns a package's output tensors into detections.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    try:
        steps = QueryPostprocessing.model_validate(card.postprocessing)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["postprocessing", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error
    names = tuple(output.name for output in card.outputs)
    if names != _OUTPUTS:
        raise ValueError(f"model.json: outputs: expected {_OUTPUTS}, got {names}")
    limits = np.array(card.class_thresholds, np.float32)

    def process(
        outputs: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> list[Detections]:
        found = steps(outputs, card.preprocessing, placements)
        return [one.above(limits if threshold is None else threshold) for one in found]

    return process


def _surest(logits: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the `count` greatest of each row, greatest first, ties by index."""
    if count < logits.shape[1]:
        # Sorting all 24,000 candidates of 300 queries and 80 classes would take ten times as long.
        kept = np.sort(np.argpartition(-logits, count - 1, axis=1)[:, :count], axis=1)
    else:
        kept = np.broadcast_to(np.arange(logits.shape[1]), logits.shape)
    order = np.argsort(-np.take_along_axis(logits, kept, axis=1), axis=1, kind="stable")
    return np.take_along_axis(kept, order, axis=1)


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
