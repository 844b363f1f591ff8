from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from models.training import order as subject
from models.training.order import Key, TrainingLoader, TrainingOrder, random_seed


def test_an_epoch_holds_every_picture_once_with_its_epoch() -> None:
    order = TrainingOrder(size=11, batch_size=4, seed=1)
    order.set_epoch(3)
    batches = list(order)
    assert [len(batch) for batch in batches] == [4, 4, 3] and len(order) == 3
    assert sorted(key.picture for key in itertools.chain(*batches)) == list(range(11))
    assert {key.epoch for key in itertools.chain(*batches)} == {3}
    assert [{key.batch for key in batch} for batch in batches] == [{0}, {1}, {2}]


@pytest.mark.parametrize(
    ("size", "batch_size", "lengths"),
    [(9, 4, [4, 4, 2]), (1, 4, [2]), (3, 1, [1, 1, 1]), (8, 4, [4, 4]), (10, 4, [4, 4, 2])],
)
def test_no_batch_is_left_with_one_picture(size: int, batch_size: int, lengths: list[int]) -> None:
    order = TrainingOrder(size, batch_size, seed=0)
    batches = list(order)
    assert [len(batch) for batch in batches] == lengths and len(order) == len(lengths)
    keys = list(itertools.chain(*batches))
    assert {key.picture for key in keys} == set(range(size))
    assert len({(key.picture, key.turn) for key in keys}) == len(keys)


def test_the_order_depends_on_seed_and_epoch_and_nothing_else() -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        order = TrainingOrder(20, 4, seed)
        order.set_epoch(epoch)
        return [[key.picture for key in batch] for batch in order]

    assert batches(1, 2) == batches(1, 2)
    assert batches(1, 2) != batches(1, 3)
    assert batches(1, 2) != batches(2, 2)


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_loader_goes_on_after_the_last_batch_trained_on(batches: int) -> None:
    def loader() -> TrainingLoader:
        order = TrainingOrder(11, 4, seed=5)
        made = TrainingLoader(_Keys(), batch_sampler=order, collate_fn=list)
        made.order = order
        return made

    whole = loader()
    whole.order.set_epoch(2)
    every = list(whole)
    whole.done = (2, batches)
    resumed = loader()
    resumed.load_state_dict(whole.state_dict())
    epoch = 2 if batches < 3 else 3
    resumed.order.set_epoch(epoch)
    if batches < 3:
        assert list(resumed) == every[batches:]
    assert [key[0] for batch in resumed for key in batch] == [epoch] * 11


def test_processes_share_an_epoch_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_world", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(subject, "_rank", lambda rank=rank: rank)
        shares.append([key for batch in TrainingOrder(10, 2, seed=0) for key in batch])
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {key.picture for share in shares for key in share} == set(range(10))


def test_weights_say_how_often_a_picture_comes() -> None:
    weights = np.array([1.0, 1.0, 3.0, 0.0, 1.5, 1.5])
    order = TrainingOrder(6, 2, 0, lambda epoch: weights if epoch else None)
    assert sorted(key.picture for batch in order for key in batch) == list(range(6))
    total: Counter[int] = Counter()
    for epoch in range(1, 401):
        order.set_epoch(epoch)
        found = Counter(key.picture for batch in order for key in batch)
        assert found.total() == 6 and found[3] == 0
        wanted = weights / weights.sum() * 6
        for picture, share in enumerate(wanted):
            assert np.floor(share) <= found[picture] <= np.ceil(share)
        total += found
    assert [total[picture] / 400 for picture in range(6)] == pytest.approx(
        list(weights / weights.sum() * 6), abs=0.12
    )


def test_a_picture_that_comes_again_in_an_epoch_is_changed_in_another_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = np.array([1.0, 1.0, 8.0, 1.0])
    monkeypatch.setattr(subject, "_world", lambda: 2)
    keys = []
    for rank in range(2):
        monkeypatch.setattr(subject, "_rank", lambda rank=rank: rank)
        keys += [key for batch in TrainingOrder(4, 1, 0, lambda _: weights) for key in batch]
    assert max(Counter(key.picture for key in keys).values()) >= 2
    assert len({key.seed(7) for key in keys}) == len(keys)
    assert Key(3, 5, 0).seed(7) == Key(3, 5, 1).seed(7) != Key(3, 5, 0, 1).seed(7)


def test_seeds_of_neighbours_have_nothing_in_common() -> None:
    seeds = {random_seed(*parts) for parts in itertools.product(range(10), repeat=3)}
    assert len(seeds) == 1000
    assert random_seed(1, 2) != random_seed(2, 1)


class _Keys:
    def __getitem__(self, key: Key) -> Key:
        return key
