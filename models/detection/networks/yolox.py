"""YOLOX (Ge et al., 2021, arXiv:2107.08430): published sizes and timm backbones.

Modules bear the names of the authors' code, so that their published weights load.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.detection.networks.dense import (
    DenseDetector,
    check_finite,
    grid,
    initialise_head,
    side_of,
    timm_features,
    truths,
)
from models.detection.networks.detector import Target
from models.detection.networks.options import NetworkOptions
from models.detection.networks.starting import start_from
from models.detection.networks.yolox_loss import Answers, yolox_losses

SIZES = {
    "yolox-nano": (0.33, 0.25),
    "yolox-tiny": (0.33, 0.375),
    "yolox-s": (0.33, 0.5),
    "yolox-m": (0.67, 0.75),
    "yolox-l": (1.0, 1.0),
}
"""Depth and width of the published sizes, as shares of the large one's."""
STRIDES = (8, 16, 32)


class BaseConv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, into: int, out: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, size, stride, (size - 1) // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, into, H, W] to [B, out, H / stride, W / stride]."""
        found: Tensor = self.act(self.bn(self.conv(maps)))
        return found


class DWConv(nn.Module):
    """A convolution of each channel by itself, and then of each place by itself."""

    def __init__(self, into: int, out: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = BaseConv(into, into, size, stride, groups=into)
        self.pconv = BaseConv(into, out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, into, H, W] to [B, out, H / stride, W / stride]."""
        found: Tensor = self.pconv(self.dconv(maps))
        return found


class Bottleneck(nn.Module):
    """Two convolutions, past which the input may go."""

    def __init__(self, width: int, shortcut: bool, conv: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = BaseConv(width, width, 1)
        self.conv2 = conv(width, width, 3, 1)
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        """[B, width, H, W] to the same."""
        found: Tensor = self.conv2(self.conv1(maps))
        return found + maps if self.shortcut else found


class CSPLayer(nn.Module):
    """Half of the channels through bottlenecks, the other half past them."""

    def __init__(
        self, into: int, out: int, count: int, conv: type[nn.Module], shortcut: bool = True
    ) -> None:
        super().__init__()
        half = out // 2
        self.conv1 = BaseConv(into, half, 1)
        self.conv2 = BaseConv(into, half, 1)
        self.conv3 = BaseConv(2 * half, out, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut, conv) for _ in range(count)))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, into, H, W] to [B, out, H, W]."""
        both = torch.cat([self.m(self.conv1(maps)), self.conv2(maps)], 1)
        found: Tensor = self.conv3(both)
        return found


class SPPBottleneck(nn.Module):
    """Maxima over ever larger surroundings."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.conv1 = BaseConv(into, into // 2, 1)
        self.m = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))
        self.conv2 = BaseConv(into // 2 * 4, out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, into, H, W] to [B, out, H, W]."""
        maps = self.conv1(maps)
        found: Tensor = self.conv2(torch.cat([maps, *(pool(maps) for pool in self.m)], 1))
        return found


class Focus(nn.Module):
    """Every 2 x 2 pixels become channels of one place."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.conv = BaseConv(12, out, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] to [B, out, H / 2, W / 2]."""
        corners = [pixels[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        found: Tensor = self.conv(torch.cat(corners, 1))
        return found


class CSPDarknet(nn.Module):
    """The published backbone."""

    def __init__(self, depth: float, width: float, conv: type[nn.Module]) -> None:
        super().__init__()
        base, count = int(64 * width), max(round(3 * depth), 1)
        self.stem = Focus(base)
        for stage, (scale, repeats) in enumerate(((2, 1), (4, 3), (8, 3), (16, 1)), start=2):
            out, last = scale * base, stage == 5
            layers = [conv(out // 2, out, 3, 2)]
            if last:
                layers.append(SPPBottleneck(out, out))
            layers.append(CSPLayer(out, out, repeats * count, conv, shortcut=not last))
            setattr(self, f"dark{stage}", nn.Sequential(*layers))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """[B, 3, H, W] to feature maps of strides 8, 16 and 32."""
        maps = self.stem(pixels)
        found = []
        for stage in range(2, 6):
            maps = getattr(self, f"dark{stage}")(maps)
            found.append(maps)
        return found[1:]


class YOLOPAFPN(nn.Module):
    """A backbone, and the neck that carries its maps down and up again."""

    def __init__(
        self,
        backbone: nn.Module,
        channels: tuple[int, int, int],
        count: int,
        conv: type[nn.Module],
        project: nn.ModuleList | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        if project is not None:
            self.project = project
        fine, middle, coarse = channels
        self.lateral_conv0 = BaseConv(coarse, middle, 1)
        self.C3_p4 = CSPLayer(2 * middle, middle, count, conv, shortcut=False)
        self.reduce_conv1 = BaseConv(middle, fine, 1)
        self.C3_p3 = CSPLayer(2 * fine, fine, count, conv, shortcut=False)
        self.bu_conv2 = conv(fine, fine, 3, 2)
        self.C3_n3 = CSPLayer(2 * fine, middle, count, conv, shortcut=False)
        self.bu_conv1 = conv(middle, middle, 3, 2)
        self.C3_n4 = CSPLayer(2 * middle, coarse, count, conv, shortcut=False)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """[B, 3, H, W] to feature maps of strides 8, 16 and 32."""
        maps = self.backbone(pixels)
        if hasattr(self, "project"):
            maps = [self.project[level](one) for level, one in enumerate(maps)]
        fine, middle, coarse = maps
        top = self.lateral_conv0(coarse)
        middle = self.C3_p4(torch.cat([self.upsample(top), middle], 1))
        side = self.reduce_conv1(middle)
        fine = self.C3_p3(torch.cat([self.upsample(side), fine], 1))
        middle = self.C3_n3(torch.cat([self.bu_conv2(fine), side], 1))
        coarse = self.C3_n4(torch.cat([self.bu_conv1(middle), top], 1))
        return [fine, middle, coarse]


class YOLOXHead(nn.Module):
    """Classes, boxes and objectness, from branches of their own on each level."""

    def __init__(
        self, classes: int, channels: tuple[int, int, int], width: int, conv: type[nn.Module]
    ) -> None:
        super().__init__()

        def branch() -> nn.Module:
            return nn.Sequential(conv(width, width, 3, 1), conv(width, width, 3, 1))

        self.stems = nn.ModuleList(BaseConv(one, width, 1) for one in channels)
        self.cls_convs = nn.ModuleList(branch() for _ in channels)
        self.reg_convs = nn.ModuleList(branch() for _ in channels)
        self.cls_preds = nn.ModuleList(nn.Conv2d(width, classes, 1) for _ in channels)
        self.reg_preds = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in channels)
        self.obj_preds = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in channels)
        for layer in (*self.cls_preds, *self.obj_preds):
            initialise_head(layer)

    def forward(self, maps: list[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Give class logits [B, C, H, W], boxes [B, 4, H, W] and objectness [B, 1, H, W]."""
        found = []
        for level, one in enumerate(maps):
            stem = self.stems[level](one)
            box = self.reg_convs[level](stem)
            found.append(
                (
                    self.cls_preds[level](self.cls_convs[level](stem)),
                    self.reg_preds[level](box),
                    self.obj_preds[level](box),
                )
            )
        return found


class YoloX(DenseDetector):
    """YOLOX: one anchor-free answer for each place of three feature maps."""

    network: Any

    def __init__(
        self, options: NetworkOptions, classes: int, backbone: YOLOPAFPN, head: YOLOXHead
    ) -> None:
        places = sum(side_of(options.side, stride) ** 2 for stride in STRIDES)
        super().__init__(options, classes, places)
        self.network = nn.Module()
        self.network.backbone = backbone
        self.network.head = head

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out."""
        found = self._answers(pixel_values)
        scores = torch.sigmoid(found.logits) * torch.sigmoid(found.objectness)[..., None]
        height, width = pixel_values.shape[-2:]
        return scores, found.boxes / found.boxes.new_tensor([width, height, width, height])

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts; see `yolox_loss`."""
        found = self._answers(pixel_values)
        height, width = pixel_values.shape[-2:]
        with torch.autocast(pixel_values.device.type, enabled=False):
            found = found.float()
            check_finite(found.logits, found.boxes, found.objectness)
            size = found.boxes.new_tensor([width, height, width, height])
            wanted = [(labels, box * size) for labels, box in truths(targets, found.boxes)]
            return yolox_losses(found, wanted)

    def backbone(self) -> nn.Module:
        """Return the backbone without its neck."""
        found: nn.Module = self.network.backbone.backbone
        return found

    def _answers(self, pixel_values: Tensor) -> Answers:
        """Run the network; boxes are centre x, centre y, width, height in pixels."""
        logits, boxes, objectness, centres, steps = [], [], [], [], []
        levels = self.network.head(self.network.backbone(pixel_values))
        for stride, (one, box, sure) in zip(STRIDES, levels, strict=True):
            places = grid(one)
            box = box.float().flatten(2).transpose(1, 2)
            where = (box[..., :2] + places) * stride
            boxes.append(torch.cat([where, box[..., 2:].exp() * stride], -1))
            logits.append(one.flatten(2).transpose(1, 2))
            objectness.append(sure.flatten(1))
            centres.append((places + 0.5) * stride)
            steps.append(torch.full_like(places[:, 0], stride))
        return Answers(
            logits=torch.cat(logits, 1),
            objectness=torch.cat(objectness, 1),
            boxes=torch.cat(boxes, 1),
            centres=torch.cat(centres),
            strides=torch.cat(steps),
        )


class PublishedYoloX(YoloX):
    """A published size, whose weights come as a file."""

    def from_published(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Let the stem take red, green, blue: the authors' takes blue, green, red."""
        stem = "backbone.backbone.stem.conv.conv.weight"
        if stem not in state or state[stem].shape[1] != 12:
            return state
        weight = state[stem]
        return {**state, stem: weight.view(-1, 4, 3, 3, 3).flip(2).reshape(weight.shape)}


def build_yolox(options: NetworkOptions, classes: int, *, pretrained: bool) -> YoloX:
    """Build YOLOX; see `building.build_network`."""
    if options.entry.published:
        depth, width = SIZES[options.name]
        conv: type[nn.Module] = DWConv if options.name == "yolox-nano" else BaseConv
        channels = (int(256 * width), int(512 * width), int(1024 * width))
        backbone = YOLOPAFPN(CSPDarknet(depth, width, conv), channels, round(3 * depth), conv)
        head = YOLOXHead(classes, channels, int(256 * width), conv)
    else:
        features, from_timm, _ = timm_features(options)
        side = options.width
        channels, conv = (side, side, side), BaseConv
        project = nn.ModuleList(BaseConv(one, side, 1) for one in from_timm)
        backbone = YOLOPAFPN(features, channels, 1, conv, project)
        head = YOLOXHead(classes, channels, side, conv)
    kind = PublishedYoloX if options.entry.published else YoloX
    network = kind(options, classes, backbone, head)
    if pretrained:
        start_from(network, options)
    return network
