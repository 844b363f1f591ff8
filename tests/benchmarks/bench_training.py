"""What the training loop costs over a bare PyTorch loop: python tests/benchmarks/bench_training.py.

Both train the same network on the same batches, which lie in memory. They take turns in blocks of
steps, so that other work on the machine hits both alike; the medians are compared. The target is
an overhead of at most 5 % of a step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.detection.learner import DetectionLearner
from models.detection.networks.building import build_network
from models.detection.options import TrainOptions
from models.detection.train import preprocessing_of
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.loop import Splits, fit


class Turns:
    """Lets two loops in two threads run a block of steps each in turn, and times every step."""

    def __init__(self, block: int, blocks: int) -> None:
        self.seconds: dict[str, list[float]] = {"bare": [], "ours": []}
        self._block = block
        self._steps = block * blocks
        self._may = {"bare": threading.Semaphore(1), "ours": threading.Semaphore(0)}
        self._began: dict[str, float] = {}

    def step(self, name: str) -> None:
        """Mark that a step of this loop ended and the next one begins."""
        times = self.seconds[name]
        if name in self._began:
            times.append(time.perf_counter() - self._began[name])
        if len(times) % self._block == 0 and len(times) <= self._steps:
            if times:
                self._may["ours" if name == "bare" else "bare"].release()
            if len(times) < self._steps:
                self._may[name].acquire()
        self._began[name] = time.perf_counter()


def batches(options: TrainOptions, count: int = 8) -> list[dict[str, Any]]:
    """Make batches with three objects in each picture."""
    generator = torch.Generator().manual_seed(0)
    side = options.network.image_size

    def target() -> dict[str, torch.Tensor]:
        boxes = torch.rand(3, 4, generator=generator) * 0.3 + 0.2
        return {"class_labels": torch.tensor([0, 1, 1]), "boxes": boxes}

    return [
        {
            "images": torch.randint(
                0, 256, (options.batch_size, side, side, 3), dtype=torch.uint8, generator=generator
            ),
            "targets": [target() for _ in range(options.batch_size)],
            "indices": list(range(options.batch_size)),
        }
        for _ in range(count)
    ]


def bare(options: TrainOptions, turns: Turns, data: list[dict[str, Any]], steps: int) -> None:
    """Train with nothing but what training needs; the average included."""
    torch.manual_seed(0)
    network = build_network(options.network, 2).train()
    learner = DetectionLearner(network, options, preprocessing_of(options), 2)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    average = [p.detach().clone() for p in network.parameters()]
    turns.step("bare")
    for step in range(steps):
        batch = data[step % len(data)]
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            pixels = learner.normalisation(batch["images"])
            loss = torch.stack(list(network.losses(pixels, batch["targets"]).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad()
        torch._foreach_lerp_(average, [p.detach() for p in network.parameters()], 0.005)
        turns.step("bare")


class InMemory(torch.utils.data.Dataset[Any]):
    """Answers the keys of a batch with a batch; the collate function takes the first one's."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self._data = data

    def __getitem__(self, key: Any) -> Any:
        return self._data[(key[1] if isinstance(key, tuple) else key) % len(self._data)]


def ours(options: TrainOptions, turns: Turns, data: list[dict[str, Any]], steps: int) -> None:
    """Train with `models.training`."""
    torch.manual_seed(0)
    learner = DetectionLearner(
        build_network(options.network, 2), options, preprocessing_of(options), 2
    )

    class Timed(Silence):
        def progress(self, description: str, done: int, total: int) -> None:
            turns.step("ours")

    splits = Splits(
        train=InMemory(data),
        val=InMemory(data),
        collate=lambda samples: samples[0],
        train_size=(steps + 1) * options.batch_size,
        val_size=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Checkpoints(Path(folder), None, lambda _: None)
        fit(learner, splits, lambda _: {"mAP": 0.0}, "mAP", place, Timed())


def measure(options: TrainOptions, block: int, blocks: int) -> tuple[float, float]:
    """Return the median step of both loops in milliseconds."""
    turns = Turns(block, blocks)
    data = batches(options)
    loops = [
        threading.Thread(target=loop, args=(options, turns, data, block * blocks))
        for loop in (bare, ours)
    ]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    medians = [statistics.median(turns.seconds[name][2:]) * 1e3 for name in ("bare", "ours")]
    return medians[0], medians[1]


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name networks from the smallest, where a loop's own cost shows most, to the demo's."""
    tiny = {"backbone": "test_resnet", "image_size": 64, "levels": 2, "queries": 10}
    small = {"backbone": "resnet10t", "image_size": 256, "levels": 2, "queries": 30}
    yield "test_resnet 64 px, float32, batch 4", {"network": tiny, "batch_size": 4}
    yield (
        "resnet10t 256 px, bf16, batch 8",
        {"network": small, "batch_size": 8, "precision": "bf16"},
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", type=int, default=5, help="steps in a block")
    parser.add_argument("--blocks", type=int, default=8, help="blocks of each loop")
    arguments = parser.parse_args()
    print(
        f"{torch.get_num_threads()} threads, {arguments.blocks} blocks of {arguments.block} steps"
    )
    print(f"{'network':<38}{'bare ms':>10}{'ours ms':>10}{'overhead':>10}")
    for name, values in cases():
        options = TrainOptions.model_validate(
            {"epochs": 1, "device": "cpu", "precision": "float32", "workers": 0, **values}
        )
        one, other = measure(options, arguments.block, arguments.blocks)
        print(f"{name:<38}{one:>10.1f}{other:>10.1f}{other / one - 1:>10.1%}")


if __name__ == "__main__":
    main()
