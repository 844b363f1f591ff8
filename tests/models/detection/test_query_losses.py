"""Losses of RT-DETR and D-FINE against a plain computation from the papers' definitions.

Matching: the least total cost over all assignments, tried one by one. Classification: varifocal
loss (Zhang et al., 2021). Boxes: L1 and GIoU (Rezatofighi et al., 2019). D-FINE's distributions:
FGL and DDF (Peng et al., 2024, equations 4 to 6). DEIMv2 classifies by the matchability-aware loss
(Huang et al., 2024, equation 5). Every decoder layer, the encoder's proposals and the denoising
queries count; denoising queries count only against their own objects. D-FINE's boxes and
distributions are taught to the union of all layers' matches, and it has one more answer: that of
the head whose boxes the layers refine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions

BATCH, LAYERS, NOISY, QUERIES, CLASSES, BINS = 2, 3, 8, 5, 3, 33
GROUPS = 2
LABELS = [torch.tensor([0, 2]), torch.tensor([1])]
BOXES = [
    torch.tensor([[0.3, 0.4, 0.2, 0.3], [0.7, 0.6, 0.3, 0.2]]),
    torch.tensor([[0.5, 0.5, 0.4, 0.4]]),
]
# In each group a positive for each object (padded to two), then a negative for each.
POSITIVES = [[0, 1, 4, 5], [0, 4]]
Pairs = list[tuple[int, int, int]]
"""Picture, query, object."""


def corners(box: Tensor) -> list[Tensor]:
    x, y, w, h = box
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def overlap(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU of two boxes."""
    a, b = corners(one), corners(two)
    zero = torch.zeros(())
    inner = torch.maximum(torch.minimum(a[2], b[2]) - torch.maximum(a[0], b[0]), zero)
    inner = inner * torch.maximum(torch.minimum(a[3], b[3]) - torch.maximum(a[1], b[1]), zero)
    union = one[2] * one[3] + two[2] * two[3] - inner
    hull = (torch.maximum(a[2], b[2]) - torch.minimum(a[0], b[0])) * (
        torch.maximum(a[3], b[3]) - torch.minimum(a[1], b[1])
    )
    return inner / union, inner / union - (hull - union) / hull


def cost(logits: Tensor, box: Tensor, label: int, truth: Tensor) -> float:
    """2 focal + 5 L1 - 2 GIoU."""
    p = torch.sigmoid(logits[label])
    focal = 0.25 * (1 - p) ** 2 * -torch.log(p + 1e-8)
    focal = focal - 0.75 * p**2 * -torch.log(1 - p + 1e-8)
    return float(2 * focal + 5 * (box - truth).abs().sum() - 2 * overlap(box, truth)[1])


def match(logits: Tensor, boxes: Tensor) -> Pairs:
    pairs: Pairs = []
    for picture in range(BATCH):
        count = len(LABELS[picture])
        best = min(
            itertools.permutations(range(logits.shape[1]), count),
            key=lambda order, at=picture: sum(  # type: ignore[misc]
                cost(logits[at, q], boxes[at, q], int(LABELS[at][t]), BOXES[at][t])
                for t, q in enumerate(order)
            ),
        )
        pairs += [(picture, q, t) for t, q in enumerate(best)]
    return pairs


def unite(layers: list[Pairs]) -> Pairs:
    """Each query that any layer matched, with the object it was matched with most often."""
    seen = [pair for pairs in layers for pair in pairs]
    queries = {(picture, query) for picture, query, _ in seen}
    pairs = []
    for picture, query in sorted(queries):
        objects = [t for b, q, t in seen if (b, q) == (picture, query)]
        pairs.append((picture, query, max(objects, key=objects.count)))
    return pairs


