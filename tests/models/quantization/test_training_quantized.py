"""Training with rounding in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nncf
import numpy as np
import pytest
import torch

from models.families import family
from models.package import ModelPackage
from models.package.weights import read_weights
from models.quantization.calibration import Calibration
from models.quantization.options import QuantizeOptions
from models.quantization.training import train_quantized
from models.reporting import Silence

DETECTION = family("detection")


def trained_on(
    package: Path, squares: Path, scratch: Path, listener: Silence, **training: Any
) -> tuple[ModelPackage, ModelPackage]:
    source = ModelPackage.load(package)
    values = {"method": "training", "training": {"epochs": 1, "batch_size": 4, **training}}
    options = QuantizeOptions.model_validate(values)
    chosen = Calibration(DETECTION, source.card, squares, 4)
    found = train_quantized(
        DETECTION, source, squares, chosen, options, scratch / "training", listener
    )
    return source, found


@pytest.mark.slow  # compiles NNCF's rounding the first time, a minute or two
@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", ["dfine", "yolox-nano"])
def test_weights_learn_and_go_back_into_the_network_as_it_was(
    network: str,
    trained: Path,
    squares: Path,
    tmp_path: Path,
    listener: Any,
) -> None:
    torch.set_num_threads(1)
    package = trained if network == "dfine" else untrained_yolox(tmp_path, squares)
    source, found = trained_on(package, squares, tmp_path, listener, max_steps=3, lr=1e-3)
    before, after = read_weights(source), read_weights(found)
    assert before.keys() == after.keys()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(moved) > 0.5 * len(before)
    assert any("with rounding in place, on val: " in line for line in listener.lines)
    assert any("for 3 steps" in line for line in listener.lines)
    # The package it came from is untouched, and the new one runs.
    assert read_weights(ModelPackage.load(package)).keys() == before.keys()
    DETECTION.network(found.card, after)


def untrained_yolox(folder: Path, squares: Path) -> Path:
    from models.outcomes import Checkpoints

    options = {
        "network": {"name": "yolox-nano", "image_size": 64},
        "epochs": 1,
        "max_steps": 2,
        "batch_size": 4,
        "device": "cpu",
        "precision": "float32",
        "samples": {"count": 0},
    }
    wanted = DETECTION.train_options.model_validate(options)
    checkpoints = Checkpoints(folder / "yolox", None, lambda _: None)
    return DETECTION.train(squares, wanted, checkpoints, Silence()).package


def test_what_nncf_cannot_trace_is_one_line(
    trained: Path, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such\n  node")

    monkeypatch.setattr(nncf, "quantize", fail)
    with pytest.raises(ValueError) as caught:
        trained_on(trained, squares, tmp_path, Silence())
    assert str(caught.value) == (
        "NNCF can't trace 'dfine' for training with rounding (no such node); use "
        "method=post-training"
    )


def test_finetuning_wants_the_models_classes(trained: Path, squares: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(trained)
    other = package.card.model_copy(update={"classes": package.card.classes[::-1]})
    network = DETECTION.network(package.card, read_weights(package))
    options = QuantizeOptions().training
    with pytest.raises(ValueError, match="the model knows the classes blue, red"):
        DETECTION.finetune(other, network, squares, options, tmp_path, Silence())


def test_finetuning_learns_as_fast_and_as_long_as_it_is_told(
    trained: Path, squares: Path, tmp_path: Path, listener: Any
) -> None:
    torch.set_num_threads(1)
    package = ModelPackage.load(trained)
    weights = read_weights(package)
    distances = []
    for run, (lr, steps, batch, epochs) in enumerate([(1e-9, 2, 2, 1), (1e-4, 2, 4, 1)]):
        network = DETECTION.network(package.card, weights)
        options = QuantizeOptions.model_validate(
            {"training": {"lr": lr, "max_steps": steps, "batch_size": batch, "epochs": epochs}}
        )
        figures = DETECTION.finetune(
            package.card, network, squares, options.training, tmp_path / str(run), listener
        )
        assert figures["mAP"] > 0
        moved = dict(network.named_parameters())
        change = [
            float((moved[name].detach() - weights[name]).abs().max())
            for name in moved
            if name in weights
        ]
        distances.append(np.max(change))
    assert distances[0] < 1e-6 < distances[1]
    starts = [line for line in listener.lines if "steps on" in line]
    assert "for 2 steps" in starts[0] and "batches of 2" in starts[0]
    assert "batches of 4" in starts[1]
