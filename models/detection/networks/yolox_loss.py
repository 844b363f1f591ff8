"""YOLOX's losses and its assignment of places to objects (SimOTA): arXiv:2107.08430, section 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.networks.normaliser import mean_counts
from models.detection.networks.overlap import iou_and_giou, to_corners

CENTRE_RADIUS = 2.5
"""A place is near an object's centre when it lies no further off than this many strides."""
MOST_PLACES = 10
"""Places whose IoUs are summed to decide how many an object gets."""
BOX_WEIGHT = 5.0
_FAR = 1e6


@dataclass(frozen=True)
class Answers:
    """What the network says at each of A places of B pictures; C classes."""

    logits: Tensor
    """[B, A, C]"""
    objectness: Tensor
    """Logits, [B, A]."""
    boxes: Tensor
    """Centre x, centre y, width, height in pixels of the input, [B, A, 4]."""
    centres: Tensor
    """Of the places, x and y in pixels, [A, 2]."""
    strides: Tensor
    """Of the places' feature maps in pixels, [A]."""

    def float(self) -> Answers:
        """Take all tensors as float32."""
        return Answers(*(getattr(self, name).float() for name in self.__dataclass_fields__))


def yolox_losses(answers: Answers, truths: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Compute the loss parts: box (1 - IoU squared), objectness and classes, by matched place.

    The L1 term, which the authors add in the last 15 epochs, is not part of it.

    Args:
        answers: the network's.
        truths: each picture's class labels [N] and corners [N, 4] in pixels.
    """
    matched = [
        assign(answers, picture, labels, corners)
        for picture, (labels, corners) in enumerate(truths)
    ]
    picture = torch.cat([torch.full_like(place, at) for at, (place, _, _) in enumerate(matched)])
    place = torch.cat([place for place, _, _ in matched])
    wanted = torch.cat(
        [corners[thing] for (_, corners), (_, thing, _) in zip(truths, matched, strict=True)]
    )
    labels = torch.cat(
        [label[thing] for (label, _), (_, thing, _) in zip(truths, matched, strict=True)]
    )
    quality = torch.cat([iou for _, _, iou in matched])
    (count,) = mean_counts(len(place), device=answers.logits.device)

    present = torch.zeros_like(answers.objectness)
    present[picture, place] = 1
    logits = answers.logits[picture, place]
    goal = torch.zeros_like(logits)
    goal[torch.arange(len(labels), device=labels.device), labels] = quality
    iou = iou_and_giou(to_corners(answers.boxes[picture, place]), wanted)[0]
    cross_entropy = functional.binary_cross_entropy_with_logits
    return {
        "classification": cross_entropy(logits, goal, reduction="sum") / count,
        "objectness": cross_entropy(answers.objectness, present, reduction="sum") / count,
        "IoU": BOX_WEIGHT * (1 - iou**2).sum() / count,
    }


@torch.no_grad()
def assign(
    answers: Answers, picture: int, labels: Tensor, corners: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the places that answer for each object of one picture (SimOTA).

    Of the places inside an object or near its centre those cost least whose class and box fit;
    an object gets as many as the IoUs of its 10 best boxes sum up to, at least one. A place that
    several objects want goes to the one it costs least for.

    Args:
        answers: the network's.
        picture: index in the batch.
        labels: class indices [N].
        corners: of the objects in pixels [N, 4].

    Returns:
        Places, objects and their IoU, [P] each.
    """
    none = labels.new_zeros(0)
    if not len(labels):
        return none, none, answers.boxes.new_zeros(0)
    x, y = answers.centres.T
    inside = (
        (x > corners[:, :1]) & (y > corners[:, 1:2]) & (x < corners[:, 2:3]) & (y < corners[:, 3:])
    )  # [N, A]
    middle = (corners[:, None, :2] + corners[:, None, 2:]) / 2
    off = (answers.centres - middle).abs().amax(-1)
    near = off < CENTRE_RADIUS * answers.strides
    candidates = (inside | near).any(0).nonzero().squeeze(1)
    if not len(candidates):
        return none, none, answers.boxes.new_zeros(0)
    boxes = to_corners(answers.boxes[picture, candidates])
    iou = iou_and_giou(corners[:, None], boxes)[0]  # [N, M]
    cost = (
        _class_cost(answers.logits[picture, candidates], answers.objectness[picture, candidates])[
            :, labels
        ].T
        - 3 * torch.log(iou + 1e-8)
        + _FAR * ~(inside & near)[:, candidates]
    )
    most = min(MOST_PLACES, len(candidates))
    wanted = iou.topk(most, 1).values.sum(1).int().clamp(min=1, max=len(candidates))
    rank = cost.argsort(dim=1, stable=True).argsort(dim=1)
    chosen = rank < wanted[:, None]
    cheapest = cost.masked_fill(~chosen, torch.inf).argmin(0)
    place = chosen.any(0).nonzero().squeeze(1)
    thing = cheapest[place]
    return candidates[place], thing, iou[thing, place]


def _class_cost(logits: Tensor, objectness: Tensor) -> Tensor:
    """Binary cross entropy of all classes should each be the right one, [M, C]."""
    chance = (torch.sigmoid(logits) * torch.sigmoid(objectness)[:, None]).sqrt()
    present = -torch.log(chance).clamp(min=-100)
    absent = -torch.log(1 - chance).clamp(min=-100)
    return absent.sum(1, keepdim=True) - absent + present
