"""The curves of a training: gathered step by step, reported epoch by epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.reporting import Reporter

Point = tuple[str, str, float, int]
"""Title of the plot, name of the curve, value, epoch (from 1)."""


class Curves:
    """Means over the running epoch, and every point reported so far.

    The sums stay on the device until the epoch ends, so that no step waits for them. All of it
    goes into the checkpoint: an epoch that was cut in two has the same means as a whole one.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._sums: dict[str, Tensor] = {}
        self._pictures = 0
        self._norms: Tensor | None = None
        self._steps = 0

    def batch(self, parts: dict[str, Tensor], pictures: int) -> None:
        """Take in the loss parts of a batch."""
        self._pictures += pictures
        for name, part in parts.items():
            weighted = part.double() * pictures
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted

    def step(self, norm: Tensor | None) -> None:
        """Take in the gradient norm of an optimizer step; one that overflowed doesn't count."""
        if norm is not None:
            norm = torch.nan_to_num(norm.double(), nan=0.0, posinf=0.0, neginf=0.0)
            self._norms = norm if self._norms is None else self._norms + norm
            self._steps += 1

    def close_epoch(self, epoch: int) -> dict[str, float]:
        """Turn the sums into points of this epoch, and begin anew.

        Returns:
            Mean loss parts by name, and their sum as `total`.
        """
        losses = {name: float(value) / self._pictures for name, value in self._sums.items()}
        losses = {"total": sum(losses.values()), **losses}
        self.points += [("loss", name, value, epoch) for name, value in losses.items()]
        if self._norms is not None:
            self.points.append(
                ("gradient norm", "before clipping", float(self._norms) / self._steps, epoch)
            )
        self._sums, self._pictures, self._norms, self._steps = {}, 0, None, 0
        return losses

    def add(self, title: str, values: dict[str, float], epoch: int) -> None:
        """Add points of one plot."""
        self.points += [(title, name, value, epoch) for name, value in values.items()]

    def report(self, reporter: Reporter, first: int = 0) -> None:
        """Report the points from `first` on."""
        for title, name, value, epoch in self.points[first:]:
            reporter.scalar(title, name, value, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers."""
        return {
            "points": [list(point) for point in self.points],
            "sums": {name: float(value) for name, value in self._sums.items()},
            "pictures": self._pictures,
            "norms": None if self._norms is None else float(self._norms),
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on where `state_dict` was taken."""

        def number(value: float) -> Tensor:
            return torch.tensor(value, dtype=torch.float64, device=device)

        self.points = [(title, name, value, epoch) for title, name, value, epoch in state["points"]]
        self._sums = {name: number(value) for name, value in state["sums"].items()}
        self._pictures = state["pictures"]
        self._norms = None if state["norms"] is None else number(state["norms"])
        self._steps = state["steps"]
