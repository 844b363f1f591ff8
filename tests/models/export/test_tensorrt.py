"""TensorRT as far as it goes without a GPU: all up to the calls of the builder."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import models.export.tensorrt_format
import models.runtimes.tensorrt_engine
import models.runtimes.tensorrt_library
from models.export import ExportError, ExportOptions, export
from models.export.options import TensorRtOptions
from models.export.tensorrt_format import build, cast_first, plan_build
from models.export.tensorrt_precision import Wanted, check_precision, check_quantised, wanted
from models.package import Device, ModelCard, ModelPackage, NewArtifact
from models.reporting import Silence
from models.runtimes import load_predictor
from models.runtimes.tensorrt_library import check_built_here, major_of, this_device

HERE = Device(gpu="NVIDIA L4", compute_capability="8.9", tensorrt="10.16.1.11")


def float_graph(half: bool = False) -> Any:
    """Pixels, transposed before they are cast, then two products."""
    kind = np.float16 if half else np.float32
    names = ("first", "second")
    weights = [numpy_helper.from_array(np.ones((8, 8), kind), name) for name in names]
    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Transpose", ["images"], ["turned"], "turn", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Cast", ["float"], ["given"], "cast2", to=to),
        helper.make_node("MatMul", ["given", "first"], ["hidden"], "product1"),
        helper.make_node("MatMul", ["hidden", "second"], ["made"], "product2"),
        helper.make_node("Cast", ["made"], ["out"], "cast3", to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8, 8, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def quantised_graph(zero: int | None = 0, kind: Any = np.int8) -> Any:
    weights = [
        numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
        numpy_helper.from_array(np.ones((8, 8), np.int8), "stored"),
    ]
    third = []
    if zero is not None:
        weights.append(numpy_helper.from_array(np.array(zero, kind), "zero"))
        third = ["zero"]
    weights.append(numpy_helper.from_array(np.array(0, np.int8), "none"))
    nodes = [
        helper.make_node("QuantizeLinear", ["given", "scale", *third], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", *third], ["dq"], "dequantise"),
        helper.make_node("DequantizeLinear", ["stored", "scale", "none"], ["weight"], "weight"),
        helper.make_node("Transpose", ["weight"], ["turned"], "turn"),
        helper.make_node("MatMul", ["dq", "turned"], ["hidden"], "int8 product"),
        helper.make_node("MatMul", ["hidden", "weight"], ["out"], "float product"),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


# Precision: planned from the ONNX file, read back from the engine.


def test_the_graph_says_which_products_must_have_the_precision() -> None:
    assert wanted(float_graph(), "float32").products == {"product1", "product2"}
    assert wanted(float_graph(half=True), "float16").products == {"product1", "product2"}
    assert wanted(quantised_graph(), "int8").products == {"int8 product"}
    with pytest.raises(ExportError, match="no matrix product in float16 for TensorRT"):
        wanted(float_graph(), "float16")


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (quantised_graph(0, np.uint8), "'quantise' of the int8 ONNX file has uint8:"),
        (quantised_graph(3), "has int8 with another zero point:"),
        (quantised_graph(None), "'quantise' of the int8 ONNX file has uint8:"),
        (float_graph(), "no QuantizeLinear and DequantizeLinear pairs"),
    ],
)
def test_other_quantised_forms_are_refused(graph: Any, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        check_quantised(graph)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def layer(name: str, given: str, made: str, nodes: str = "") -> dict[str, Any]:
    """As the engine inspector tells it; with a context types are told in more words."""
    said = "\x1f".join(f"[ONNX Layer: {node}]" for node in nodes.split(",") if node)
    return {
        "Name": name,
        "LayerType": "gemm",
        "Inputs": [{"Name": "a", "Format/Datatype": given}],
        "Outputs": [{"Name": "b", "Format/Datatype": made}],
        "Metadata": said,
    }


def told(*layers: Any) -> str:
    return json.dumps({"Layers": layers, "Bindings": ["images"]})


FP16 = "Channel major FP16 format where channel % 8 == 0"
TWO = frozenset({"product1", "product2"})


@pytest.mark.parametrize(
    ("precision", "information", "counts"),
    [
        ("float32", told(layer("x", "Float", "Float"), layer("y", "UInt8", "Float")), 2),
        ("float16", told(layer("x", "Half", "Half", "product1,product2,add")), 1),
        (
            "float16",
            told(layer("product1 + relu", FP16, FP16), layer("product2", "Half", "Half")),
            2,
        ),
        ("int8", told(layer("x", "Row major Int8 format", "Float", "product1,product2")), 1),
    ],
)
def test_the_engine_that_was_asked_for_passes(
    precision: Any, information: str, counts: int
) -> None:
    assert check_precision(information, Wanted(precision, TWO))[precision] == counts


@pytest.mark.parametrize(
    ("precision", "information", "words"),
    [
        ("float32", told(layer("x", "Half", "Float")), "built other layers: 1 float16"),
        ("float32", told(layer("x", "BF16", "BF16")), "built other layers: 1 other"),
        (
            "float16",
            told(layer("x", "Float", "Float", "product1,product2")),
            "asked for float16 and built 0 of the 2 matrix products so (2 found); all layers: "
            "1 float32",
        ),
        (
            "int8",
            told(layer("x", "UInt8", "Half", "product1"), layer("y", "Int8", "Int8", "product2")),
            "built 1 of the 2",
        ),
        ("float16", told(layer("x", "Half", "Half", "another")), "(0 found)"),
        ("float16", told("x", "y"), "says nothing about the layers' precisions"),
        ("float16", "not JSON", "gave no list of layers"),
    ],
)
def test_another_engine_is_refused(precision: Any, information: str, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        check_precision(information, Wanted(precision, TWO))
    assert words in str(caught.value)


def test_pixels_become_float_before_they_are_moved() -> None:
    """TensorRT takes uint8 only into a cast."""
    before, after = float_graph(), cast_first(float_graph())
    assert [node.op_type for node in after.graph.node[:3]] == ["Cast", "Transpose", "Cast"]
    onnx.checker.check_model(after, full_check=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    # The products' own axes don't matter here: what comes in must be the same.
    results = [
        onnxruntime.InferenceSession(one.SerializeToString()).run(None, {"images": pixels[..., :]})
        for one in (_square(before), _square(after))
    ]
    assert (results[0][0] == results[1][0]).all()
    unchanged = quantised_graph()
    assert cast_first(quantised_graph()) == unchanged


def _square(model: Any) -> Any:
    """Let the graph end where the pixels are float."""
    del model.graph.node[3:]
    model.graph.node[2].output[0] = "out"
    return model


def test_a_shipped_network_starts_with_a_cast(exported: Path) -> None:
    graph = cast_first(onnx.load(exported / "model.onnx"))
    first = [node.op_type for node in graph.graph.node if "images" in node.input]
    assert first == ["Cast"]
    onnx.checker.check_model(graph, full_check=True)
    card = ModelPackage.load(exported).card
    noise = np.random.default_rng(0).integers(0, 256, (2, *card.input.shape[1:]), dtype=np.uint8)
    runs = [
        onnxruntime.InferenceSession(one).run(None, {"images": noise})
        for one in (exported / "model.onnx", graph.SerializeToString())
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(np.sort(one, 1), np.sort(other, 1), atol=1e-5)
    assert len(wanted(graph, "float32").products) > 20


# What the builder is told.


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


# The library and the GPU.


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


# Names, against the bindings that PyPI has.

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
