"""Which pictures make up which batch: a pure function of seed and epoch, enterable anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler


class Key(NamedTuple):
    """All that a dataset needs for a reproducible augmentation."""

    epoch: int
    picture: int
    """Its index in the split."""
    batch: int
    """Of the batch in its epoch; the same in all processes."""
    turn: int = 0
    """How often the picture has come before in its epoch: each time it is changed in another way.
    """

    def seed(self, seed: int) -> int:
        """Give the seed of all random changes to this picture, this time."""
        return random_seed(seed, self.epoch, self.picture, self.turn)


Weights = Callable[[int], NDArray[np.float64] | None]
"""How often each picture of the split is wanted in an epoch, relative to the others; None where
all are wanted alike."""


def random_seed(*parts: int) -> int:
    """Mix numbers (seed, epoch, picture, ...) into one 64-bit seed."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


class TrainingOrder(Sampler[list[Key]]):
    """Batches of keys, shuffled anew in each epoch.

    With several processes each gets its share of every epoch; the order wraps round so that all
    shares are equally long. A last batch of one picture gets a second one, the first of the order:
    over one there is nothing for batch norm to average.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, weights: Weights = lambda _: None
    ) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.first = 0
        self._weights = weights

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; an epoch entered in its middle keeps its place."""
        if epoch != self.epoch:
            self.epoch, self.first = epoch, 0

    def enter(self, epoch: int, batch: int) -> None:
        """Let the next pass begin with this batch of this epoch."""
        self.epoch, self.first = epoch, batch

    def __len__(self) -> int:
        share = -(-self.size // _world())
        return -(-share // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, first = self.epoch, self.first
        self.first = 0
        share = -(-self.size // _world())
        share += self.batch_size > 1 and share % self.batch_size == 1
        drawn = np.resize(self._drawn(epoch), share * _world())
        both = np.stack([drawn, _count_before(drawn)], axis=1)[_rank() :: _world()].tolist()
        for batch in range(first, len(self)):
            chosen = both[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [Key(epoch, picture, batch, turn) for picture, turn in chosen]

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        """Draw an epoch's pictures; with weights, each comes its share of times, up or down one."""
        rng = np.random.default_rng(random_seed(self.seed, epoch))
        order = rng.permutation(self.size)
        weights = self._weights(epoch)
        if weights is None:
            return order
        # Systematic resampling over a shuffled order, so that neighbours have nothing in common.
        ends = np.cumsum(weights[order])
        points = (np.arange(self.size) + rng.random()) * ends[-1] / self.size
        drawn = order[np.searchsorted(ends, points, side="right").clip(max=self.size - 1)]
        return rng.permutation(drawn)


def _count_before(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count, for each entry, the earlier ones that are equal."""
    order = np.argsort(drawn, kind="stable")
    _, heads, sizes = np.unique(drawn[order], return_index=True, return_counts=True)
    counts = np.empty(len(drawn), np.int64)
    counts[order] = np.arange(len(drawn)) - np.repeat(heads, sizes)
    return counts


class TrainingLoader(DataLoader[Any]):
    """A loader whose place in the epoch travels with Lightning's checkpoint."""

    order: TrainingOrder
    done: tuple[int, int] = (0, 0)
    """Epoch, and batches trained on in it; the loop keeps this up to date, because a loader with
    workers runs ahead of the training."""

    def state_dict(self) -> dict[str, int]:
        """Say how far training has come."""
        return {"epoch": self.done[0], "batches": self.done[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the last batch trained on."""
        epoch, batches = state["epoch"], state["batches"]
        self.order.enter(*((epoch, batches) if batches < len(self.order) else (epoch + 1, 0)))


def _world() -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1


def _rank() -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_rank() if ready else 0
