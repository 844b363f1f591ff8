"""Label smoothing (Szegedy et al., 2016) for whatever loss a network brings along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ClassLoss = Literal["sigmoid", "softmax"]
"""How a network turns logits into class confidences."""


class LabelSmoothing(TorchFunctionMode):
    """Smooths the class targets of all losses computed inside it.

    With sigmoid losses (binary cross entropy, focal, varifocal) the targets of a matched query or
    anchor, t at its class, become (1 - amount) t + amount t / classes; unmatched ones have no class
    and stay as they are. With softmax losses it is the `label_smoothing` of cross entropy.
    """

    def __init__(self, amount: float, classes: int, kind: ClassLoss) -> None:
        super().__init__()
        self.smoothed = 0
        """Losses it had an effect on."""
        self._amount = amount
        self._classes = classes
        self._kind = kind

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Change the targets of a class loss, and leave all other calls alone."""
        given = dict(kwargs or {})
        if self._kind == "sigmoid" and func is functional.binary_cross_entropy_with_logits:
            logits, target, *rest = (*args, *(given.pop(n) for n in _pair(args, given)))
            if target.shape == logits.shape and target.shape[-1] == self._classes:
                self.smoothed += 1
                target = self._spread(target)
            return func(logits, target, *rest, **given)
        if self._kind == "softmax" and func is functional.cross_entropy:
            self.smoothed += 1
            given["label_smoothing"] = self._amount
        return func(*args, **given)

    def _spread(self, target: Tensor) -> Tensor:
        even = target.sum(dim=-1, keepdim=True) / self._classes
        return target + self._amount * (even - target)


def _pair(args: Sequence[Any], given: Mapping[str, Any]) -> list[str]:
    """Name what of logits and targets was given by name."""
    return [name for name in ("input", "target")[len(args) :] if name in given]


def smoothed(
    amount: float, classes: int, kind: ClassLoss, losses: Callable[[], Mapping[str, Tensor]]
) -> Mapping[str, Tensor]:
    """Compute losses with smoothed class targets.

    Raises:
        ValueError: the network's loss has no class target to smooth.
    """
    if classes < 2:
        raise ValueError("label_smoothing needs two classes or more; set it to 0")
    with LabelSmoothing(amount, classes, kind) as mode:
        found = losses()
    if not mode.smoothed:
        raise ValueError("label_smoothing has no effect on this network's loss; set it to 0")
    return found
