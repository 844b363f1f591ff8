"""ATSS (Zhang et al., 2020, arXiv:1912.02424) on timm backbones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FeaturePyramidNetwork, sigmoid_focal_loss

from models.detection.networks.anchors import decode
from models.detection.networks.dense import (
    DenseDetector,
    check_finite,
    flatten,
    grid,
    initialise_head,
    side_of,
    timm_features,
    truths,
)
from models.detection.networks.detector import Target
from models.detection.networks.normaliser import mean_counts
from models.detection.networks.options import NetworkOptions
from models.detection.networks.overlap import iou_and_giou, to_corners
from models.detection.networks.starting import start_from

EXTRA_MAPS = 2
"""Maps coarser than the backbone's, for large objects."""
ANCHOR = 8
"""Side of the one, square anchor of a place, in strides of its map."""
NEAREST = 9
"""Places of each map, nearest to an object's centre, that may answer for it."""
BOX_WEIGHT = 2.0
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss (Lin et al., 2017, arXiv:1708.02002)."""


class Atss(DenseDetector):
    """ATSS: for each place a class, a box and how central in an object the place is."""

    def __init__(self, options: NetworkOptions, classes: int) -> None:
        backbone, channels, strides = timm_features(options)
        self._strides = [*strides, *(strides[-1] << extra for extra in range(1, EXTRA_MAPS + 1))]
        places = sum(side_of(options.side, stride) ** 2 for stride in self._strides)
        super().__init__(options, classes, places)
        self._backbone = backbone
        width = options.width
        self.pyramid = FeaturePyramidNetwork(channels, width)
        self.extra = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(EXTRA_MAPS)
        )
        self.class_branch, self.box_branch = _branch(width), _branch(width)
        self.class_head = nn.Conv2d(width, classes, 3, padding=1)
        self.box_head = nn.Conv2d(width, 4, 3, padding=1)
        self.centre_head = nn.Conv2d(width, 1, 3, padding=1)
        for head in (self.class_head, self.box_head, self.centre_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        initialise_head(self.class_head)
        self.scales = nn.Parameter(torch.ones(len(self._strides)))

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out.

        A score is the root of class times centreness, as in the authors' code: the root keeps the
        order and brings scores back to the range that thresholds are used to.
        """
        logits, boxes, centre, _, _ = self._answers(pixel_values)
        height, width = pixel_values.shape[-2:]
        scores = (torch.sigmoid(logits) * torch.sigmoid(centre)[..., None]).sqrt()
        return scores, boxes / boxes.new_tensor([width, height, width, height])

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts: focal, GIoU by centreness, and centreness."""
        logits, boxes, centre, anchors, counts = self._answers(pixel_values)
        height, width = pixel_values.shape[-2:]
        with torch.autocast(pixel_values.device.type, enabled=False):
            logits, boxes, centre = logits.float(), boxes.float(), centre.float()
            check_finite(logits, boxes, centre)
            anchors = anchors.float()
            size = boxes.new_tensor([width, height, width, height])
            wanted = [(labels, corners * size) for labels, corners in truths(targets, boxes)]
            chosen = torch.stack([assign(anchors, counts, corners) for _, corners in wanted])
            picture, place = (chosen >= 0).nonzero(as_tuple=True)
            thing = chosen[picture, place]
            starts = torch.tensor([0, *(len(one) for one, _ in wanted)], device=chosen.device)
            thing = thing + starts.cumsum(0)[picture]
            labels, corners = (torch.cat(one) for one in zip(*wanted, strict=True))
            goal = torch.zeros_like(logits)
            goal[picture, place, labels[thing]] = 1
            middle = centreness(anchors[place], corners[thing])
            giou = iou_and_giou(to_corners(boxes[picture, place]), corners[thing])[1]
            count, weight = mean_counts(
                len(place), float(middle.sum()), device=logits.device, least=1e-6
            )
            count = max(count, 1.0)
            return {
                "classification": sigmoid_focal_loss(logits, goal, ALPHA, GAMMA, "sum") / count,
                "GIoU": BOX_WEIGHT * ((1 - giou) * middle).sum() / weight,
                "centreness": functional.binary_cross_entropy_with_logits(
                    centre[picture, place], middle, reduction="sum"
                )
                / count,
            }

    def backbone(self) -> nn.Module:
        """Return the backbone."""
        return self._backbone

    def _answers(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, list[int]]:
        """Run the network.

        Returns:
            Logits [B, A, C]; boxes [B, A, 4] as centre x, centre y, width, height in pixels;
            logits of centreness [B, A]; anchors [A, 4] like boxes; places of each map.
        """
        maps = self._backbone(pixel_values)
        named = self.pyramid({str(level): one for level, one in enumerate(maps)})
        maps = list(named.values())
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        logits, boxes, centre, anchors = [], [], [], []
        for level, (one, stride) in enumerate(zip(maps, self._strides, strict=True)):
            places = (grid(one) + 0.5) * stride
            at = torch.cat([places, torch.full_like(places, ANCHOR * stride)], -1)
            box = self.box_branch(one)
            logits.append(flatten(self.class_head(self.class_branch(one)), self.classes))
            boxes.append(decode(flatten(self.box_head(box).float(), 4) * self.scales[level], at))
            centre.append(flatten(self.centre_head(box), 1).squeeze(-1))
            anchors.append(at)
        counts = [len(one) for one in anchors]
        return (
            torch.cat(logits, 1),
            torch.cat(boxes, 1),
            torch.cat(centre, 1),
            torch.cat(anchors),
            counts,
        )


@torch.no_grad()
def assign(anchors: Tensor, counts: list[int], truth: Tensor) -> Tensor:
    """Choose each place's object by the statistics of the object's candidates (algorithm 1).

    Candidates are the places of each map nearest to the object's centre. Those answer whose
    anchor's IoU is at least the candidates' mean plus deviation, and that lie inside the object;
    a place that several objects want goes to the one with the highest IoU. Where none passes, which
    happens on inputs of a few places and to objects between places, the first of the highest IoU
    answers: the paper would leave the object out.

    Args:
        anchors: centre x, centre y, width, height [A, 4].
        counts: of places of each map; their sum is A.
        truth: corners [N, 4] in the same unit.

    Returns:
        Index of the object, or -1, int64 [A].
    """
    none = torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    if not len(truth):
        return none
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    distance = torch.cdist(middle, anchors[:, :2])  # [N, A]
    near, start = [], 0
    for count in counts:
        part = distance[:, start : start + count]
        # Stable, so that of places equally near the first is taken on every device.
        near.append(part.argsort(dim=1, stable=True)[:, : min(NEAREST, count)] + start)
        start += count
    candidates = torch.cat(near, 1)  # [N, K]
    iou = iou_and_giou(truth[:, None], to_corners(anchors))[0]
    at_candidates = iou.gather(1, candidates)
    least = at_candidates.mean(1) + at_candidates.std(1)
    x, y = anchors[candidates][..., :2].unbind(-1)
    left, top, right, bottom = truth[:, None].unbind(-1)
    inside = torch.stack([x - left, y - top, right - x, bottom - y]).amin(0) > 0.01
    wins = inside & (at_candidates >= least[:, None])
    best = functional.one_hot(at_candidates.argmax(1), wins.shape[1]).bool()
    wins |= best & ~wins.any(1, keepdim=True)
    wanted = torch.full_like(iou, -torch.inf)
    wanted.scatter_(1, candidates, torch.where(wins, at_candidates, -torch.inf))
    best, thing = wanted.max(0)
    return torch.where(best.isfinite(), thing, none)


def centreness(places: Tensor, corners: Tensor) -> Tensor:
    """Say how central places lie in their objects: 1 in the middle, 0 at an edge.

    Tian et al., 2019 (FCOS), arXiv:1904.01355, equation 3.

    Args:
        places: [P, 4], of which x and y count.
        corners: of the objects, [P, 4].
    """
    near = places[:, :2] - corners[:, :2]
    far = corners[:, 2:] - places[:, :2]
    shares = torch.minimum(near, far) / torch.maximum(near, far).clamp(min=1e-6)
    return shares.clamp(min=0).prod(1).sqrt()


def _branch(width: int, depth: int = 4) -> nn.Sequential:
    """Make a tower of convolutions that all maps share."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        layers += [convolution, nn.GroupNorm(16, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build_atss(options: NetworkOptions, classes: int, *, pretrained: bool) -> Atss:
    """Build ATSS; see `building.build_network`."""
    network = Atss(options, classes)
    if pretrained:
        start_from(network, options)
    return network
