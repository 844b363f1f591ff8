"""Model repositories as Triton reads them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from models.package import ModelPackage
from models.runtimes import load_predictor
from models.serving.triton.repository import TritonModel, write_model
from pipelines.cli import main

# What Triton puts beside the Python backend: as much of it as the model uses.
_STAND_IN = """
class Tensor:
    def __init__(self, name, array):
        self.name, self.array = name, array
    def as_numpy(self):
        return self.array
class TritonError:
    def __init__(self, message):
        self.message = message
class InferenceResponse:
    def __init__(self, output_tensors=(), error=None):
        self.tensors, self.error = output_tensors, error
def get_input_tensor_by_name(request, name):
    return {tensor.name: tensor for tensor in request}[name]
"""


def config(folder: Path) -> Any:
    """Read `config.pbtxt` by Triton's own schema, which refuses unknown fields."""
    import tritonclient
    from google.protobuf import text_format

    file = Path(tritonclient.__file__).parent / "grpc" / "model_config_pb2.py"
    found = importlib.util.spec_from_file_location("model_config_pb2", file)
    assert found and found.loader
    schema = importlib.util.module_from_spec(found)
    found.loader.exec_module(schema)
    return text_format.Parse((folder / "config.pbtxt").read_text(), schema.ModelConfig())


