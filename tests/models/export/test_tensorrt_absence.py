"""TensorRT, its libraries or its GPU isn't there, or isn't the one an engine was built for."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

import models.export.tensorrt_format
from models.export import ExportOptions, export
from models.package import Device, ModelPackage, NewArtifact
from models.reporting import Silence
from models.runtimes import load_predictor
from models.runtimes.tensorrt_library import check_built_here, major_of, this_device

HERE = Device(gpu="NVIDIA L4", compute_capability="8.9", tensorrt="10.16.1.11")


@pytest.mark.parametrize("version", ["8.6.1", "9.0", "12.0.0", "next"])
def test_only_10_and_11_are_supported(version: str) -> None:
    with pytest.raises(ValueError, match="is not supported; use 10 or 11"):
        major_of(version)


def library_of(monkeypatch: pytest.MonkeyPatch, version: str = "10.16.1.11") -> None:
    module = types.ModuleType("tensorrt")
    module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", module)


def test_its_absence_is_one_line_each(
    exported: Path, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    package = with_engine(exported, tmp_path, HERE)
    options = ExportOptions(formats=("tensorrt-float16",))

    def both(words: str) -> None:
        for call in (
            lambda: export(exported, tmp_path / "out", squares, options, Silence()),
            lambda: load_predictor(package, "tensorrt"),
        ):
            with pytest.raises(ValueError) as caught:
                call()
            assert words in str(caught.value)
            assert "\n" not in str(caught.value)

    monkeypatch.setitem(sys.modules, "tensorrt", None)
    both("TensorRT is not installed here")
    # The bindings alone, as PyPI has them: importing them fails on NVIDIA's libraries.
    room = tmp_path / "bindings"
    room.mkdir()
    words = "libnvinfer.so.10: cannot open shared object file: No such file or directory"
    (room / "tensorrt.py").write_text(f"raise ImportError({words!r})")
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.syspath_prepend(room)
    both("but not its libraries (libnvinfer.so.10: cannot open")
    library_of(monkeypatch, "8.6.1")
    both("TensorRT 8.6.1 is not supported")
    library_of(monkeypatch)
    both("PyTorch sees no GPU number 0 on this machine")


def with_engine(package: Path, tmp_path: Path, device: Device | None) -> ModelPackage:
    plan = tmp_path / "model.plan"
    plan.write_bytes(b"engine")
    new = NewArtifact("tensorrt", {"tensorrt/model.plan": plan}, device=device)
    return ModelPackage.load(package).with_artifacts([new]).save(tmp_path / "package")


@pytest.mark.parametrize(
    "other",
    [
        {"gpu": "NVIDIA T4"},
        {"compute_capability": "7.5"},
        {"tensorrt": "10.16.1.12"},
        {"tensorrt": "11.4.0.106"},
    ],
)
def test_an_engine_runs_only_where_it_was_built(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    import torch

    library_of(monkeypatch)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA L4")
    assert this_device(sys.modules["tensorrt"]) == HERE
    built = HERE.model_copy(update=other)
    package = with_engine(exported, tmp_path, built)
    # What it was built for travels in model.json.
    assert ModelPackage.load(package.folder).card.artifacts[-1].device == built
    with pytest.raises(ValueError) as caught:
        load_predictor(package.folder, "tensorrt")
    words = str(caught.value)
    assert words.startswith(f"tensorrt/model.plan was built for {built.gpu} (")
    assert "this is NVIDIA L4 (8.9) with TensorRT 10.16.1.11; build it on this machine" in words
    assert "\n" not in words


def test_an_engine_of_unknown_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="doesn't say for which GPU it was built"):
        check_built_here("model.plan", None, HERE)
    check_built_here("model.plan", HERE, HERE)


@pytest.mark.parametrize("device", ["cpu", "cuda:x", "abacus"])
def test_it_runs_on_a_gpu(exported: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(ValueError, match=f"device={device}: TensorRT runs on a GPU"):
        load_predictor(with_engine(exported, tmp_path, HERE), "tensorrt", device)


def test_int8_needs_the_quantised_onnx(
    exported: Path, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.export.tensorrt_format, "check_tensorrt", lambda: None)
    options = ExportOptions(formats=("tensorrt-int8",))
    with pytest.raises(ValueError) as caught:
        export(exported, tmp_path / "out", squares, options, Silence())
    assert "tensorrt-int8 is built from the model's int8 ONNX" in str(caught.value)
    assert "run the quantize stage first" in str(caught.value)
