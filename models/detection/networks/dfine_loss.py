"""The losses of D-FINE (Peng et al., 2024, arXiv:2410.13842) and of DEIM on top of it.

DEIM: Huang et al., 2024, arXiv:2412.04234. Written here because `transformers` (5.23) pairs each
decoder layer's edges with the boxes and confidences of the layer before (its decoder puts the first
head's answer in front, its loss doesn't expect that), leaves the last but one layer's answer out,
gives the last layer no FGL and doesn't unite D-FINE's matches over the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.networks.assignment import MatchingCost, Pairs, as_pairs, match, unite
from models.detection.networks.detector import Target
from models.detection.networks.normaliser import mean_counts
from models.detection.networks.overlap import iou_and_giou, to_corners

ClassificationLoss = Literal["varifocal", "matchability"]
"""Varifocal loss (Zhang et al., 2021, arXiv:2008.13367), or DEIM's matchability-aware loss."""
TEMPERATURE = 5.0
"""Of DDF's softmax: equation 6 of the paper."""


@dataclass(frozen=True)
class DFineLossOptions:
    """Weights and constants."""

    cost: MatchingCost
    classification: ClassificationLoss
    classification_weight: float
    box_weight: float
    giou_weight: float
    fgl_weight: float
    ddf_weight: float
    alpha: float
    """Weight of what isn't there, in the varifocal loss."""
    gamma: float
    """Exponent of focus."""


@dataclass(frozen=True)
class Answers:
    """What the layers say about the same queries; the last layer decides.

    L layers, B pictures, Q queries, C classes; boxes are centre x, centre y, width, height as
    shares of the input size.
    """

    first_logits: Tensor
    """[B, Q, C] of the head whose boxes the layers refine."""
    first_boxes: Tensor
    """[B, Q, 4], likewise."""
    logits: Tensor
    """[L, B, Q, C]"""
    boxes: Tensor
    """[L, B, Q, 4]"""
    edges: Tensor
    """[L, B, Q, 4, bins]: logits of each edge's distribution over offsets."""

    def split(self, count: int) -> tuple[Answers, Answers]:
        """Take the first `count` queries, and the others, apart."""
        parts = [
            torch.split(tensor, [count, tensor.shape[dim] - count], dim)
            for tensor, dim in (
                (self.first_logits, 1),
                (self.first_boxes, 1),
                (self.logits, 2),
                (self.boxes, 2),
                (self.edges, 2),
            )
        ]
        return Answers(*(one for one, _ in parts)), Answers(*(other for _, other in parts))


