from __future__ import annotations

import pytest
import torch

from models.training import devices as subject
from models.training.devices import Device, choose_device
from models.training.options import TrainingOptions


def machine(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, bf16: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


@pytest.mark.parametrize(
    ("cuda", "bf16", "options", "accelerator", "precision"),
    [
        (False, True, {}, "cpu", "bf16-mixed"),
        (False, False, {}, "cpu", "32-true"),
        (False, False, {"precision": "bf16"}, "cpu", "bf16-mixed"),
        (False, True, {"precision": "float32"}, "cpu", "32-true"),
        (True, True, {}, "cuda", "bf16-mixed"),
        (True, False, {}, "cuda", "16-mixed"),
        (True, True, {"precision": "fp16"}, "cuda", "16-mixed"),
        (True, True, {"device": "cpu"}, "cpu", "bf16-mixed"),
    ],
)
def test_choice(
    monkeypatch: pytest.MonkeyPatch,
    cuda: bool,
    bf16: bool,
    options: dict[str, object],
    accelerator: str,
    precision: str,
) -> None:
    machine(monkeypatch, cuda=cuda, bf16=bf16)
    found = choose_device(TrainingOptions.model_validate(options))
    assert (found.accelerator, found.precision) == (accelerator, precision)
    assert found.trainer_arguments()["strategy"] == "auto"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"device": "cuda"}, "no CUDA GPU is visible"),
        ({"precision": "fp16"}, "fp16 needs a GPU"),
    ],
)
def test_what_the_machine_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], line: str
) -> None:
    machine(monkeypatch, cuda=False, bf16=True)
    with pytest.raises(ValueError, match=line):
        choose_device(TrainingOptions.model_validate(options))


def test_torchrun_spreads_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=False, bf16=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    found = choose_device(TrainingOptions())
    assert (found.devices, found.nodes, found.world) == (2, 2, 4)
    assert found.trainer_arguments()["strategy"].startswith("ddp")


@pytest.mark.parametrize(
    ("accelerator", "workers", "cores", "expected"),
    [("cpu", "auto", 8, 0), ("cuda", "auto", 4, 3), ("cuda", "auto", 64, 8), ("cpu", 5, 2, 5)],
)
def test_workers(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, workers: object, cores: int, expected: int
) -> None:
    monkeypatch.setattr(subject.os, "sched_getaffinity", lambda _: set(range(cores)))
    options = TrainingOptions.model_validate({"workers": workers})
    assert Device(accelerator, "32-true", 1, 1).workers(options) == expected


@pytest.mark.parametrize("asked", ["devices", "nodes"])
def test_further_processes_that_nobody_started_are_pointed_out(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ValueError, match=f"{asked}=2: nobody started the other processes"):
        choose_device(TrainingOptions.model_validate({asked: 2, "device": "cpu"}))
