"""Make a backbone coarser in height alone, so that a line keeps its sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def limit_width_stride(network: nn.Module, stride: int, height: int, width: int) -> None:
    """Take the horizontal stride of layers that would leave too few columns.

    Args:
        network: a convolutional backbone; changed in place.
        stride: input pixels for one column at most.
        height: of the input, pixels.
        width: of the input, pixels.
    """

    def before(module: Any, inputs: tuple[Tensor, ...]) -> None:
        now = round(width / inputs[0].shape[-1])
        vertical, horizontal = _pair(module.stride)
        if horizontal > 1 and now * horizontal > stride:
            module.stride = (vertical, 1)
            if not isinstance(module, nn.Conv2d) and _pair(module.padding) == (0, 0):
                # Windows that lay side by side would give one column less.
                module.kernel_size = (_pair(module.kernel_size)[0], 1)

    hooks = [
        module.register_forward_pre_hook(before)
        for module in network.modules()
        if isinstance(module, _STRIDED)
    ]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, height, width, device=_device(network)))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()


def _pair(stride: object) -> tuple[int, int]:
    if isinstance(stride, tuple):
        return int(stride[0]), int(stride[-1])
    assert isinstance(stride, int)
    return stride, stride


def _device(network: nn.Module) -> torch.device:
    return next(iter(network.parameters())).device
