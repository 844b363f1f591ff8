"""What the loop costs a classifier: python -m tests.benchmarks.bench_training_classification.

As `bench_training.py`: a bare PyTorch loop and ours train the same network on the same batches in
memory, in alternating blocks; medians are compared. The target is at most 5 % of a step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.classification.learner import ClassificationLearner
from models.classification.networks.classifier import build_network
from models.classification.options import TrainOptions
from models.classification.train import preprocessing_of
from models.normalisation import Normalisation
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.loop import Splits, fit
from tests.benchmarks.bench_training import InMemory, Turns

CLASSES = 10


def batches(options: TrainOptions, count: int = 8) -> list[dict[str, Any]]:
    """Make batches of noise."""
    generator = torch.Generator().manual_seed(0)
    side, size = options.network.image_size, int(options.batch_size)
    shape = (size, side, side, 3)
    return [
        {
            "images": torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
            "targets": torch.eye(CLASSES)[torch.arange(size) % CLASSES],
            "indices": list(range(size)),
        }
        for _ in range(count)
    ]


def bare(options: TrainOptions, turns: Turns, data: list[dict[str, Any]], steps: int) -> None:
    """Train with nothing but what training needs; the average included."""
    torch.manual_seed(0)
    network = build_network(options.network, CLASSES).train()
    normalise = Normalisation(preprocessing_of(options))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    average = [p.detach().clone() for p in network.parameters()]
    turns.step("bare")
    for step in range(steps):
        batch = data[step % len(data)]
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            logits = network(normalise(batch["images"]))[0]
        loss = nn.functional.cross_entropy(logits.float(), batch["targets"])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad()
        torch._foreach_lerp_(average, [p.detach() for p in network.parameters()], 0.005)
        turns.step("bare")


def ours(options: TrainOptions, turns: Turns, data: list[dict[str, Any]], steps: int) -> None:
    """Train with `models.training`."""
    torch.manual_seed(0)
    network = build_network(options.network, CLASSES)
    learner = ClassificationLearner(network, options, preprocessing_of(options), several=False)

    class Timed(Silence):
        def progress(self, description: str, done: int, total: int) -> None:
            turns.step("ours")

    splits = Splits(
        train=InMemory(data),
        val=InMemory(data),
        collate=lambda samples: samples[0],
        train_size=(steps + 1) * int(options.batch_size),
        val_size=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Checkpoints(Path(folder), None, lambda _: None)
        fit(learner, splits, lambda _: {"accuracy": 0.0}, "accuracy", place, Timed())


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name networks from the smallest, where a loop's own cost shows most."""
    small, usual = (
        {"name": "test_resnet", "image_size": 64},
        {"name": "resnet10t", "image_size": 96},
    )
    yield "test_resnet 64 px, float32, batch 32", {"network": small}
    yield "resnet10t 96 px, bf16, batch 32", {"network": usual, "precision": "bf16"}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", type=int, default=6, help="steps in a block")
    parser.add_argument("--blocks", type=int, default=5, help="blocks of each loop")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(
        f"{torch.get_num_threads()} threads, {arguments.blocks} blocks of {arguments.block} steps"
    )
    print(f"{'network':<38}{'bare ms':>10}{'ours ms':>10}{'overhead':>10}")
    for name, values in cases():
        options = TrainOptions.model_validate(
            {
                "epochs": 1,
                "device": "cpu",
                "precision": "float32",
                "workers": 0,
                "threads": arguments.threads,
                "samples": {"count": 0},
                **values,
            }
        )
        turns = Turns(arguments.block, arguments.blocks)
        data, steps = batches(options), arguments.block * arguments.blocks
        loops = [
            threading.Thread(target=loop, args=(options, turns, data, steps))
            for loop in (bare, ours)
        ]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        one, other = (statistics.median(turns.seconds[n][2:]) * 1e3 for n in ("bare", "ours"))
        print(f"{name:<38}{one:>10.1f}{other:>10.1f}{other / one - 1:>10.1%}")


if __name__ == "__main__":
    main()
