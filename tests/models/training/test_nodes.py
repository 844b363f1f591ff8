"""Two machines that train one model together: here two processes that share no disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.models.detection.conftest import write_shapes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
OPTIONS = {
    "epochs": 3,
    "batch_size": 4,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "samples": {"count": 0},
    "network": {
        "backbone": "test_resnet",
        "image_size": 64,
        "levels": 2,
        "hidden_width": 32,
        "decoder_layers": 2,
        "queries": 10,
        "denoising_queries": 8,
    },
}
NODE = """
import json, sys
from pathlib import Path
from models.detection.options import TrainOptions
from models.detection.train import learn
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.companions import together
from models.training.files import save_weights
from models.training.nodes import Node

node, dataset, folder, resume, stop_after, options = json.loads(sys.argv[1])
options = TrainOptions.model_validate(options)
asked = 0

def stop_requested():
    global asked
    asked += 1
    return 0 < stop_after < asked

mine = Checkpoints(Path(folder), resume and Path(resume), lambda _: None, stop_requested)
with together("detection", Path(dataset), options, mine, Node(*node)) as place:
    fitted = learn(Path(dataset), options, place, Silence())
save_weights(fitted.weights, Path(folder) / "ended-with.safetensors")
print(json.dumps([fitted.epochs, fitted.interrupted, str(place.resume)]))
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"train": 22, "val": 8}
    folder = write_shapes(tmp_path_factory.mktemp("shapes") / "data", sizes)
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**content, "pictures": sizes}))
    return folder


def train(
    folders: list[Path],
    dataset: Path,
    *,
    resume: Path | None = None,
    stop_after: int = 0,
    **more: Any,
) -> list[list[Any]]:
    """Train on as many machines as there are folders; only the first knows of a checkpoint."""
    port = free_port()
    processes = []
    for rank, folder in enumerate(folders):
        own = folder / "data"
        shutil.copytree(dataset, own, dirs_exist_ok=True)
        node = [rank, len(folders), "127.0.0.1", port if len(folders) > 1 else 0]
        checkpoint = str(resume) if resume and rank == 0 else None
        given = [node, str(own), str(folder / "training"), checkpoint]
        given += [stop_after if rank == 0 else 0, {**OPTIONS, **more}]
        (folder / "training").mkdir(exist_ok=True)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", NODE, json.dumps(given)],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    answers = []
    for process in processes:
        said, complaint = process.communicate(timeout=300)
        assert process.returncode == 0, complaint
        answers.append(json.loads(said.splitlines()[-1]))
    return answers


def weights(folder: Path) -> bytes:
    return (folder / "training" / "ended-with.safetensors").read_bytes()


def folders(place: Path, *names: str) -> list[Path]:
    made = [place / name for name in names]
    for folder in made:
        folder.mkdir()
    return made


def test_all_machines_end_with_the_weights_of_as_many_processes_on_one(
    dataset: Path, tmp_path: Path
) -> None:
    one, first, second = folders(tmp_path, "one", "first", "second")
    train([one], dataset, devices=2)
    answers = train([first, second], dataset, nodes=2)
    assert answers == [[3, False, "None"]] * 2
    assert weights(first) == weights(second) == weights(one)
    # Only the first one writes checkpoints.
    assert (first / "training" / "last.ckpt").is_file()
    assert not (second / "training" / "last.ckpt").exists()

    # Cut after the first epoch (3 batches a machine), and taken up by machines with empty disks.
    cut, lost = folders(tmp_path, "cut", "lost")
    answers = train([cut, lost], dataset, nodes=2, stop_after=4)
    assert [interrupted for _, interrupted, _ in answers] == [True, True]
    third, fourth = folders(tmp_path, "third", "fourth")
    checkpoint = tmp_path / "from-the-file-server.ckpt"
    shutil.copy2(cut / "training" / "last.ckpt", checkpoint)
    answers = train([third, fourth], dataset, nodes=2, resume=checkpoint)
    assert answers[0] == [3, False, str(checkpoint)]
    assert answers[1] == [3, False, str(fourth / "training" / "resume.ckpt")]
    assert weights(third) == weights(fourth) == weights(first)


def test_two_machines_with_two_processes_each(dataset: Path, tmp_path: Path) -> None:
    first, second = folders(tmp_path, "first", "second")
    answers = train([first, second], dataset, nodes=2, devices=2, epochs=2)
    assert [epochs for epochs, _, _ in answers] == [2, 2]
    assert weights(first) == weights(second)
