"""What TensorRT's builder is told, and by which names: without a GPU, and so without building."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import models.export.tensorrt_format
import models.runtimes.tensorrt_engine
import models.runtimes.tensorrt_library
from models.export import ExportError
from models.export.options import TensorRtOptions
from models.export.tensorrt_format import build, plan_build, write_tensorrt
from models.package import Device, ModelCard
from models.reporting import Silence


class Recorder:
    """Takes every call and attribute, and notes them; only the seam's own calls reach it."""

    def __init__(self, notes: list[str], name: str = "trt", results: Any = None) -> None:
        object.__setattr__(self, "_own", (notes, name, results or {}))

    def __getattr__(self, name: str) -> Any:
        notes, path, results = self._own
        whole = f"{path}.{name}"
        if whole in results:
            return results[whole]
        return Recorder(notes, whole, results)

    def __setattr__(self, name: str, value: Any) -> None:
        self._own[0].append(f"{name} = {value!r}")

    def __call__(self, *arguments: Any) -> Any:
        notes, path, results = self._own
        notes.append(f"{path.rpartition('.')[2]}{arguments!r}")
        if f"{path}()" in results:
            return results[f"{path}()"]
        return Recorder(notes, f"{path}()", results)

    def __int__(self) -> int:
        return 3

    def __repr__(self) -> str:
        return str(self._own[1]).rpartition(".")[2]


BUILT = {
    "trt.__version__": "10.16.1.11",
    "trt.OnnxParser().parse()": True,
    "trt.Builder().build_serialized_network()": b"engine",
    "trt.Runtime().deserialize_cuda_engine().create_engine_inspector().get_engine_information()": (
        '{"Layers": []}'
    ),
}


def notes_of(plan: Any, **results: Any) -> tuple[list[str], Any]:
    notes: list[str] = []
    return notes, build(Recorder(notes, results={**BUILT, **results}), plan, b"graph")


@pytest.mark.parametrize(
    ("version", "precision", "options", "batch", "there", "missing"),
    [
        (
            "10.16.1.11",
            "float16",
            {},
            None,
            [
                "create_network(8,)",
                "set_shape('images', (1, 64, 96, 3), (1, 64, 96, 3), (8, 64, 96, 3))",
                "profiling_verbosity = DETAILED",
                "parse(b'graph',)",
            ],
            ["clear_flag(TF32,)"],
        ),
        ("11.4.0.106", "float16", {}, None, ["create_network(0,)"], ["clear_flag(TF32,)"]),
        ("11.4.0.106", "float32", {}, None, ["clear_flag(TF32,)"], ["set_memory_pool_limit"]),
        (
            "11.4.0.106",
            "int8",
            {"max_batch": 32, "workspace_mb": 512},
            None,
            [
                "set_memory_pool_limit(WORKSPACE, 536870912)",
                "set_shape('images', (1, 64, 96, 3), (1, 64, 96, 3), (32, 64, 96, 3))",
            ],
            [],
        ),
        (
            "10.0.1",
            "float32",
            {"max_batch": 32},
            4,
            ["set_shape('images', (4, 64, 96, 3), (4, 64, 96, 3), (4, 64, 96, 3))"],
            [],
        ),
    ],
)
def test_the_builder_is_told_the_plan(
    card: ModelCard,
    version: str,
    precision: Any,
    options: dict[str, int],
    batch: int | None,
    there: list[str],
    missing: list[str],
) -> None:
    plan = plan_build(card, version, precision, TensorRtOptions(**options), batch)
    notes, made = notes_of(plan)
    assert made == (b"engine", '{"Layers": []}')
    for call in there:
        assert call in notes
    for call in missing:
        assert not any(note.startswith(call) for note in notes)
    # Flags that 11 dropped, and that would loosen the types in 10.
    assert not any("FP16" in note or "INT8" in note for note in notes)


