"""Losses of YOLOX, SSD and ATSS against plain loops written from the papers' definitions."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.detection.networks import atss, ssd
from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions
from models.detection.networks.yolox_loss import Answers

SIDE, CLASSES = 64, 3
LABELS = [torch.tensor([0, 2]), torch.zeros(0, dtype=torch.int64), torch.tensor([1, 1, 0])]
BOXES = [
    torch.tensor([[0.3, 0.4, 0.2, 0.3], [0.6, 0.6, 0.5, 0.4]]),
    torch.zeros(0, 4),
    torch.tensor([[0.5, 0.5, 0.7, 0.7], [0.55, 0.5, 0.6, 0.6], [0.1, 0.1, 0.06, 0.06]]),
]
TARGETS = [{"class_labels": n, "boxes": b} for n, b in zip(LABELS, BOXES, strict=True)]
Parts = dict[str, Tensor]


def corners(box: Tensor) -> list[Tensor]:
    x, y, w, h = box
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def overlap(one: list[Tensor], two: list[Tensor]) -> tuple[Tensor, Tensor]:
    """IoU and GIoU of left, top, right, bottom."""
    zero = torch.zeros(())
    inner = torch.maximum(torch.minimum(one[2], two[2]) - torch.maximum(one[0], two[0]), zero)
    inner = inner * torch.maximum(
        torch.minimum(one[3], two[3]) - torch.maximum(one[1], two[1]), zero
    )
    area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)]
    union = area[0] + area[1] - inner
    hull = (torch.maximum(one[2], two[2]) - torch.minimum(one[0], two[0])) * (
        torch.maximum(one[3], two[3]) - torch.minimum(one[1], two[1])
    )
    return inner / union, inner / union - (hull - union) / hull


def entropy(logit: Tensor, goal: float | Tensor) -> Tensor:
    p = torch.sigmoid(logit)
    return -(goal * torch.log(p) + (1 - goal) * torch.log(1 - p))


def network(name: str, levels: int = 2) -> Any:
    torch.manual_seed(0)
    sizes = {"backbone": "test_resnet", "levels": levels, "hidden_width": 32, "image_size": SIDE}
    if name == "yolox":
        sizes = {"backbone": "resnet10t", "hidden_width": 32, "image_size": SIDE}
    return build_network(NetworkOptions.model_validate({"name": name, **sizes}), CLASSES).train()


def yolox_places() -> tuple[Tensor, Tensor]:
    places = [
        ((x + 0.5) * stride, (y + 0.5) * stride, stride)
        for stride in (8, 16, 32)
        for y in range(SIDE // stride)
        for x in range(SIDE // stride)
    ]
    table = torch.tensor(places)
    return table[:, :2], table[:, 2]


def yolox_expected(given: Answers) -> Parts:
    """SimOTA: cost = classes + 3 x -log IoU + a wall around centres, and dynamic k."""
    matches: list[tuple[int, int, int, Tensor]] = []
    for picture, (labels, boxes) in enumerate(zip(LABELS, BOXES, strict=True)):
        wanted: dict[int, list[tuple[float, int, Tensor]]] = {}
        usable: set[int] = set()
        near: dict[tuple[int, int], bool] = {}
        for thing, box in enumerate(boxes * SIDE):
            left, top, right, bottom = (float(v) for v in corners(box))
            for place, (x, y) in enumerate(given.centres.tolist()):
                inside = left < x < right and top < y < bottom
                reach = 2.5 * float(given.strides[place])
                close = abs(x - float(box[0])) < reach and abs(y - float(box[1])) < reach
                if inside or close:
                    usable.add(place)
                near[thing, place] = inside and close
        for thing, box in enumerate(boxes * SIDE):
            ious, costs = [], []
            for place in sorted(usable):
                iou = overlap(corners(box), corners(given.boxes[picture, place]))[0].detach()
                chance = (
                    torch.sigmoid(given.logits[picture, place])
                    * torch.sigmoid(given.objectness[picture, place])
                ).sqrt()
                cost = 0.0
                for label in range(CLASSES):
                    p = float(chance[label])
                    cost -= math.log(p) if label == int(labels[thing]) else math.log(1 - p)
                cost -= 3 * math.log(float(iou) + 1e-8)
                cost += 0 if near[thing, place] else 1e6
                ious.append(float(iou))
                costs.append((cost, place, iou))
            count = max(int(sum(sorted(ious)[-10:])), 1)
            for cost, place, iou in sorted(costs, key=lambda one: one[0])[:count]:
                wanted.setdefault(place, []).append((cost, thing, iou))
        for place, candidates in sorted(wanted.items()):
            _, thing, iou = min(candidates, key=lambda one: one[0])
            matches.append((picture, place, thing, iou))
    count = len(matches)
    parts = {name: torch.zeros(()) for name in ("classification", "objectness", "IoU")}
    present = torch.zeros_like(given.objectness)
    for picture, place, thing, iou in matches:
        present[picture, place] = 1
        for label in range(CLASSES):
            goal = iou if label == int(LABELS[picture][thing]) else 0.0
            parts["classification"] = (
                parts["classification"] + entropy(given.logits[picture, place, label], goal) / count
            )
        truth = corners(BOXES[picture][thing] * SIDE)
        found = overlap(corners(given.boxes[picture, place]), truth)[0]
        parts["IoU"] = parts["IoU"] + 5 * (1 - found**2) / count
    parts["objectness"] = entropy(given.objectness, present).sum() / count
    return parts


def test_yolox() -> None:
    centres, strides = yolox_places()
    places = len(centres)
    leaves = SimpleNamespace(
        logits=torch.randn(3, places, CLASSES).requires_grad_(),
        objectness=torch.randn(3, places).requires_grad_(),
        boxes=torch.cat(
            [
                centres.expand(3, -1, -1) + torch.randn(3, places, 2),
                8 + 30 * torch.rand(3, places, 2),
            ],
            -1,
        ).requires_grad_(),
    )
    given = Answers(**vars(leaves), centres=centres, strides=strides)
    detector = network("yolox")
    detector._answers = lambda _: given
    ours = detector.losses(torch.zeros(3, 3, SIDE, SIDE), TARGETS)
    compare(ours, yolox_expected(given), leaves)


def ssd_expected(given: SimpleNamespace, anchors: Tensor) -> Parts:
    hits: dict[tuple[int, int], int] = {}
    for picture, boxes in enumerate(BOXES):
        table = [[float(overlap(corners(a), corners(box))[0]) for a in anchors] for box in boxes]
        for place in range(len(anchors)):
            column = [row[place] for row in table]
            if column and max(column) > 0.5:
                hits[picture, place] = column.index(max(column))
        for thing, row in enumerate(table):
            hits[picture, row.index(max(row))] = thing
    losses = -torch.log_softmax(given.logits, -1)
    total, l1 = torch.zeros(()), torch.zeros(())
    for picture in range(3):
        mine = [place for at, place in hits if at == picture]
        for place in mine:
            total = total + losses[picture, place, LABELS[picture][hits[picture, place]]]
            box, anchor = BOXES[picture][hits[picture, place]], anchors[place]
            goal = [
                (box[0] - anchor[0]) / anchor[2] / 0.1,
                (box[1] - anchor[1]) / anchor[3] / 0.1,
                torch.log(box[2] / anchor[2]) / 0.2,
                torch.log(box[3] / anchor[3]) / 0.2,
            ]
            for found, wanted in zip(given.offsets[picture, place], goal, strict=True):
                off = (found - wanted).abs()
                l1 = l1 + (0.5 * off**2 if off < 1 else off - 0.5)
        others = [losses[picture, at, CLASSES] for at in range(len(anchors)) if at not in mine]
        others.sort(key=float, reverse=True)
        total = total + sum(others[: max(3 * len(mine), 3)], torch.zeros(()))
    return {"classification": total / len(hits), "smooth L1": l1 / len(hits)}


def test_ssd() -> None:
    detector = network("ssd")
    with torch.no_grad():
        anchors = detector._answers(torch.zeros(1, 3, SIDE, SIDE))[2]
    leaves = SimpleNamespace(
        logits=torch.randn(3, len(anchors), CLASSES + 1).requires_grad_(),
        offsets=torch.randn(3, len(anchors), 4).requires_grad_(),
    )
    detector._answers = lambda _: (leaves.logits, leaves.offsets, anchors)
    ours = detector.losses(torch.zeros(3, 3, SIDE, SIDE), TARGETS)
    compare(ours, ssd_expected(leaves, anchors), leaves)


def atss_expected(given: SimpleNamespace, anchors: Tensor, counts: list[int]) -> Parts:
    hits: dict[tuple[int, int], tuple[float, int]] = {}
    for picture, boxes in enumerate(BOXES):
        for thing, box in enumerate(boxes * SIDE):
            candidates, start = [], 0
            for count in counts:
                places = range(start, start + count)
                off = {p: math.dist(anchors[p, :2].tolist(), box[:2].tolist()) for p in places}
                candidates += sorted(places, key=lambda p, off=off: (round(off[p], 4), p))[:9]  # type: ignore[misc]
                start += count
            ious = {p: float(overlap(corners(anchors[p]), corners(box))[0]) for p in candidates}
            mean = sum(ious.values()) / len(ious)
            deviation = math.sqrt(sum((v - mean) ** 2 for v in ious.values()) / (len(ious) - 1))
            left, top, right, bottom = (float(v) for v in corners(box))
            winners = []
            for p, iou in ious.items():
                x, y = anchors[p, :2].tolist()
                inside = min(x - left, y - top, right - x, bottom - y) > 0.01
                if iou >= mean + deviation and inside:
                    winners.append(p)
            for p in winners or [max(ious, key=lambda at, of=ious: round(of[at], 6))]:  # type: ignore[misc]
                if ious[p] > hits.get((picture, p), (-1.0, 0))[0]:
                    hits[picture, p] = (ious[p], thing)
    count = len(hits)
    goal = torch.zeros_like(given.logits)
    giou = centre = weights = torch.zeros(())
    for (picture, p), (_, thing) in hits.items():
        goal[picture, p, LABELS[picture][thing]] = 1
        box = corners(BOXES[picture][thing] * SIDE)
        x, y = anchors[p, :2]
        across, down = (x - box[0], box[2] - x), (y - box[1], box[3] - y)
        middle = torch.sqrt(min(across) / max(across) * min(down) / max(down))
        weights = weights + middle
        giou = giou + middle * (1 - overlap(corners(given.boxes[picture, p]), box)[1])
        centre = centre + entropy(given.centre[picture, p], middle)
    p = torch.sigmoid(given.logits)
    focal = torch.where(
        goal == 1, -0.25 * (1 - p) ** 2 * torch.log(p), -0.75 * p**2 * torch.log(1 - p)
    )
    return {
        "classification": focal.sum() / count,
        "GIoU": 2 * giou / weights,
        "centreness": centre / count,
    }


@pytest.mark.parametrize(("levels", "winners"), [(2, False), (4, True)])
def test_atss(levels: int, winners: bool) -> None:
    detector = network("atss", levels)
    with torch.no_grad():
        *_, anchors, counts = detector._answers(torch.zeros(1, 3, SIDE, SIDE))
    places = len(anchors)
    leaves = SimpleNamespace(
        logits=torch.randn(3, places, CLASSES).requires_grad_(),
        boxes=(anchors + torch.randn(3, places, 4)).requires_grad_(),
        centre=torch.randn(3, places).requires_grad_(),
    )
    chosen = atss.assign(anchors, counts, SIDE * torch.tensor([[0.35, 0.25, 0.85, 0.75]]))
    assert (int((chosen >= 0).sum()) > 1) is winners  # at two levels none passes, and one answers
    detector._answers = lambda _: (*vars(leaves).values(), anchors, counts)
    ours = detector.losses(torch.zeros(3, 3, SIDE, SIDE), TARGETS)
    compare(ours, atss_expected(leaves, anchors, counts), leaves)


def compare(ours: Parts, theirs: Parts, leaves: SimpleNamespace) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].item() == pytest.approx(value.item(), rel=1e-4), name
        assert value > 0, name
    tensors = list(vars(leaves).values())
    gradients = [
        torch.autograd.grad(torch.stack(list(parts.values())).sum(), tensors)
        for parts in (ours, theirs)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_ssds_anchors_follow_the_papers_scales() -> None:
    finest, *_, coarsest = ssd.anchor_sides(4)
    step = (0.9 - 0.07) / 3
    assert finest[0] == pytest.approx((0.07, 0.07))
    assert finest[1] == pytest.approx((0.07 * math.sqrt(2), 0.07 / math.sqrt(2)))
    assert finest[4] == pytest.approx((0.07 / math.sqrt(3), 0.07 * math.sqrt(3)))
    assert finest[5] == pytest.approx((math.sqrt(0.07 * (0.07 + step)),) * 2)
    assert coarsest[0] == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize("name", ["yolox", "ssd", "atss"])
def test_pictures_without_objects_teach_classes_alone(name: str) -> None:
    empty = {"class_labels": torch.zeros(0, dtype=torch.int64), "boxes": torch.zeros(0, 4)}
    parts = network(name).losses(torch.rand(2, 3, SIDE, SIDE), [empty, empty])
    learning = {part for part, value in parts.items() if value > 0}
    assert learning == ({"objectness"} if name == "yolox" else {"classification"})
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
