"""A small network after SVTRv2: convolutions, then attention over the whole line, CTC.

Du et al., 2024 (arXiv:2411.15858), from timm's blocks. Like there, early blocks look around with
convolutions, late ones at the whole line; between the stages only the height shrinks; and each
column picks its rows with a query of its own before the last layer (the vertical half of their
feature rearranging module). Unlike there, nothing else than CTC teaches it, and it is built for a
CPU: dense convolutions, which it computes fast, in place of grouped ones.
"""

from __future__ import annotations

from itertools import takewhile

from timm.layers import DropPath, LayerNorm2d
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from models.ocr.networks.eye import eye
from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.reader import Reader

_HEAD_WIDTH = 32
_DROP_PATH = 0.05


class Svtr(Reader):
    """Stages of convolutional and attention blocks."""

    def __init__(self, options: NetworkOptions, classes: int) -> None:
        """Build it with random weights.

        Raises:
            ValueError: the input has too few rows.
        """
        super().__init__()
        self.classes = classes
        # The rows become a quarter in any case.
        first, second = (2, 2), (2, 1 if options.stride == 2 else 2)
        rows = options.rows // 4
        for rate in options.rates:
            rows //= rate
        if not rows:
            raise ValueError(
                f"network.{'band' if options.band else 'height'}={options.rows} has no row left "
                f"after the stages; raise it or set network.rates=[1, 1]"
            )
        self.steps = options.width // options.stride
        widths, depths = options.widths, options.depths
        self.eye = eye(options)
        self.stem = nn.Sequential(
            *_convolution(1 if options.contrast == "local" else 3, widths[0] // 2, first),
            *_convolution(widths[0] // 2, widths[0], second),
        )
        stages: list[nn.Module] = []
        place, plain = 0, sum(depths) - options.attention
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if index:
                # Of the coarsest sequence the stem makes only half: it would skip pixels.
                across = 2 if options.stride == 8 and index == 1 else 1
                stages.append(_Merge(widths[index - 1], width, (options.rates[index - 1], across)))
            for _ in range(depth):
                drop = _DROP_PATH * place / max(1, sum(depths) - 1)
                stages.append(_Around(width, drop) if place < plain else _Whole(width, drop))
                place += 1
        self.stages = nn.Sequential(*stages)
        self.norm = LayerNorm2d(widths[-1])
        self.rows = nn.Conv2d(widths[-1], 1, 1)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Read; see `Reader.forward`."""
        found = self.norm(self.stages(self.stem(self.eye(pixel_values))))
        chosen = (found * self.rows(found).float().softmax(2).to(found.dtype)).sum(2)
        logits = self.head(self.dropout(chosen.transpose(1, 2)))
        return (logits.float().log_softmax(-1),)

    def convolutions(self) -> nn.Module:
        """Return all before the first attention; see `Reader.convolutions`."""
        local = takewhile(lambda layer: not isinstance(layer, _Whole), self.stages)
        return nn.Sequential(self.stem, *local)

    def backbone(self) -> nn.Module:
        """Return all but the last layers."""
        return self.stages


class _Around(nn.Module):
    """Two dense convolutions around a residual path."""

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *_convolution(width, width, (1, 1)),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.drop = DropPath(drop)
        self.activation = nn.GELU()

    def forward(self, pixels: Tensor) -> Tensor:
        activated: Tensor = self.activation(pixels + self.drop(self.inner(pixels)))
        return activated


class _Whole(nn.Module):
    """A convolution for what is near, and timm's transformer block for the whole feature map.

    The convolution also tells places apart: it sees their order, and the padding at the edges. So
    there is no table of positions, and any width will do.
    """

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.near = nn.Conv2d(width, width, 3, padding=1)
        heads = max(1, width // _HEAD_WIDTH)
        self.block = Block(width, heads, mlp_ratio=2.0, qkv_bias=True, drop_path=drop)
        # On a CPU in bf16 PyTorch's fused attention takes half as long again, gradients included.
        self.block.attn.fused_attn = False

    def forward(self, pixels: Tensor) -> Tensor:
        pixels = pixels + self.near(pixels)
        height, width = pixels.shape[-2:]
        places = self.block(pixels.flatten(2).transpose(1, 2))
        back: Tensor = places.transpose(1, 2).unflatten(2, (height, width))
        return back


class _Merge(nn.Module):
    """Fewer rows, more channels."""

    def __init__(self, width: int, wider: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, wider, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(wider),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        merged: Tensor = self.layers(pixels)
        return merged


def _convolution(width: int, wider: int, stride: tuple[int, int]) -> list[nn.Module]:
    return [
        nn.Conv2d(width, wider, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(wider),
        nn.GELU(),
    ]
