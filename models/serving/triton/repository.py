"""Writes a model package as a model of a Triton model repository.

See github.com/triton-inference-server/server (docs/user_guide/model_repository.md and
model_configuration.md).
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from models.package import ModelPackage
from models.package.card import Artifact, Format, ModelCard, Precision
from models.package.folder import CARD

Backend = Literal["onnxruntime", "openvino", "python"]
Runtime = Literal["onnxruntime", "openvino"]
CONFIG = "config.pbtxt"
_FORMATS: dict[str, Format] = {"onnxruntime": "onnx", "openvino": "openvino"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KINDS = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "gpu": "KIND_GPU"}


@dataclass(frozen=True)
class TritonModel:
    """How Triton is to run a model."""

    name: str = "model"
    """Folder in the repository, and name in addresses."""
    backend: Backend = "onnxruntime"
    """Triton's own for ONNX or OpenVINO files, or Python code that runs one of them."""
    runtime: Runtime | None = None
    """For the Python backend; None takes the first of the two that the package has files for."""
    precision: Precision | None = None
    """Which artifact; None takes the first of the format."""
    batch: int = 8
    """Most pictures that Triton puts together."""
    max_wait_ms: float = 2.0
    """How long an incomplete batch waits, milliseconds."""
    instances: int = 1
    """Copies of the network that run side by side."""
    threads: int | None = None
    """CPU threads of each; None leaves it to the runtime."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where they run; `auto` takes GPUs if the backend can."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name={self.name}: expected letters, digits, '.', '_' and '-', and none of the "
                f"last three in front"
            )
        for name in ("batch", "instances"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads}: expected at least 1")
        if not 0 <= self.max_wait_ms <= 60_000:
            raise ValueError(f"max_wait_ms={self.max_wait_ms}: expected 0 to 60000")
        if self.runtime is not None and self.backend != "python":
            raise ValueError(f"runtime={self.runtime}: only the backend python has a choice")
        if self.device == "gpu" and self.backend != "onnxruntime":
            raise ValueError(f"device=gpu: the backend {self.backend} runs on the CPU here")


def write_model(package: ModelPackage, repository: Path, model: TritonModel) -> Path:
    """Add a model to a repository; it appears whole or not at all.

    The folder holds `config.pbtxt`, the package's `model.json`, and the files as version 1.

    Args:
        package: exported for what the backend runs.
        repository: folder, made if need be.
        model: how Triton is to run it.

    Returns:
        The model's folder.

    Raises:
        ValueError: the repository has a model of this name, or the package no such files.
    """
    target = repository / model.name
    if target.exists():
        raise ValueError(f"{target} exists already: remove it, or choose another name")
    runtime = _runtime(package, model)
    artifact = package.artifact(_FORMATS[runtime], model.precision)
    if artifact.batch is not None:
        raise ValueError(
            f"{package.folder}: '{artifact.file}' takes {artifact.batch} pictures at once, and "
            f"Triton gives it any number: export the model for any number"
        )
    repository.mkdir(parents=True, exist_ok=True)
    draft = repository / f".{model.name}.{uuid4().hex}"
    try:
        version = draft / "1"
        version.mkdir(parents=True)
        _copy_files(package, artifact, version)
        if model.backend == "python":
            shutil.copyfile(Path(__file__).with_name("python_model.py"), version / "model.py")
        (draft / CARD).write_text(package.card.text(), encoding="utf-8")
        (draft / CONFIG).write_text(config_text(package.card, model, runtime), encoding="utf-8")
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def config_text(card: ModelCard, model: TritonModel, runtime: Runtime) -> str:
    """Write the content of `config.pbtxt`."""
    inputs = _tensors("input", [(card.input.name, "TYPE_UINT8", card.input.shape[1:])])
    outputs = _tensors("output", [(one.name, "TYPE_FP32", one.shape[1:]) for one in card.outputs])
    kind = "cpu" if model.backend != "onnxruntime" else model.device
    lines = [
        f'name: "{model.name}"',
        f'backend: "{model.backend}"',
        f"max_batch_size: {model.batch}",
        inputs,
        outputs,
        f"dynamic_batching {{ max_queue_delay_microseconds: {round(model.max_wait_ms * 1000)} }}",
        f"instance_group [ {{ count: {model.instances} kind: {_KINDS[kind]} }} ]",
    ]
    if model.backend == "openvino":
        lines.append('default_model_filename: "model.xml"')
    parameters = {}
    if model.backend == "python":
        parameters = {"runtime": runtime, "threads": str(model.threads or 0)}
    elif model.threads is not None:
        name = {"onnxruntime": "intra_op_thread_count", "openvino": "INFERENCE_NUM_THREADS"}
        parameters = {name[model.backend]: str(model.threads)}
    lines += [
        f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
        for key, value in parameters.items()
    ]
    return "\n".join(lines) + "\n"


def _tensors(what: str, tensors: list[tuple[str, str, tuple[int | str, ...]]]) -> str:
    entries = ",\n".join(
        f'  {{ name: "{_quoted(name)}" data_type: {kind} '
        f"dims: [{', '.join(str(size) for size in shape)}] }}"
        for name, kind, shape in tensors
    )
    return f"{what} [\n{entries}\n]"


def _quoted(text: str) -> str:
    """Escape for a protobuf text; a tensor's name comes from a file that others wrote."""
    if any(ord(sign) < 32 for sign in text):
        raise ValueError(f"model.json: the tensor name {text!r} holds a control character")
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _runtime(package: ModelPackage, model: TritonModel) -> Runtime:
    if model.backend != "python":
        return model.backend
    if model.runtime is not None:
        return model.runtime
    have = {artifact.format for artifact in package.card.artifacts}
    return "onnxruntime" if "onnx" in have or "openvino" not in have else "openvino"


def _copy_files(package: ModelPackage, artifact: Artifact, version: Path) -> None:
    """Copy an artifact's files under the names by which Triton finds them."""
    main = Path(artifact.file)
    for entry in artifact.files:
        name = Path(entry.file)
        # Both files of OpenVINO share a stem; others are named inside the first one.
        if name.with_suffix("") == main.with_suffix(""):
            wanted = Path("model" + name.suffix)
        else:
            wanted = Path(os.path.relpath(name, main.parent))
            if ".." in wanted.parts:
                raise ValueError(f"{package.folder}: '{name}' doesn't lie beside '{main}'")
        (version / wanted).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.sources[entry.file], version / wanted)