class DFineLoss:
    """Computes the weighted loss parts of one batch.

    Args:
        options: weights and constants.
        offsets: [bins], the offset of an edge that each bin stands for, rising: W(n) of the paper.
        curve: the paper's c, `reg_scale`: an offset of 1 moves an edge by 1 / c of the box's side.
    """

    def __init__(self, options: DFineLossOptions, offsets: Tensor, curve: float) -> None:
        self._options = options
        self._offsets = offsets
        self._curve = curve

    def __call__(
        self,
        answers: Answers,
        proposals: tuple[Tensor, Tensor],
        targets: Sequence[Target],
        noisy: Answers | None,
        noisy_matches: Sequence[tuple[Any, Any]],
        groups: int,
    ) -> dict[str, Tensor]:
        """Compute the loss parts.

        Args:
            answers: of the queries that count.
            proposals: logits [B, Q, C] and boxes [B, Q, 4] of the encoder.
            targets: one for each picture.
            noisy: answers of the denoising queries, if there are any.
            noisy_matches: for each picture the denoising queries that have an object, and those.
            groups: groups of denoising queries: each holds every object once.

        Raises:
            FloatingPointError: the network's output is no finite number.
        """
        device = answers.logits.device
        every_logits = torch.cat([answers.logits, answers.first_logits[None], proposals[0][None]])
        every_box = torch.cat([answers.boxes, answers.first_boxes[None], proposals[1][None]])
        matches = match(every_logits, every_box, targets, self._options.cost)
        deciding = len(answers.logits) - 1
        united = unite([matches[deciding], *matches[:deciding], *matches[deciding + 1 :]])
        own = [as_pairs(layer, targets, device) for layer in matches]
        pairs = as_pairs(united, targets, device)
        truth = torch.cat([target["boxes"] for target in targets]).to(every_box)
        labels = torch.cat([target["class_labels"] for target in targets])
        count, paired = mean_counts(len(labels), len(pairs), device=device)
        parts = {
            "classification": self._classification(every_logits, every_box, own, labels, truth)
            / count,
            **self._boxes(every_box, pairs, truth, paired),
            **self._edges(answers, pairs, truth, paired),
        }
        if noisy is not None:
            pairs = as_pairs(noisy_matches, targets, device)
            every_logits = torch.cat([noisy.logits, noisy.first_logits[None]])
            every_box = torch.cat([noisy.boxes, noisy.first_boxes[None]])
            own = [pairs] * len(every_logits)
            classification = self._classification(every_logits, every_box, own, labels, truth)
            parts["classification"] = parts["classification"] + classification / (count * groups)
            for more in (
                self._boxes(every_box, pairs, truth, count * groups),
                self._edges(noisy, pairs, truth, count * groups),
            ):
                parts.update({name: parts[name] + value for name, value in more.items()})
        return parts

    def _classification(
        self, logits: Tensor, boxes: Tensor, own: Sequence[Pairs], labels: Tensor, truth: Tensor
    ) -> Tensor:
        """Sum the classification loss over all layers, each with its own matches."""
        layer = torch.cat([torch.full_like(one.query, at) for at, one in enumerate(own)])
        picture, query, thing = (
            torch.cat([getattr(one, name) for one in own])
            for name in ("picture", "query", "object")
        )
        found = boxes[layer, picture, query].detach()
        quality = iou_and_giou(to_corners(found), to_corners(truth[thing]))[0]
        place = layer, picture, query, labels[thing]
        hit, goal = torch.zeros_like(logits), torch.zeros_like(logits)
        hit[place] = 1
        goal[place] = quality
        chance = torch.sigmoid(logits.detach())
        gamma = self._options.gamma
        if self._options.classification == "varifocal":
            weight = self._options.alpha * chance**gamma * (1 - hit) + goal
        else:
            goal = goal**gamma
            weight = chance**gamma * (1 - hit) + hit
        loss = functional.binary_cross_entropy_with_logits(
            logits, goal, weight=weight, reduction="sum"
        )
        return self._options.classification_weight * loss

    def _boxes(self, boxes: Tensor, pairs: Pairs, truth: Tensor, count: float) -> dict[str, Tensor]:
        """L1 and GIoU of the same pairs in all layers, boxes [L, B, Q, 4]."""
        found, wanted = boxes[:, pairs.picture, pairs.query], truth[pairs.object]
        giou = iou_and_giou(to_corners(found), to_corners(wanted))[1]
        return {
            "box L1": self._options.box_weight * (found - wanted).abs().sum() / count,
            "GIoU": self._options.giou_weight * (1 - giou).sum() / count,
        }

    def _edges(
        self, answers: Answers, pairs: Pairs, truth: Tensor, count: float
    ) -> dict[str, Tensor]:
        """FGL of every layer, and DDF of all but the last, which teaches the others."""
        at = pairs.picture, pairs.query
        wanted = truth[pairs.object]
        with torch.no_grad():
            found = to_corners(answers.boxes[:, *at])
            quality = iou_and_giou(found, to_corners(wanted))[0]
            low, share = self._bins(answers.first_boxes[at], wanted)
        chances = functional.log_softmax(answers.edges[:, *at], -1)  # [L, P, 4, bins]
        beside = torch.stack([low, low + 1], -1).expand(len(chances), -1, -1, -1)
        near = chances.gather(-1, beside)
        entropy = -((1 - share) * near[..., 0] + share * near[..., 1])
        return {
            "FGL": self._options.fgl_weight * (quality[..., None] * entropy).sum() / count,
            "DDF": self._options.ddf_weight * _distillation(answers, at, quality),
        }

    def _bins(self, start: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """For each edge the bin below its true offset, and the share of the bin above; [P, 4]."""
        edges = to_corners(wanted)
        width, height = start[:, 2:].clamp(min=1e-9).unbind(-1)
        outward = torch.stack(
            [
                (start[:, 0] - edges[:, 0]) / width,
                (start[:, 1] - edges[:, 1]) / height,
                (edges[:, 2] - start[:, 0]) / width,
                (edges[:, 3] - start[:, 1]) / height,
            ],
            -1,
        )
        table = self._offsets
        offset = ((outward - 0.5) * self._curve).clamp(table[0].item(), table[-1].item())
        low = (torch.searchsorted(table, offset, right=True) - 1).clamp(0, len(table) - 2)
        return low, (offset - table[low]) / (table[low + 1] - table[low])


def _distillation(answers: Answers, at: tuple[Tensor, Tensor], quality: Tensor) -> Tensor:
    """DDF: every layer's distributions drawn to the last one's, matched queries and others apart.

    Args:
        answers: of all layers.
        at: picture and query of the matched ones, P of them.
        quality: IoU with their objects, [L, P].
    """
    students, teacher = answers.edges[:-1], answers.edges[-1].detach()
    if not len(students):
        return answers.edges.sum() * 0
    divergence = functional.kl_div(
        functional.log_softmax(students / TEMPERATURE, -1),
        functional.log_softmax(teacher / TEMPERATURE, -1).expand_as(students),
        reduction="none",
        log_target=True,
    ).sum(-1)  # [L - 1, B, Q, 4]
    weight = torch.sigmoid(answers.logits[-1].detach()).amax(-1).repeat(len(students), 1, 1)
    weight[:, *at] = quality[:-1]
    each = (TEMPERATURE**2 * weight[..., None] * divergence).mean(-1)
    matched = torch.zeros_like(weight[0], dtype=torch.bool)
    matched[at] = True
    counts = matched.sum(), (~matched).sum()
    total = each.new_zeros(())
    for group, size in zip((matched, ~matched), counts, strict=True):
        # A mean times the root of its number: sum over root; 0 where there's none.
        total = total + (each * group).sum() / size.clamp(min=1).sqrt()
    return total / (counts[0].sqrt() + counts[1].sqrt())
