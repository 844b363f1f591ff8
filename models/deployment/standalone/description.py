"""What a shipped model's `model.json` says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.resizing import Resizing

RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}
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
        self.resize_mode = one_of(values["resize_mode"], ("letterbox", "stretch", "line"))
        self.alignment = one_of(values["alignment"], ("centre", "top-left"))
        red, green, blue = map(int, values["fill"])
        self.fill = (red, green, blue)
        self.interpolation = one_of(values["interpolation"], _INTERPOLATIONS)


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
    postprocessing: Mapping[str, Any]
    """As the family wrote it, with all defaults."""


def read_description(folder: Path, family: str) -> Description:
    """Read the `model.json` of a shipped model.

    Args:
        folder: holds it.
        family: that the model must be of.

    Raises:
        ValueError: it is missing, damaged, of another family or from another version.
    """
    with reading(folder) as found:
        return _description(folder, found, family)


@contextmanager
def reading(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Open `model.json`, and say in one line what is wrong with it inside the block.

    Raises:
        ValueError: it is missing or isn't what it should be.
    """
    card = folder / "model.json"
    try:
        yield json.loads(card.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{card} can't be read: {error.strerror}") from error
    except KeyError as error:
        raise ValueError(f"{card}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{card} isn't what it should be: {error}") from error


def _description(folder: Path, found: Mapping[str, Any], family: str) -> Description:
    if found["schema"] != 1 or found["family"] != family:
        raise ValueError(f"expected a model for {family} with schema 1")
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
        postprocessing=dict(found["postprocessing"]),
    )


def one_of(value: Any, known: Sequence[str]) -> str:
    """Check a word.

    Raises:
        ValueError: it's none of the known ones.
    """
    if value not in known:
        raise ValueError(f"expected one of {', '.join(known)}, got '{value}'")
    return str(value)
