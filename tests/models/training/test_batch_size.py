from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.training.batch_size import largest_batch, largest_power
from models.training.devices import Device
from models.training.learner import Learner
from models.training.options import TrainingOptions


@pytest.mark.parametrize(
    ("room", "most", "expected"),
    [(1, 64, 1), (3, 64, 2), (40, 64, 32), (100, 48, 32), (999, 64, 64)],
)
def test_the_largest_power_of_two_that_fits(room: int, most: int, expected: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= room

    assert largest_power(fits, most) == expected
    assert max(tried) <= 2 * expected


def test_a_network_too_large_for_one_picture_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"batch_size=auto: the GPU's memory .* one picture"):
        largest_power(lambda _: False, 64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_filled_and_the_network_left_as_it_was() -> None:
    learner = Filler(nn.Linear(2, 2), TrainingOptions())
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    free = torch.cuda.mem_get_info()[0]
    device = Device("cuda", "32-true", 1, 1)
    # Each picture takes a tenth of the memory that is free.
    size = largest_batch(learner, lambda size: torch.zeros(size, free // 20), 64, device)
    assert 2 <= size <= 4
    assert all(torch.equal(before[name], value) for name, value in learner.state_dict().items())


class Filler(Learner):
    """Takes as much memory again as its batch has."""

    def losses(self, batch: Any) -> dict[str, Tensor]:
        return {"x": (batch + self.network(batch[:, :2]).sum()).mean()}

    def predict(self, batch: Any) -> list[Any]:
        return []

    def backbone(self) -> nn.Module:
        return nn.Identity()

    def size(self, batch: Any) -> int:
        return len(batch)
