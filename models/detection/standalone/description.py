"""What a shipped detector's `model.json` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.detection.detections import Detections
from models.detection.postprocessing.candidates import Tensors, dense_candidates, query_candidates
from models.resizing import Resizing

RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}
_CANDIDATES: dict[str, tuple[Callable[..., list[Detections]], tuple[str, ...]]] = {
    "detr": (query_candidates, ("max_detections",)),
    "dense": (
        dense_candidates,
        ("least_score", "candidates_before_nms", "nms_iou", "max_detections"),
    ),
}
_INTERPOLATIONS = ("mipmap", "linear", "area")


class Input(Resizing):
    """Brings pictures to the network's input size."""

    height: int
    width: int
    resize_mode: str
    alignment: str
    fill: tuple[int, int, int]
    interpolation: str

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.height, self.width = int(values["height"]), int(values["width"])
        self.resize_mode = _one_of(values["resize_mode"], ("letterbox", "stretch", "line"))
        self.alignment = _one_of(values["alignment"], ("centre", "top-left"))
        red, green, blue = map(int, values["fill"])
        self.fill = (red, green, blue)
        self.interpolation = _one_of(values["interpolation"], _INTERPOLATIONS)


class Candidates:
    """Picks what may be an object out of the network's output tensors."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        kind = _one_of(values["kind"], tuple(_CANDIDATES))
        self._pick, names = _CANDIDATES[kind]
        self._settings: dict[str, Any] = {name: values[name] for name in names}

    def __call__(self, outputs: Tensors) -> list[Detections]:
        """For each picture, the surest first; boxes are shares of the input."""
        return self._pick(outputs, **self._settings)


@dataclass(frozen=True)
class Description:
    """The parts of `model.json` that are needed to predict."""

    file: Path
    """To open."""
    runtime: str
    """`onnxruntime` or `openvino`."""
    classes: Sequence[str]
    """Names by class index."""
    ids: Sequence[int | None]
    """Category ids of the dataset by class index, where it had some."""
    threshold: float
    """Of the classes that have none of their own."""
    thresholds: Sequence[float]
    """By class index."""
    outputs: Sequence[str]
    input: Input
    candidates: Candidates


def read_description(folder: Path) -> Description:
    """Read the `model.json` of a shipped detector.

    Raises:
        ValueError: it is missing, damaged or from another version.
    """
    card = folder / "model.json"
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
        return _description(folder, found)
    except OSError as error:
        raise ValueError(f"{card} can't be read: {error.strerror}") from error
    except KeyError as error:
        raise ValueError(f"{card}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{card} isn't what it should be: {error}") from error


def _description(folder: Path, found: Mapping[str, Any]) -> Description:
    if found["schema"] != 1 or found["family"] != "detection":
        raise ValueError("expected a detector with schema 1")
    (artifact,) = found["artifacts"]
    for one in artifact["files"]:
        path = folder / one["file"]
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"'{one['file']}' leads out of the folder")
        if not path.is_file() or path.stat().st_size != one["bytes"]:
            raise ValueError(
                f"'{one['file']}' is missing or damaged: it should have {one['bytes']} bytes"
            )
    classes = [str(entry["name"]) for entry in found["classes"]]
    own = found["threshold"]["per_class"]
    value = float(found["threshold"]["value"])
    return Description(
        file=folder / artifact["files"][0]["file"],
        runtime=RUNTIMES[artifact["format"]],
        classes=classes,
        ids=[entry.get("id") for entry in found["classes"]],
        threshold=value,
        thresholds=[float(own.get(name, value)) for name in classes],
        outputs=[str(output["name"]) for output in found["outputs"]],
        input=Input(found["preprocessing"]),
        candidates=Candidates(found["postprocessing"]),
    )


def _one_of(value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"expected one of {', '.join(known)}, got '{value}'")
    return str(value)