@pytest.mark.parametrize(
    ("backend", "files", "kind", "parameters"),
    [
        ("onnxruntime", {"model.onnx"}, "KIND_GPU", {"intra_op_thread_count": "3"}),
        ("openvino", {"model.xml", "model.bin"}, "KIND_CPU", {"INFERENCE_NUM_THREADS": "3"}),
        (
            "python",
            {"model.onnx", "model.py"},
            "KIND_CPU",
            {"runtime": "onnxruntime", "threads": "3"},
        ),
    ],
)
def test_what_is_written(
    exported: Path, tmp_path: Path, backend: Any, files: set[str], kind: str, parameters: Any
) -> None:
    model = TritonModel(
        name="squares",
        backend=backend,
        batch=5,
        max_wait_ms=1.5,
        instances=2,
        threads=3,
        device="gpu" if backend == "onnxruntime" else "auto",
    )
    package = ModelPackage.load(exported)
    folder = write_model(package, tmp_path / "repository", model)
    assert folder == tmp_path / "repository" / "squares"
    assert {path.name for path in (folder / "1").iterdir()} == files
    assert sorted(path.name for path in folder.parent.iterdir()) == ["squares"]
    assert json.loads((folder / "model.json").read_text())["family"] == "detection"
    found = config(folder)
    assert (found.name, found.backend, found.max_batch_size) == ("squares", backend, 5)
    (image,) = found.input
    assert (image.name, list(image.dims)) == ("images", [96, 96, 3])
    assert [(one.name, list(one.dims)) for one in found.output] == [
        (one.name, list(one.shape[1:])) for one in package.card.outputs
    ]
    assert found.dynamic_batching.max_queue_delay_microseconds == 1500
    (group,) = found.instance_group
    assert (group.count, group.Kind.Name(group.kind)) == (2, kind)
    assert {key: value.string_value for key, value in found.parameters.items()} == parameters
    plain = write_model(package, tmp_path / "plain", TritonModel(backend=backend))
    left = config(plain)
    assert left.max_batch_size == 8
    assert "threads" not in left.parameters or left.parameters["threads"].string_value == "0"


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_python_backends_code_says_the_same(
    exported: Path, tmp_path: Path, runtime: Any
) -> None:
    """In a process without our code, on requests of several clients."""
    package = ModelPackage.load(exported)
    model = TritonModel(backend="python", runtime=runtime, threads=1)
    folder = write_model(package, tmp_path / "repository", model)
    (tmp_path / "triton_python_backend_utils.py").write_text(_STAND_IN)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    code = f"""
import json, sys
sys.path[:0] = [{str(tmp_path)!r}, {str(folder / "1")!r}]
import numpy as np, triton_python_backend_utils as triton
from model import TritonPythonModel
pictures = np.load({str(tmp_path / "pictures.npy")!r})
model = TritonPythonModel()
given = dict(runtime=dict(string_value={runtime!r}), threads=dict(string_value="1"))
model.initialize(dict(model_repository={str(folder)!r}, model_version="1",
    model_config=json.dumps(dict(parameters=given))))
requests = [[triton.Tensor("images", part)] for part in (pictures[:1], pictures[1:])]
answers = model.execute(requests)
assert not any(answer.error for answer in answers)
for i, name in enumerate(tensor.name for tensor in answers[0].tensors):
    parts = [answer.tensors[i].as_numpy() for answer in answers]
    assert [len(part) for part in parts] == [1, 2]
    np.save({str(tmp_path)!r} + "/" + name + ".npy", np.concatenate(parts))
model._run = lambda inputs: 1 / 0
broken = model.execute(requests)
assert [answer.error.message for answer in broken] == ["division by zero"] * 2
assert not {{"models", "torch", "pydantic"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path, timeout=120)
    with load_predictor(exported, runtime, "cpu", 1) as local:
        expected = local.engine(pictures)
    for output, array in zip(package.card.outputs, expected, strict=True):
        assert np.abs(np.load(tmp_path / f"{output.name}.npy") - array).max() < 1e-4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "../x"], "name=../x: expected letters"),
        (["--name", "taken"], "exists already: remove it, or choose another name"),
        (["--runtime", "openvino"], "only the backend python has a choice"),
        (["--backend", "openvino", "--device", "gpu"], "runs on the CPU"),
        (["--precision", "int8"], "has no onnx int8 artifact"),
    ],
)
def test_mistakes(exported: Path, tmp_path: Path, options: list[str], words: str) -> None:
    (tmp_path / "taken").mkdir()
    done = CliRunner().invoke(main, ["triton", "make", str(exported), str(tmp_path), *options])
    assert done.exit_code == 1
    assert words in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_the_command(exported: Path, tmp_path: Path) -> None:
    options = ["--backend", "openvino", "--name", "m", "--batch", "3", "--max-wait-ms", "0.5"]
    options += ["--instances", "4", "--threads", "2", "--device", "cpu", "--precision", "float32"]
    done = CliRunner().invoke(
        main, ["triton", "make", str(exported), str(tmp_path / "new" / "repository"), *options]
    )
    assert done.exit_code == 0, done.output
    folder = tmp_path / "new" / "repository" / "m"
    assert f"{folder}: 1/model.bin, 1/model.xml, config.pbtxt, model.json" in done.output
    found = config(folder)
    assert (found.max_batch_size, found.instance_group[0].count) == (3, 4)
    assert found.dynamic_batching.max_queue_delay_microseconds == 500
    assert found.default_model_filename == "model.xml"


def test_a_graph_of_a_fixed_batch_is_refused(exported: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)
    artifacts = tuple(one.model_copy(update={"batch": 4}) for one in package.card.artifacts)
    fixed = replace(package, card=package.card.model_copy(update={"artifacts": artifacts}))
    with pytest.raises(ValueError, match=r"'model\.onnx' takes 4 pictures at once"):
        write_model(fixed, tmp_path, TritonModel())
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_tensor_name_stays_a_name(exported: Path, tmp_path: Path) -> None:
    from models.serving.triton.repository import config_text

    card = ModelPackage.load(exported).card
    name = 'x" } ] backend: "evil'
    evil = card.model_copy(update={"input": card.input.model_copy(update={"name": name})})
    (tmp_path / "config.pbtxt").write_text(config_text(evil, TritonModel(), "onnxruntime"))
    found = config(tmp_path)
    assert (found.input[0].name, found.backend) == (name, "onnxruntime")