def classification(
    logits: Tensor, boxes: Tensor, pairs: Pairs, count: float, matchability: bool
) -> Tensor:
    """Varifocal loss (alpha 0.75, gamma 2), or the matchability-aware one (gamma 1.5)."""
    goal = torch.zeros_like(logits)
    hit = torch.zeros_like(logits)
    for picture, query, target in pairs:
        iou = overlap(boxes[picture, query], BOXES[picture][target])[0]
        label = int(LABELS[picture][target])
        goal[picture, query, label] = iou.detach() ** (1.5 if matchability else 1)
        hit[picture, query, label] = 1
    p = torch.sigmoid(logits)
    if matchability:
        weight = p.detach() ** 1.5 * (1 - hit) + hit
    else:
        weight = 0.75 * p.detach() ** 2 * (1 - hit) + goal
    entropy = -(goal * torch.log(p) + (1 - goal) * torch.log(1 - p))
    return (weight * entropy).sum() / count


def box_losses(boxes: Tensor, pairs: Pairs, count: float) -> dict[str, Tensor]:
    """L1 and GIoU, weighted 5 and 2."""
    l1 = giou = torch.zeros(())
    for picture, query, target in pairs:
        truth = BOXES[picture][target]
        l1 = l1 + (boxes[picture, query] - truth).abs().sum()
        giou = giou + 1 - overlap(boxes[picture, query], truth)[1]
    return {"box L1": 5 * l1 / count, "GIoU": 2 * giou / count}


def weighting() -> list[float]:
    """W(n) of D-FINE with a = 0.5 and c = 4: 33 values from -4 to 4, dense around 0."""
    bound = 0.5 * 4.0
    step = (bound + 1) ** (2 / 30)
    half = [step**i - 1 for i in range(1, 16)]
    return [-2 * bound, *(-v for v in reversed(half)), 0.0, *half, 2 * bound]


def fgl(corner_logits: Tensor, boxes: Tensor, start: Tensor, pairs: Pairs, count: float) -> Tensor:
    """Cross entropy with the two bins beside each edge's true offset, weighted by IoU."""
    table, total = weighting(), torch.zeros(())
    for picture, query, target in pairs:
        truth = BOXES[picture][target]
        x, y, w, h = start[picture, query].tolist()
        left, top, right, bottom = (float(v) for v in corners(truth))
        offsets = [
            (x - left) / w * 4 - 2,
            (y - top) / h * 4 - 2,
            (right - x) / w * 4 - 2,
            (bottom - y) / h * 4 - 2,
        ]
        iou = overlap(boxes[picture, query], truth)[0].detach()
        for edge, offset in enumerate(offsets):
            chances = torch.log_softmax(corner_logits[picture, query].view(4, BINS)[edge], 0)
            offset = min(max(offset, table[0]), table[-1] - 1e-6)
            low = max(n for n in range(BINS - 1) if table[n] <= offset)
            share = (offset - table[low]) / (table[low + 1] - table[low])
            total = total - iou * ((1 - share) * chances[low] + share * chances[low + 1])
    return 0.15 * total / count


