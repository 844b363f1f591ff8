"""Averaged weights: what is validated, checkpointed as the best, and shipped."""

from __future__ import annotations

import math
from typing import Any

import lightning
import torch
from torch import Tensor

from models.training.learner import Learner
from models.training.options import EmaOptions
from models.training.weights import distinct_tensors


class Averaging(lightning.Callback):  # type: ignore[misc]
    """Keeps an exponential moving average of the network and validates with it.

    The decay warms up (as in D-FINE and YOLO trainings), so that the first epochs' random weights
    don't weigh on short trainings. Batch norm statistics are averaged too, counters are copied.
    """

    def __init__(self, options: EmaOptions) -> None:
        self._options = options
        self._average: dict[str, Tensor] = {}
        self._current: dict[str, Tensor] = {}
        self._fractions: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._counters: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._loaded: dict[str, Tensor] | None = None
        self._updates = 0
        self._swapped = False

    def weights(self, learner: Learner) -> dict[str, Tensor]:
        """Return the weights to ship: averaged ones where averaging is on. Not a copy."""
        return self._average or distinct_tensors(learner.network)

    def decay(self) -> float:
        """Share of the old average kept at the present step."""
        warmup = self._options.warmup
        reached = 1.0 - math.exp(-self._updates / warmup) if warmup else 1.0
        return self._options.decay * reached

    def on_train_start(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Begin with the network's weights, or with the average of the resumed training."""
        if self._options.decay == 0.0:
            return
        self._current = distinct_tensors(learner.network)
        source = self._current if self._loaded is None else self._loaded
        self._average = {
            name: torch.empty_like(value).copy_(source[name])
            for name, value in self._current.items()
        }
        self._loaded = None
        pairs = [(self._average[name], value) for name, value in self._current.items()]
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        counting = [pair for pair in pairs if not pair[0].is_floating_point()]
        self._fractions = [pair[0] for pair in floating], [pair[1] for pair in floating]
        self._counters = [pair[0] for pair in counting], [pair[1] for pair in counting]

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        learner: Learner,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Take in the weights of each optimizer step."""
        if trainer.global_step <= self._updates or not self._average:
            return
        self._updates = trainer.global_step
        torch._foreach_lerp_(*self._fractions, 1.0 - self.decay())
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)

    def on_validation_start(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Validate with the average."""
        self._swap()

    def on_validation_epoch_end(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Go on training with the network's own weights."""
        self._swap()

    def on_exception(
        self, trainer: lightning.Trainer, learner: Learner, exception: BaseException
    ) -> None:
        """Leave the network with its own weights, also when a validation breaks off."""
        if self._swapped:
            self._swap()

    def _swap(self) -> None:
        self._swapped = not self._swapped
        for name, average in self._average.items():
            own = self._current[name].clone()
            self._current[name].copy_(average)
            average.copy_(own)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {"average": self._average, "updates": self._updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the average; it moves to the device when training starts."""
        self._loaded = state_dict["average"] or None
        self._updates = state_dict["updates"]
