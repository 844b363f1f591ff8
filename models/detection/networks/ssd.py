"""SSD (Liu et al., 2016, arXiv:1512.02325) with SSDLite's heads, on timm backbones.

The heads are depthwise separable, as in MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detection.networks.anchors import decode, encode
from models.detection.networks.dense import (
    DenseDetector,
    check_finite,
    flatten,
    grid,
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
LEAST_SCALE, MOST_SCALE = 0.07, 0.9
"""Side of the anchors of the finest and the coarsest map, as shares of the input's."""
RATIOS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)
"""Width over height of a map's anchors; a sixth is square and larger."""
NEGATIVES = 3
"""Places without an object that count, for each place with one: the ones most wrong."""
MATCH_IOU = 0.5


class Ssd(DenseDetector):
    """SSD: for each place and anchor a class, or background, and how far the anchor is off."""

    class_loss = "softmax"

    def __init__(self, options: NetworkOptions, classes: int) -> None:
        backbone, channels, strides = timm_features(options)
        strides = [*strides, *(strides[-1] << extra for extra in range(1, EXTRA_MAPS + 1))]
        places = sum(side_of(options.side, stride) ** 2 for stride in strides)
        count = len(RATIOS) + 1
        super().__init__(options, classes, places * count)
        self._backbone = backbone
        width = options.width
        self.extra = nn.ModuleList(
            _separable(channels[-1] if not extra else width, width, stride=2)
            for extra in range(EXTRA_MAPS)
        )
        all_channels = [*channels, *([width] * EXTRA_MAPS)]
        self.class_heads = nn.ModuleList(_head(one, count * (classes + 1)) for one in all_channels)
        self.box_heads = nn.ModuleList(_head(one, count * 4) for one in all_channels)
        self._sides = anchor_sides(len(strides))

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out."""
        logits, offsets, anchors = self._answers(pixel_values)
        return torch.softmax(logits, -1)[..., :-1], decode(offsets, anchors)

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts: softmax over classes, smooth L1 of encoded boxes."""
        logits, offsets, anchors = self._answers(pixel_values)
        with torch.autocast(pixel_values.device.type, enabled=False):
            logits, offsets = logits.float(), offsets.float()
            check_finite(logits, offsets)
            anchors = anchors.float()
            chosen = torch.stack(
                [match(anchors, corners) for _, corners in truths(targets, anchors)]
            )  # [B, A]
            hit = chosen >= 0
            goal = torch.full_like(chosen, self.classes)  # the last index is the background
            wanted = torch.zeros_like(offsets)
            for picture, target in enumerate(targets):
                things = chosen[picture][hit[picture]]
                goal[picture, hit[picture]] = target["class_labels"][things]
                wanted[picture, hit[picture]] = target["boxes"].to(wanted)[things]
            return self._parts(logits, offsets, anchors, hit, goal, wanted)

    def backbone(self) -> nn.Module:
        """Return the backbone."""
        return self._backbone

    def _parts(
        self,
        logits: Tensor,
        offsets: Tensor,
        anchors: Tensor,
        hit: Tensor,
        goal: Tensor,
        wanted: Tensor,
    ) -> dict[str, Tensor]:
        entropy = functional.cross_entropy(logits.transpose(1, 2), goal, reduction="none")
        with torch.no_grad():  # the most wrong backgrounds, picture by picture
            wrong = entropy.masked_fill(hit, -torch.inf)
            rank = wrong.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
            # A picture without objects still says what isn't one.
            hard = rank < (NEGATIVES * hit.sum(1, keepdim=True)).clamp(min=NEGATIVES)
        (count,) = mean_counts(int(hit.sum()), device=hit.device)
        box = functional.smooth_l1_loss(
            offsets[hit],
            encode(wanted[hit], anchors.expand(len(hit), -1, -1)[hit]),
            reduction="sum",
        )
        return {
            "classification": (entropy * (hit | hard)).sum() / count,
            "smooth L1": box / count,
        }

    def _answers(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give logits [B, A, C + 1], offsets [B, A, 4] and anchors [A, 4] in shares."""
        maps = list(self._backbone(pixel_values))
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        logits, offsets, anchors = [], [], []
        for level, one in enumerate(maps):
            logits.append(flatten(self.class_heads[level](one), self.classes + 1))
            offsets.append(flatten(self.box_heads[level](one).float(), 4))
            anchors.append(_anchors(one, self._sides[level]))
        return torch.cat(logits, 1), torch.cat(offsets, 1), torch.cat(anchors)


def anchor_sides(maps: int) -> list[list[tuple[float, float]]]:
    """Give width and height of each map's anchors as shares of the input (section 2.2)."""
    step = (MOST_SCALE - LEAST_SCALE) / (maps - 1)
    scales = [LEAST_SCALE + step * level for level in range(maps)] + [1.0]
    return [
        [(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for ratio in RATIOS]
        + [(math.sqrt(scale * larger), math.sqrt(scale * larger))]
        for scale, larger in itertools.pairwise(scales)
    ]


def _anchors(maps: Tensor, sides: Sequence[tuple[float, float]]) -> Tensor:
    """Put a map's anchors around the middle of each place, [H * W * K, 4] in shares."""
    height, width = maps.shape[-2:]
    centres = (grid(maps) + 0.5) / maps.new_tensor([width, height])
    shape = maps.new_tensor(sides)
    centres = centres[:, None].expand(-1, len(sides), -1)
    return torch.cat([centres, shape.expand(len(centres), -1, -1)], -1).reshape(-1, 4)


@torch.no_grad()
def match(anchors: Tensor, truth: Tensor) -> Tensor:
    """Choose each anchor's object: the one it overlaps most, from IoU 0.5 on.

    The anchor that overlaps an object most is that object's whatever the IoU.

    Args:
        anchors: [A, 4] in shares.
        truth: corners [N, 4] in shares.

    Returns:
        Index of the object, or -1, int64 [A].
    """
    if not len(truth):
        return torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    iou = iou_and_giou(truth[:, None], to_corners(anchors))[0]  # [N, A]
    best, thing = iou.max(0)
    thing[best <= MATCH_IOU] = -1
    thing[iou.argmax(1)] = torch.arange(len(truth), device=thing.device)
    return thing


class PatientBatchNorm(nn.BatchNorm2d):
    """Batch norm that takes the running statistics where a batch gives but one value a channel.

    A batch of one picture has a single place on the coarsest map of a small input.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        if self.training and maps.numel() == self.num_features:
            return functional.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(maps)


def _separable(into: int, out: int, stride: int = 1) -> nn.Sequential:
    """Make a convolution of each channel by itself, and then of each place by itself."""
    return nn.Sequential(
        nn.Conv2d(into, into, 3, stride, 1, groups=into, bias=False),
        PatientBatchNorm(into),
        nn.ReLU6(inplace=True),
        nn.Conv2d(into, out, 1, bias=False),
        PatientBatchNorm(out),
        nn.ReLU6(inplace=True),
    )


def _head(into: int, out: int) -> nn.Sequential:
    last = nn.Conv2d(into, out, 1)
    nn.init.normal_(last.weight, std=0.03)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(
        nn.Conv2d(into, into, 3, 1, 1, groups=into, bias=False),
        PatientBatchNorm(into),
        nn.ReLU6(inplace=True),
        last,
    )


def build_ssd(options: NetworkOptions, classes: int, *, pretrained: bool) -> Ssd:
    """Build SSD; see `building.build_network`."""
    network = Ssd(options, classes)
    if pretrained:
        start_from(network, options)
    return network
