from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.training.smoothing import ClassLoss, smoothed

LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
ONE_HOT = torch.tensor([[0.0, 0.8, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0.5]])
# Matched rows move to the even share of their own sum, unmatched ones stay.
SPREAD = 0.9 * ONE_HOT + 0.1 * ONE_HOT.sum(dim=1, keepdim=True) / 3


def loss(make: Callable[[], Tensor], kind: ClassLoss = "sigmoid", classes: int = 3) -> Tensor:
    return smoothed(0.1, classes, kind, lambda: {"x": make()})["x"]


@pytest.mark.parametrize("named", [False, True])
def test_sigmoid_targets_are_spread_over_the_classes(named: bool) -> None:
    bce = functional.binary_cross_entropy_with_logits
    weight = torch.rand(5, 3, generator=torch.Generator().manual_seed(1))
    made = (
        loss(lambda: bce(input=LOGITS, target=ONE_HOT, weight=weight, reduction="sum"))
        if named
        else loss(lambda: bce(LOGITS, ONE_HOT, weight, reduction="sum"))
    )
    assert made == pytest.approx(bce(LOGITS, SPREAD, weight, reduction="sum"))
    assert made != pytest.approx(bce(LOGITS, ONE_HOT, weight, reduction="sum"))


def test_softmax_losses_are_smoothed_as_torch_does() -> None:
    target = torch.tensor([0, 2, 1, 1, 0])
    made = loss(lambda: functional.cross_entropy(LOGITS, target), "softmax")
    assert made == functional.cross_entropy(LOGITS, target, label_smoothing=0.1)


def test_other_losses_are_left_alone() -> None:
    one = LOGITS[:, :1]
    objectness = functional.binary_cross_entropy_with_logits(one, ONE_HOT[:, :1])
    distribution = functional.cross_entropy(LOGITS, torch.tensor([0, 2, 1, 1, 0]))

    def make() -> Tensor:
        functional.binary_cross_entropy_with_logits(LOGITS, ONE_HOT)
        again = functional.binary_cross_entropy_with_logits(one, ONE_HOT[:, :1])
        return again + functional.cross_entropy(LOGITS, torch.tensor([0, 2, 1, 1, 0]))

    assert loss(make) == objectness + distribution


def test_smoothing_without_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="no effect on this network"):
        loss(lambda: LOGITS.sum())
    with pytest.raises(ValueError, match="needs two classes"):
        loss(lambda: LOGITS.sum(), classes=1)
