"""Two processes on one CPU train one model, as several GPUs would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.detection.conftest import TINY

ROOT = Path(__file__).parents[3]

SCRIPT = """
import hashlib, json, os, sys, torch
from pathlib import Path
torch.set_num_threads(1)
from models.detection.options import TrainOptions
from models.families import family
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.files import LAST

class Count(Silence):
    points = 0
    def scalar(self, *_): self.points += 1

data, out, resume, options = sys.argv[1:]
count = Count()
place = Checkpoints(Path(out), Path(resume) if resume else None, lambda _: None)
done = family("detection").train(
    Path(data), TrainOptions.model_validate_json(options), place, count
)
torch.distributed.barrier()
held = torch.load(Path(out) / LAST, weights_only=True)
state = b"".join(v.numpy().tobytes() for _, v in sorted(held["state_dict"].items()))
(Path(out) / f"rank{os.environ['RANK']}.json").write_text(json.dumps({
    "metrics": done.metrics, "epochs": done.epochs,
    "points": count.points, "package": (done.package / "model.json").is_file(),
    "state": hashlib.sha256(state).hexdigest(),
}))
"""


def run(data: Path, out: Path, epochs: int, resume: str = "") -> list[dict[str, object]]:
    options = json.dumps({**TINY, "epochs": epochs, "accumulate": 2, "schedule": FLAT})
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--no-python", sys.executable, "-c", SCRIPT),
            *(str(data), str(out), resume, options),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # A file each: what two processes print to one pipe can end up on one line.
    return [json.loads((out / f"rank{rank}.json").read_text()) for rank in (0, 1)]


FLAT = {"name": "constant", "warmup": 0.0}


@pytest.mark.slow
def test_two_processes_train_one_model_and_resume_it(shapes: Path, tmp_path: Path) -> None:
    first, second = run(shapes, tmp_path / "whole", 2)
    assert first["metrics"] == second["metrics"]
    assert (first["epochs"], second["epochs"]) == (2, 2)
    assert first["package"]
    # One process reports.
    assert first["points"]
    assert not second["points"]

    run(shapes, tmp_path / "half", 1)
    resumed, _ = run(shapes, tmp_path / "rest", 2, str(tmp_path / "half" / "last.ckpt"))
    assert resumed["state"] == first["state"]
