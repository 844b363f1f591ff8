"""What decoding costs beside the network: `python -m tests.benchmarks.bench_reading`.

The network runs 1,000 lines in batches of 32 on one thread, in PyTorch; then its outputs are
decoded. Weights are random, so that greedy decoding has as much to do as it ever can: hardly any
two steps are alike. Besides digits a vocabulary of 5,000 characters is tried.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from models.ocr.alphabet import Alphabet
from models.ocr.decoding.decoder import Decoder, Settings
from models.ocr.networks.building import build_network
from models.ocr.networks.options import NetworkOptions

LINES, BATCH, ROUNDS = 1000, 32, 3


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    print(f"{LINES} lines, batches of {BATCH}, one thread, CPU time, median of {ROUNDS}")
    heads = f"{'network':8} {'characters':>10} {'network s':>10} {'greedy s':>9}"
    print(f"{heads} {'share':>7} {'beam s':>8}")
    for name in ("svtr", "crnn"):
        for characters in (10, 5000):
            _measure(name, characters)


def _measure(name: str, characters: int) -> None:
    options = NetworkOptions.model_validate({"name": name})
    torch.manual_seed(0)
    network = build_network(options, characters).eval()
    pictures = torch.randn(BATCH, 3, options.height, options.width)
    alphabet = Alphabet([chr(0x4E00 + index) for index in range(characters)])
    greedy, beam = (Decoder(alphabet, Settings(method=method)) for method in ("greedy", "beam"))
    batches = -(-LINES // BATCH)
    with torch.inference_mode():
        outputs = network(pictures)[0].numpy()
        spread = np.random.default_rng(0).normal(0, 4, outputs.shape).astype(np.float32)
        outputs = outputs + spread
        outputs -= np.log(np.exp(outputs).sum(axis=2, keepdims=True))
        running = _seconds(lambda: network(pictures)) * batches
    decoding = _seconds(lambda: greedy(outputs)) * batches
    searching = _seconds(lambda: beam(outputs)) * batches
    print(
        f"{name:8} {characters:10} {running:10.2f} {decoding:9.3f} {decoding / running:7.1%} "
        f"{searching:8.2f}",
        flush=True,
    )


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
