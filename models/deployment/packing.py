"""Pack a model package with the code that runs it."""

from __future__ import annotations

import importlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from models.deployment.entry import Standalone
from models.deployment.modules import shipped_modules
from models.deployment.readme import readme, requirements, weights_licence
from models.deployment.standalone.model import StandaloneModel
from models.families import family
from models.package import ModelCard, ModelPackage
from models.package.archive import write_zip
from models.package.card import Artifact, Format, Precision

CODE = "sightline_model"
"""Name of the shipped Python package."""
FORMATS: dict[str, Format] = {"onnxruntime": "onnx", "openvino": "openvino"}
"""What each runtime that needs no PyTorch opens."""
_COMMAND = "models.deployment.standalone.predict"
_MARK = f"{CODE}/__init__.py"
_SCRIPT = f'''"""Run the model over pictures: python predict.py --help."""

import sys
from pathlib import Path

# Also under `python -I`, which leaves the script's folder out.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from {CODE} import Model
from {CODE}.predict import main

if __name__ == "__main__":
    sys.exit(main(Model))
'''
_INIT = '''"""A trained model that predicts with NumPy, OpenCV and one runtime alone."""

from .{result_module} import {result}
from .{model_module} import {model} as Model

__all__ = ["{result}", "Model"]
'''


@dataclass(frozen=True)
class Deployment:
    """What was packed."""

    path: Path
    """The zip, or the folder."""
    name: str
    """The model's; in a zip also the folder that everything lies in."""
    artifact: str
    """The file of the model package that is inside."""
    runtime: str
    bytes: int
    """Of all files together."""


def pack(
    package: ModelPackage,
    out: Path,
    *,
    runtime: str | None = None,
    precision: Precision | None = None,
    documents: Mapping[str, str] | None = None,
) -> Deployment:
    """Write a zip or folder that predicts with one runtime, NumPy and OpenCV alone.

    The same package gives the same bytes. It appears whole or not at all.

    Args:
        package: with an ONNX or OpenVINO form.
        out: a name with `.zip` becomes a zip, in place of an earlier one from here; any other a
            folder, which must be empty or not there yet.
        runtime: `onnxruntime` or `openvino`; None takes the first that the package has a form for.
        precision: of the form; None takes the first.
        documents: further texts by file name, such as a model card.

    Raises:
        ValueError: no such form, a model that can't be packed, or something else lies at `out`.
    """
    runtime = runtime or _offered(package)
    if runtime not in FORMATS:
        raise ValueError(f"runtime={runtime}: expected one of {', '.join(FORMATS)}")
    card = package.card
    standalone = family(card.family).standalone(card)
    artifact = package.artifact(FORMATS[runtime], precision)
    card = card.model_copy(update={"postprocessing": dict(standalone.postprocessing)})
    _check_target(out)
    name = _plain(card.lineage.dataset.name or f"{card.family}-model")
    texts = {
        **_code(standalone),
        "README.md": readme(name, card, standalone, artifact, runtime),
        "requirements.txt": requirements(runtime),
        "LICENSE": _licence(),
        "LICENSE-WEIGHTS.txt": weights_licence(card),
        **(documents or {}),
    }
    _check_names(artifact, texts)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(package, card, artifact, texts, draft)
        _check_readable(draft, standalone)
        files = sorted(path for path in draft.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        if out.suffix.lower() == ".zip":
            names = {f"{name}/{path.relative_to(draft).as_posix()}": path for path in files}
            write_zip(names, out)
        else:
            draft.chmod(0o755)
            draft.replace(out)  # on POSIX this also takes the place of an empty folder
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Deployment(out, name, artifact.file, runtime, size)


def _offered(package: ModelPackage) -> str:
    have = {artifact.format for artifact in package.card.artifacts}
    for runtime, form in FORMATS.items():
        if form in have:
            return runtime
    raise ValueError(
        f"{package.folder} has no ONNX or OpenVINO form, it has: {', '.join(sorted(have))}; run "
        f"the export stage on the model first"
    )


def _code(standalone: Standalone) -> dict[str, str]:
    model_module, model = standalone.model.split(":")
    result_module, result = standalone.result.split(":")
    modules = shipped_modules(_COMMAND, model_module, result_module)
    start = _INIT.format(
        model_module=model_module.rpartition(".")[2],
        model=model,
        result_module=result_module.rpartition(".")[2],
        result=result,
    )
    return {
        "predict.py": _SCRIPT,
        _MARK: start,
        **{f"{CODE}/{name}": text for name, text in modules.items()},
    }


def _write(
    package: ModelPackage,
    card: ModelCard,
    artifact: Artifact,
    texts: Mapping[str, str],
    to: Path,
) -> None:
    for file in artifact.files:
        target = to / file.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.sources[file.file], target)
    for name, text in texts.items():
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    alone = card.model_copy(update={"artifacts": (artifact,)})
    (to / "model.json").write_text(alone.text(), encoding="utf-8", newline="\n")
    ModelPackage.load(to)  # the copies are what the card says they are


def _check_readable(folder: Path, standalone: Standalone) -> None:
    """Make sure that the shipped code understands this model, before anybody gets it."""
    module, name = standalone.model.split(":")
    model: type[StandaloneModel[Any]] = getattr(importlib.import_module(module), name)
    try:
        model.check(folder)
    except ValueError as error:
        line = str(error).replace(f"{folder}/", "")
        raise ValueError(f"this model can't be packaged: {line}") from error


def _check_target(out: Path) -> None:
    if out.suffix.lower() == ".zip":
        if out.exists() and not _ours(out):
            raise ValueError(f"{out} exists and is no packaged model; choose another name")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty; choose a new folder, or a name that ends in .zip")


def _ours(archive: Path) -> bool:
    try:
        with zipfile.ZipFile(archive) as zipped:
            return any(name.endswith(f"/{_MARK}") for name in zipped.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _check_names(artifact: Artifact, texts: Mapping[str, str]) -> None:
    """Keep files of a package from taking the place of the code."""
    taken = {name.casefold() for name in (*texts, "model.json")}
    for file in artifact.files:
        name = file.file.casefold()
        if name in taken or name.partition("/")[0] == CODE:
            raise ValueError(f"the model's file '{file.file}' has the name of a file of the code")


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "model"


def _licence() -> str:
    beside = Path(__file__).resolve().parents[2] / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    text = distribution("sightline").read_text("licenses/LICENSE")
    if text is None:
        raise RuntimeError("the licence of this installation is missing")
    return text
