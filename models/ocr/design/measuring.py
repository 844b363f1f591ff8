"""What a network gives: steps, what a step sees, shapes, parameters, time."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.ocr.design.candidates import COMFORT
from models.ocr.design.survey import Survey
from models.ocr.networks.building import build_network
from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.reader import Reader
from models.ocr.networks.sizes import Sizes, sizes

_PROBES = 3
_SHARE = 0.95
_WARM_UP = 3


@dataclass(frozen=True)
class Measured:
    """A network and what it gives to the lines of a dataset."""

    options: NetworkOptions
    sizes: Sizes
    short: float
    """Share of lines that have fewer steps than their text needs, at the width they get."""
    comfortable: float
    """Share of lines that have a quarter more steps than their text needs."""
    squeezed: float
    """Share of lines wider than the input, which are squeezed to fit."""
    pitch: tuple[float, float]
    """Width of a character in the input, pixels: of the median line, and where it is narrow (5 % of
    the lines are narrower)."""
    reach: tuple[int, int]
    """Height and width of what the convolutions under a step see at all, pixels of the input."""
    sees: tuple[int, int]
    """Height and width that hold 95 % of their influence (Luo et al., 2016, measured on the
    network before training)."""
    characters: float
    """Width of `sees` in characters of the median line."""
    parameters: float
    """Millions."""
    milliseconds: float | None
    """Of one line in PyTorch on this machine, median; None if it wasn't measured."""

    @property
    def title(self) -> str:
        """What tells it from the others."""
        one = self.options
        if one.name == "crnn":
            return f"crnn {one.backbone} stage {one.stage}"
        return f"{one.name} {'-'.join(map(str, one.widths))} x {'-'.join(map(str, one.depths))}"


def measure(options: NetworkOptions, found: Survey, calls: int) -> Measured:
    """Build a network and measure it.

    Args:
        options: the network.
        found: the lines it is to read.
        calls: timed calls; 0 measures no time.

    Raises:
        ValueError: options that don't go together.
    """
    with _one_thread():
        size = sizes(options)
        network = build_network(options, len(found.vocabulary)).eval()
        reach, sees = receptive_field(network, options)
    wide = found.widths_in(options.height, options.width)
    room = np.floor(wide / size.stride)
    pitches = wide / np.maximum(found.lengths, 1)
    pitch, narrow = (float(np.quantile(pitches, share)) for share in (0.5, 0.05))
    return Measured(
        options=options,
        sizes=size,
        short=float((room < found.steps).mean()),
        comfortable=float((room >= COMFORT * found.steps).mean()),
        squeezed=float((options.height * found.aspects > options.width + 1).mean()),
        pitch=(pitch, narrow),
        reach=reach,
        sees=sees,
        characters=sees[1] / pitch,
        parameters=sum(one.numel() for one in network.parameters()) / 1e6,
        milliseconds=latency(network, options, calls) if calls else None,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have PyTorch compute on one thread for a while: such small work gains nothing by more.

    On a machine that does other work too, several would wait for each other.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def receptive_field(
    network: Reader, options: NetworkOptions
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Find what the convolutions under the middle of the sequence see, by their gradients.

    Of random pictures the gradient of one place of the feature map is taken. All pixels that have
    any are its receptive field; those that hold 95 % of it are what it really looks at.

    Returns:
        Height and width of both, pixels of the input.
    """
    layers = copy.deepcopy(network.convolutions())
    for layer in layers.modules():
        # Residual branches start at nought; once trained, they see what they can.
        if isinstance(layer, nn.BatchNorm2d) and layer.weight is not None:
            nn.init.ones_(layer.weight)
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(options.rows, options.width)
    first = next(layer for layer in layers.modules() if isinstance(layer, nn.Conv2d))
    shape = (1, first.in_channels, options.rows, options.width)
    for _ in range(_PROBES):
        pixels = torch.randn(shape, generator=generator).requires_grad_()
        features = _features(layers, pixels)
        rows, columns = features.shape[-2:]
        (gradient,) = torch.autograd.grad(features[0, :, rows // 2, columns // 2].sum(), pixels)
        total += gradient[0].abs().sum(0)
    influence = total.double().numpy()
    seen = influence > influence.max() * 1e-9
    reach = (_extent(seen.any(axis=1)), _extent(seen.any(axis=0)))
    return reach, (_holding(influence.sum(axis=1)), _holding(influence.sum(axis=0)))


def _features(layers: nn.Module, pixels: Tensor) -> Tensor:
    found = layers(pixels)
    last: Tensor = found[-1] if isinstance(found, list | tuple) else found
    return last


def _extent(seen: np.ndarray) -> int:
    places = np.flatnonzero(seen)
    return int(places[-1] - places[0] + 1) if len(places) else 0


def _holding(influence: np.ndarray) -> int:
    """Width of the narrowest window that holds 95 % of what there is."""
    whole = np.concatenate([[0.0], np.cumsum(influence)])
    wanted = _SHARE * whole[-1]
    ends = np.searchsorted(whole, whole[:-1] + wanted - 1e-12)
    fitting = ends < len(whole)
    return int((ends - np.arange(len(ends)))[fitting].min())


def latency(network: Reader, options: NetworkOptions, calls: int) -> float:
    """Measure one line at a time on this machine's GPU or else its CPU; the median, ms."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    moved = network.to(device)
    line = torch.zeros(1, 3, options.height, options.width, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(calls + _WARM_UP):
            start = time.perf_counter()
            moved(line)[0].cpu()  # waits until a GPU is done
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[_WARM_UP:])
