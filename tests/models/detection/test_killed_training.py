"""A real kill -9 at a random moment, with everything on that has a state."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.detection.conftest import TINY
from tests.models.detection.test_training import EVERYTHING

ROOT = Path(__file__).parents[3]

SCRIPT = """
import hashlib, sys, torch
from pathlib import Path
torch.set_num_threads(1)
from models.detection.options import TrainOptions
from models.detection.train import learn
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.files import LAST

class Steps(Silence):
    def progress(self, what, done, total):
        print("step", done, flush=True)

data, folder, options = sys.argv[1:]
last = Path(folder) / LAST
place = Checkpoints(Path(folder), last if last.is_file() else None, lambda _: None)
done = learn(Path(data), TrainOptions.model_validate_json(options), place, Steps())
held = torch.load(last, weights_only=True)
def digest(tensors):
    whole = b"".join(value.numpy().tobytes() for _, value in sorted(tensors.items()))
    return hashlib.sha256(whole).hexdigest()
average = held["callbacks"]["Averaging"]["average"]
print("digest", digest(held["state_dict"]), digest(average), digest(done.weights), flush=True)
"""


def run(data: Path, folder: Path, kill_after: int | None = None) -> tuple[int, str]:
    """Train until the end or until a kill; give the last step said and the line of digests."""
    network = {**TINY["network"], **EVERYTHING["network"]}
    options = {**TINY, **EVERYTHING, "network": network, "epochs": 4}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(folder), json.dumps(options)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    step, digests, lines = 0, "", 0
    for line in process.stdout:
        if line.startswith("step"):
            step, lines = int(line.split()[1]), lines + 1
            if lines == kill_after:
                process.send_signal(signal.SIGKILL)
        elif line.startswith("digest"):
            digests = line
    process.stdout.close()
    assert process.wait(60) == (0 if kill_after is None else -signal.SIGKILL)
    return step, digests


@pytest.mark.slow
def test_a_training_killed_again_and_again_ends_with_the_same_bits(
    shapes: Path, tmp_path: Path
) -> None:
    steps, whole = run(shapes, tmp_path / "whole")
    assert whole
    seed = random.randrange(10**6)
    print(f"kills are drawn with seed {seed}")
    draw = random.Random(seed)
    for _ in range(3):
        reached, _ = run(shapes, tmp_path / "killed", draw.randint(1, max(1, steps // 4)))
        assert reached < steps
    _, resumed = run(shapes, tmp_path / "killed")
    assert resumed == whole
