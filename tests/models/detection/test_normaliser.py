"""Two processes with half a batch each weigh objects as one process with the whole batch does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.detection.networks.building import build_network
from models.detection.networks.options import NetworkOptions

ROOT = Path(__file__).parents[3]
OBJECTS = (0, 1, 5, 2)
"""In each picture: the processes get one, and seven, of them."""
NETWORKS = ("yolox", "ssd", "atss")
SCRIPT = """
import json, pathlib, sys
from torch import distributed
from tests.models.detection.test_normaliser import losses
distributed.init_process_group("gloo")
rank = distributed.get_rank()
folder, *names = sys.argv[1:]
parts = {name: losses(name, [[0, 1], [2, 3]][rank]) for name in names}
pathlib.Path(folder, f"{rank}.json").write_text(json.dumps(parts))
distributed.destroy_process_group()
"""


def losses(name: str, pictures: list[int]) -> dict[str, float]:
    """The loss parts of some pictures, the same network in each process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = build_network(
        NetworkOptions(name=name, backbone="test_resnet", image_size=64, hidden_width=32), 3
    ).eval()
    rng = torch.Generator().manual_seed(1)
    every = torch.rand(len(OBJECTS), 3, 64, 64, generator=rng)
    boxes = [torch.rand(count, 4, generator=rng) * 0.3 + 0.3 for count in OBJECTS]
    labels = [torch.randint(0, 3, (count,), generator=rng) for count in OBJECTS]
    targets = [{"boxes": boxes[at], "class_labels": labels[at]} for at in pictures]
    with torch.no_grad():
        parts = network.losses(every[pictures], targets)
    return {part: float(value) for part, value in parts.items()}


def test_an_object_weighs_the_same_in_any_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--no-python"),
            *(sys.executable, "-c", SCRIPT, str(tmp_path), *NETWORKS),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    # A file each: what two processes print to one pipe can end up on one line.
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    for name in NETWORKS:
        whole = losses(name, [0, 1, 2, 3])
        for part, value in whole.items():
            assert one[name][part] != pytest.approx(other[name][part], rel=1e-2)
            mean = (one[name][part] + other[name][part]) / 2
            assert mean == pytest.approx(value, rel=1e-4), (name, part)