def ddf(
    student: Tensor, teacher: Tensor, teacher_logits: Tensor, boxes: Tensor, pairs: Pairs
) -> Tensor:
    """KL divergence from the last layer at temperature 5, matched and unmatched apart."""
    weight = torch.sigmoid(teacher_logits).amax(-1).detach()
    matched = torch.zeros_like(weight, dtype=torch.bool)
    for picture, query, target in pairs:
        weight[picture, query] = overlap(boxes[picture, query], BOXES[picture][target])[0].detach()
        matched[picture, query] = True
    shape = (*weight.shape, 4, BINS)
    log_student = torch.log_softmax(student.view(shape) / 5, -1)
    log_teacher = torch.log_softmax(teacher.detach().view(shape) / 5, -1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
    each = 25 * weight[..., None] * divergence
    roots = [math.sqrt(4 * int(m.sum()) / BATCH) for m in (matched, ~matched)]
    parts = [each[m].mean() * r for m, r in zip((matched, ~matched), roots, strict=True)]
    return 1.5 * sum(parts, torch.zeros(())) / sum(roots)


class Sum(dict[str, Tensor]):
    """Loss parts by name."""

    def add(self, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            self[name] = self.get(name, torch.zeros(())) + value


def noisy_pairs() -> Pairs:
    return [(b, q, i % len(LABELS[b])) for b in (0, 1) for i, q in enumerate(POSITIVES[b])]


def expected_of_rtdetr(given: SimpleNamespace) -> Sum:
    total = Sum()
    for noisy in (False, True):
        part = slice(0, NOISY) if noisy else slice(NOISY, None)
        logits = given.intermediate_logits[:, :, part]
        boxes = given.intermediate_reference_points[:, :, part]
        answers = [(logits[:, layer], boxes[:, layer]) for layer in range(LAYERS)]
        if not noisy:
            answers.append((given.enc_topk_logits, given.enc_topk_bboxes))
        count = 3.0 * (GROUPS if noisy else 1)
        for answer in answers:
            pairs = noisy_pairs() if noisy else match(*answer)
            total.add({"classification": classification(*answer, pairs, count, False)})
            total.add(box_losses(answer[1], pairs, count))
    return total


def expected_of_dfine(given: SimpleNamespace, matchability: bool) -> Sum:
    total = Sum()
    for noisy in (False, True):
        part = slice(0, NOISY) if noisy else slice(NOISY, None)
        logits = given.intermediate_logits[:, :, part]
        boxes = given.intermediate_reference_points[:, :, part]
        edges = given.intermediate_predicted_corners[:, :, part]
        answers = [(logits[:, at], boxes[:, at]) for at in range(1 + LAYERS)]
        if not noisy:
            answers.append((given.enc_topk_logits, given.enc_topk_bboxes))
        own = [noisy_pairs() if noisy else match(*answer) for answer in answers]
        # The deciding layer's match goes first, should two objects be matched equally often.
        union = unite([own[LAYERS], *own[1:LAYERS], own[0], *own[LAYERS + 1 :]])
        count = 3.0 * (GROUPS if noisy else 1)
        union_count = count if noisy else float(len(union))
        for answer, pairs in zip(answers, own, strict=True):
            total.add({"classification": classification(*answer, pairs, count, matchability)})
            total.add(box_losses(answer[1], union, union_count))
        start = boxes[:, 0].detach()
        for layer in range(LAYERS):
            found = boxes[:, 1 + layer]
            total.add({"FGL": fgl(edges[:, layer], found, start, union, union_count)})
            if layer < LAYERS - 1:  # the last layer is the teacher
                total.add({"DDF": ddf(edges[:, layer], edges[:, -1], logits[:, -1], found, union)})
    return total


def network_outputs(answers: int) -> SimpleNamespace:
    """What a network of fixed random numbers would say."""
    torch.manual_seed(3)
    total = NOISY + QUERIES

    def boxes(*shape: int) -> Tensor:
        return 0.2 + 0.5 * torch.rand(*shape, 4)

    points = boxes(BATCH, answers, total)
    return SimpleNamespace(
        intermediate_logits=torch.randn(BATCH, answers, total, CLASSES).requires_grad_(),
        intermediate_reference_points=points.requires_grad_(),
        intermediate_predicted_corners=torch.randn(BATCH, LAYERS, total, 4 * BINS).requires_grad_(),
        initial_reference_points=points[:, :1].detach().expand(-1, LAYERS, -1, -1),
        enc_topk_logits=torch.randn(BATCH, QUERIES, CLASSES).requires_grad_(),
        enc_topk_bboxes=boxes(BATCH, QUERIES).requires_grad_(),
        denoising_meta_values={
            "dn_positive_idx": [torch.tensor(one) for one in POSITIVES],
            "dn_num_group": GROUPS,
            "dn_num_split": [NOISY, QUERIES],
        },
    )


CASES: dict[str, tuple[int, Callable[[SimpleNamespace], Sum]]] = {
    "rtdetr": (LAYERS, expected_of_rtdetr),
    "dfine": (1 + LAYERS, lambda given: expected_of_dfine(given, matchability=False)),
    "deimv2-atto": (1 + LAYERS, lambda given: expected_of_dfine(given, matchability=True)),
}
"""Answers that the decoder gives, and the loss."""


def tiny(name: str, **changes: Any) -> Any:
    sizes: dict[str, Any] = {"backbone": "test_resnet", "hidden_width": 32}
    if "-" in name:
        sizes = {}
    return build_network(
        NetworkOptions(name=name, image_size=64, queries=QUERIES, **sizes, **changes), CLASSES
    )


def targets_of(labels: list[Tensor], boxes: list[Tensor]) -> list[dict[str, Tensor]]:
    return [{"class_labels": n, "boxes": b} for n, b in zip(labels, boxes, strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_are_those_of_the_papers(name: str) -> None:
    network = tiny(name)
    answers, expected = CASES[name]
    given = network_outputs(answers)
    network.network.model.forward = lambda *_, **__: given
    ours = network.losses(torch.zeros(BATCH, 3, 64, 64), targets_of(LABELS, BOXES))
    theirs = expected(given)
    assert set(ours) == set(theirs)
    for part, value in theirs.items():
        assert ours[part].item() == pytest.approx(value.item(), rel=1e-4), part
    leaves = [v for v in vars(given).values() if isinstance(v, Tensor) and v.requires_grad]
    gradients = [
        torch.autograd.grad(torch.stack(list(parts.values())).sum(), leaves, allow_unused=True)
        for parts in (ours, theirs)
    ]
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["dfine", "deimv2-atto"])
def test_the_decoder_puts_its_first_heads_answer_before_the_layers(name: str) -> None:
    """The loss counts on it: layer k's boxes are the first head's, moved by edges k."""
    from transformers.models.d_fine.modeling_d_fine import distance2bbox

    network = tiny(name).train()
    decoder = network.network.model.decoder
    found = network.network.model(torch.rand(BATCH, 3, 64, 64), labels=targets_of(LABELS, BOXES))
    logits, boxes = found.intermediate_logits, found.intermediate_reference_points
    edges = found.intermediate_predicted_corners
    layers = network.network.config.decoder_layers
    assert (logits.shape[1], boxes.shape[1], edges.shape[1]) == (layers + 1, layers + 1, layers)
    for layer in range(layers):
        moved = decoder.integral(edges[:, layer], network._offsets())
        again = distance2bbox(boxes[:, 0], moved, decoder.reg_scale)
        torch.testing.assert_close(boxes[:, 1 + layer], again)


@pytest.mark.parametrize("name", ["dfine", "rtdetr", "rtdetrv2"])
@pytest.mark.parametrize("denoising", [0, 20])
def test_all_layers_learn_with_some_and_without_any_objects(name: str, denoising: int) -> None:
    network = tiny(name, denoising_queries=denoising).train()
    pictures = torch.rand(BATCH, 3, 64, 64)
    nothing = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4)
    some = targets_of([LABELS[0], nothing[0]], [BOXES[0], nothing[1]])
    parts = network.losses(pictures, some)
    torch.stack(list(parts.values())).sum().backward()
    decoder = network.network.model.decoder
    for layer, head in enumerate(decoder.class_embed):
        assert head.weight.grad.abs().sum() > 0, f"layer {layer} learns no classes"
    for layer, head in enumerate(decoder.bbox_embed):
        for weight in head.parameters():
            assert weight.grad is not None, f"layer {layer} learns no boxes"
    network.zero_grad()
    parts = network.losses(pictures, targets_of([nothing[0]] * 2, [nothing[1]] * 2))
    assert parts["classification"] > 0
    assert {name: part.item() for name, part in parts.items() if name in ("box L1", "FGL")} == {
        name: 0 for name in parts if name in ("box L1", "FGL")
    }
    torch.stack(list(parts.values())).sum().backward()
