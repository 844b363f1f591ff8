"""Which query answers for which object: set matching as in DETR, for many layers at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from models.detection.networks.detector import Target
from models.detection.networks.overlap import iou_and_giou, to_corners


@dataclass(frozen=True)
class MatchingCost:
    """What it costs to let a query answer for an object (Carion et al., 2020, arXiv:2005.12872)."""

    classification: float
    """Weight of the focal cost of the object's class (Zhu et al., 2021, arXiv:2010.04159)."""
    box: float
    """Weight of the L1 distance of the boxes, in shares of the input size."""
    giou: float
    """Weight of the negative GIoU."""
    alpha: float
    gamma: float


@dataclass(frozen=True)
class Pairs:
    """Queries and the objects that they answer for, all int64 [P]."""

    picture: Tensor
    query: Tensor
    object: Tensor
    """Index into the objects of all pictures, one picture after the other."""

    def __len__(self) -> int:
        return len(self.picture)


Matches = list[list[tuple[NDArray[np.int64], NDArray[np.int64]]]]
"""For each layer and picture: queries, and the picture's objects that they answer for."""


def match(
    logits: Tensor, boxes: Tensor, targets: Sequence[Target], weights: MatchingCost
) -> Matches:
    """Give each object the query of each layer that costs least in all.

    Args:
        logits: [L, B, Q, C], one for each class, for a sigmoid.
        boxes: [L, B, Q, 4], centre x, centre y, width, height as shares of the input size.
        targets: one for each of the B pictures.
        weights: of the parts of the cost.

    Raises:
        FloatingPointError: a cost is no finite number.
    """
    sizes = [len(target["class_labels"]) for target in targets]
    layers, pictures = logits.shape[:2]
    most = max(sizes, default=0)
    if most == 0:
        none = np.zeros(0, np.int64)
        return [[(none, none)] * pictures for _ in range(layers)]
    with torch.no_grad():
        labels = logits.new_zeros((pictures, most), dtype=torch.int64)
        truth = boxes.new_full((pictures, most, 4), 0.5)
        for place, target in enumerate(targets):
            labels[place, : sizes[place]] = target["class_labels"]
            truth[place, : sizes[place]] = target["boxes"]
        # One transfer for all layers: on a GPU each would wait for all work before it.
        costs = _costs(logits, boxes, labels, truth, weights).cpu().numpy()
    if not np.isfinite(costs).all():
        raise FloatingPointError("the network's output is no finite number")
    return [
        [linear_sum_assignment(costs[layer, place, :, : sizes[place]]) for place in range(pictures)]
        for layer in range(layers)
    ]


def _costs(
    logits: Tensor, boxes: Tensor, labels: Tensor, truth: Tensor, weights: MatchingCost
) -> Tensor:
    """Costs [L, B, Q, N] of labels [B, N] and boxes [B, N, 4]."""
    chance = torch.sigmoid(logits)
    found = weights.alpha * (1 - chance) ** weights.gamma * -torch.log(chance + 1e-8)
    missed = (1 - weights.alpha) * chance**weights.gamma * -torch.log(1 - chance + 1e-8)
    wanted = labels[None, :, None].expand(*logits.shape[:3], -1)
    classification = (found - missed).gather(-1, wanted)
    distance = (boxes[:, :, :, None] - truth[:, None]).abs().sum(-1)
    giou = iou_and_giou(to_corners(boxes)[:, :, :, None], to_corners(truth)[:, None])[1]
    return weights.classification * classification + weights.box * distance - weights.giou * giou


def as_pairs(
    matches: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    targets: Sequence[Target],
    device: torch.device,
) -> Pairs:
    """Put the matches of one layer into tensors.

    Args:
        matches: for each picture its queries and objects.
        targets: one for each picture.
        device: of the tensors.
    """
    starts = np.cumsum([0, *(len(target["class_labels"]) for target in targets)])
    columns = (
        [np.full(len(queries), place) for place, (queries, _) in enumerate(matches)],
        [queries for queries, _ in matches],
        [objects + starts[place] for place, (_, objects) in enumerate(matches)],
    )
    picture, query, thing = (
        torch.as_tensor(np.concatenate(column).astype(np.int64), device=device)
        for column in columns
    )
    return Pairs(picture, query, thing)


def unite(
    layers: Iterable[Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]],
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Unite the matches of all layers: each query answers for the object it matches most often.

    The union of D-FINE's self-distillation (Peng et al., 2024, arXiv:2410.13842, section 4.2): a
    query that any layer matched gets its box taught in every layer. Of objects matched equally
    often the one that the earliest layer given matched counts.

    Args:
        layers: matches of one layer after the other; the deciding one first.
    """
    united = []
    for picture in zip(*layers, strict=True):
        counts: dict[int, Counter[int]] = {}
        for queries, objects in picture:
            for query, thing in zip(queries.tolist(), objects.tolist(), strict=True):
                counts.setdefault(query, Counter())[thing] += 1
        # most_common keeps the order of first sight among equals.
        chosen = {query: found.most_common(1)[0][0] for query, found in sorted(counts.items())}
        united.append((np.array(list(chosen), np.int64), np.array([*chosen.values()], np.int64)))
    return united