def test_a_build_that_fails_gives_one_line(card: ModelCard) -> None:
    plan = plan_build(card, "11.4.0", "float16", TensorRtOptions(), None)
    for results, words in (
        (
            {
                "trt.OnnxParser().parse()": False,
                "trt.OnnxParser().num_errors": 1,
                "trt.OnnxParser().get_error().desc()": "no importer\nfor NonSense",
            },
            "can't read the ONNX graph: no importer for NonSense",
        ),
        ({"trt.Builder().build_serialized_network()": None}, "could not build the engine"),
        ({"trt.Runtime().deserialize_cuda_engine()": None}, "can't load the engine that it built"),
    ):
        with pytest.raises(ExportError) as caught:
            notes_of(plan, **results)  # type: ignore[arg-type]
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "built"), [("Half", True), ("Float", False)])
def test_an_engine_is_kept_only_at_its_precision(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, built: bool
) -> None:
    """All of `write_tensorrt` but the builder, which says that it built layers of `kind`."""
    weight = numpy_helper.from_array(np.ones((3, 4), np.float16), "weight")
    nodes = [
        helper.make_node("Cast", ["images"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["half", "weight"], ["made"], "product"),
        helper.make_node("Cast", ["made"], ["out"], to=TensorProto.FLOAT),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 64, 96, 3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 64, 96, 4])
    graph = helper.make_graph(nodes, "half", [images], [out], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "o")
    tensor = [{"Name": "t", "Format/Datatype": kind}]
    layer = {"Name": "product", "LayerType": "gemm", "Inputs": tensor, "Outputs": tensor}
    inspected = "trt.Runtime().deserialize_cuda_engine().create_engine_inspector()"
    told = {f"{inspected}.get_engine_information()": json.dumps({"Layers": [layer]})}
    notes: list[str] = []
    trt = Recorder(notes, results={**BUILT, **told})
    here = Device(gpu="NVIDIA L4", compute_capability="8.9", tensorrt="10.16.1.11")
    monkeypatch.setattr(models.export.tensorrt_format, "tensorrt_library", lambda: trt)
    monkeypatch.setattr(models.export.tensorrt_format, "this_device", lambda _: here)
    plan = tmp_path / "tensorrt" / "model.plan"

    def write() -> Device:
        options = TensorRtOptions()
        return write_tensorrt(card, tmp_path / "o", plan, "float16", options, None, Silence())

    if built:
        assert write() == here
        assert plan.read_bytes() == b"engine"
        assert "create_network(8,)" in notes
    else:
        with pytest.raises(ExportError, match="asked for float16 and built 0 of the 1"):
            write()
        assert not plan.exists()


MODULES = (
    models.export.tensorrt_format,
    models.runtimes.tensorrt_engine,
    models.runtimes.tensorrt_library,
)
OBJECTS = {"trt", "builder", "network", "parser", "config", "profile", "engine", "inspector"}
OBJECTS |= {"context", "_context", "_engine", "_runtime"}


def names_used() -> set[str]:
    """Names that the code asks of TensorRT's module and objects."""
    found = set()
    for module in MODULES:
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            below: Any = node.value
            while isinstance(below, ast.Call):
                below = below.func
            if _root(below) in OBJECTS:
                found.add(node.attr)
    return found - OBJECTS - {"__version__"}


def _root(node: Any) -> str:
    """`trt` of `trt.A.B`, `_engine` of `self._engine`."""
    while isinstance(node, ast.Attribute):
        if node.attr in OBJECTS:
            return str(node.attr)
        node = node.value
        while isinstance(node, ast.Call):
            node = node.func
    return node.id if isinstance(node, ast.Name) else ""


def test_the_names_used_are_found() -> None:
    assert {
        "STRONGLY_TYPED",
        "build_serialized_network",
        "desc",
        "execute_async_v3",
    } <= names_used()
    assert {"get_tensor_profile_shape", "JSON", "set_shape", "TF32", "Logger"} <= names_used()


@pytest.mark.slow
@pytest.mark.parametrize("major", [10, 11])
def test_the_bindings_have_the_names(major: int, tmp_path: Path) -> None:
    """The wheel is read, not imported: its libraries aren't on PyPI."""
    wanted_version = f"tensorrt-cu12-bindings>={major},<{major + 1}"
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(tmp_path)]
    done = subprocess.run([*fetch, wanted_version], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no {wanted_version} to be had: {done.stderr.strip()[-200:]}")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        library = next(n for n in archive.namelist() if re.search(r"tensorrt\.(so|pyd)$", n))
        there = set(re.findall(rb"[A-Za-z_][A-Za-z0-9_]*", archive.read(library)))
    missing = {name for name in names_used() if name.encode() not in there}
    assert missing == set()
    # What makes the two differ, and why the builder's flags are not used.
    assert (b"OBEY_PRECISION_CONSTRAINTS" in there) == (major == 10)
