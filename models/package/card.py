"""`model.json`: the schema of what a model package says about itself."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from models.preprocessing import Preprocessing

SCHEMA: Final = 1
"""Version of the schema. It grows when a package could be misread by code that knew it before."""

Format = Literal["safetensors", "onnx", "onnx-fused", "openvino", "tensorrt"]
"""`onnx-fused` has the postprocessor inside and other outputs than the rest, its family's."""
Precision = Literal["float32", "float16", "bfloat16", "int8", "mixed"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]


def _inside(name: str) -> str:
    """Refuse a file name that could lead out of the package's folder."""
    path = PurePosixPath(name)
    plain = path.as_posix() == name and not path.is_absolute() and name not in ("", ".")
    if not plain or ".." in path.parts or any(sign in name for sign in '\\:\0\n\r"<>|?*'):
        raise ValueError(f"'{name}' is no plain path below the package's folder")
    if path.parts[0].lower() == "model.json":
        raise ValueError("model.json is the description itself")
    return name


FileName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_inside)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )


class ModelClass(_Part):
    """What the network tells apart. Its place in the list is its index in the output."""

    name: Name
    id: int | None = None
    """Category id in the dataset, for results in that dataset's terms."""


class Input(_Part):
    """The one input tensor of every artifact."""

    name: Name = "images"
    shape: tuple[Literal["batch"], PositiveInt, PositiveInt, Literal[3]]
    """Batch (any size), height, width, channels."""
    layout: Literal["NHWC"] = "NHWC"
    channels: Literal["RGB"] = "RGB"
    dtype: Literal["uint8"] = "uint8"
    """Pixels as they are: normalisation is inside the artifacts."""


Size = Annotated[int, Field(ge=1, le=1 << 24)]
"""Of one axis of an output."""
_MOST_VALUES = 1 << 26
"""Of an output for one picture; 24,000 places with 80 classes are 2 million."""


class Output(_Part):
    """An output tensor of every artifact, in this order."""

    name: Name
    shape: Annotated[tuple[Literal["batch"] | Size, ...], Field(min_length=1, max_length=8)]
    dtype: Literal["float32", "int64"] = "float32"
    meaning: str = ""

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        values = math.prod(size for size in self.shape if size != "batch")
        if values > _MOST_VALUES:
            raise ValueError(f"'{self.name}' would have {values} values for each picture")
        return self


class Threshold(_Part):
    """The confidence from which a result counts, and how it was chosen."""

    value: Confidence = 0.5
    per_class: dict[str, Confidence] = Field(default_factory=dict)
    """By class name; a class not named here uses `value`."""
    metric: str | None = None
    """What was made greatest, such as `f1`; null when nobody chose yet."""
    result: float | None = None
    """The metric's value at this threshold."""
    iou: Confidence | None = None
    """IoU from which a box counted as found."""
    split: str | None = None
    """The split it was chosen on."""


class Metric(_Part):
    """A figure, the split it was measured on and the very file that was measured."""

    name: Name
    value: float
    split: Name
    artifact: FileName
    pictures: PositiveInt | None = None
    """How many pictures of the split, if not all."""


class PackageFile(_Part):
    """A file of the package."""

    file: FileName
    bytes: NonNegativeInt
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Parity(_Part):
    """How far results are from the reference's on the same real pictures."""

    reference: FileName
    """The artifact compared with, run by PyTorch in float32."""
    pictures: PositiveInt
    compared: PositiveInt
    """Results compared."""
    outside: NonNegativeInt
    """Results further off than `tolerance`, or found by only one of the two."""
    difference: dict[str, NonNegativeFloat]
    """Largest difference among the others by quantity: `score`; `position` in pixels."""
    tolerance: dict[str, NonNegativeFloat]
    """By quantity."""


class Quantization(_Part):
    """How an artifact's layers came to compute in 8-bit integers."""

    method: Literal["post-training", "accuracy-control"]
    """How the layers were chosen. `accuracy-control`: layers were put back to float until the loss
    was small enough."""
    trained: bool = False
    """Whether the weights were first trained on with rounding in place: then they are others than
    the package's safetensors."""
    preset: str = ""
    """What the activations' ranges may be: `mixed` or `performance` (symmetric)."""
    split: Name
    """Split whose pictures gave the ranges of values."""
    pictures: PositiveInt
    """How many of them."""
    layers: NonNegativeInt
    """Layers with weights that compute in 8-bit integers."""
    float_layers: tuple[str, ...] = ()
    """Names of those that don't."""


class Device(_Part):
    """The GPU and the library that an artifact was built for, which runs nowhere else."""

    gpu: Name
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d{1,3}\.\d{1,3}$")]
    tensorrt: Name
    """Version of the library."""


class Artifact(_Part):
    """One form of the model."""

    format: Format
    precision: Precision = "float32"
    files: Annotated[tuple[PackageFile, ...], Field(min_length=1)]
    """The first is the one to open; the others must lie beside it."""
    parity: Parity | None = None
    tool: str = ""
    """What wrote it, with its version."""
    quantization: Quantization | None = None
    """For 8-bit integers."""
    batch: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Pictures that it takes at once, neither more nor fewer; null for any number."""
    device: Device | None = None
    """What it was built for; null for what runs anywhere."""

    @property
    def file(self) -> str:
        """The file to open."""
        return self.files[0].file

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


class DatasetLineage(_Part):
    """The dataset a model was fitted on."""

    id: str | None = None
    project: str | None = None
    name: str | None = None
    version: str | None = None


class Lineage(_Part):
    """Where a model comes from; null where it isn't known, as for a run without a server."""

    dataset: DatasetLineage = DatasetLineage()
    task: str | None = None
    """Id of the training task."""
    commit: str | None = None
    """Git commit of the training code."""
    parents: tuple[str, ...] = ()
    """Ids of the models it was made from, the nearest first."""


class Training(_Part):
    """How the weights were fitted; null where it isn't known."""

    epochs: int | None = None
    """Done in all."""
    best_epoch: int | None = None
    """The weights are this one's."""
    seconds: float | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """By dotted name, as `sightline stage train --help` lists them; those of the network are in
    `network`."""
    chosen: tuple[str, ...] = ()
    """Names of the options that aren't at their defaults."""


class Licence(_Part):
    """Under which terms the weights may be used."""

    id: str = "unstated"
    """SPDX identifier."""
    note: str = ""
    """Such as the terms of pretrained weights they started from."""


class ModelCard(_Part):
    """All that is needed to run a model, and where it comes from."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    family: Name
    """Task family, such as `detection`."""
    network: dict[str, JsonValue]
    """Name and options from which the family builds the network again, without a hub."""
    classes: Annotated[tuple[ModelClass, ...], Field(min_length=1)]
    input: Input
    preprocessing: Preprocessing
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)]
    postprocessing: dict[str, JsonValue]
    """From output tensors to results; the family knows the keys."""
    threshold: Threshold = Threshold()
    metrics: tuple[Metric, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    lineage: Lineage = Lineage()
    training: Training = Training()
    libraries: dict[str, str] = Field(default_factory=dict)
    """Version by distribution name, of what trained and exported it."""
    licence: Licence = Licence()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        height, width = self.preprocessing.height, self.preprocessing.width
        if self.input.shape[1:3] != (height, width):
            raise ValueError(
                f"input.shape says {self.input.shape[1:3]} pixels, preprocessing {(height, width)}"
            )
        names = [entry.name for entry in self.classes]
        _none_twice("classes", names)
        _none_twice("category ids", [entry.id for entry in self.classes if entry.id is not None])
        _none_twice("outputs", [output.name for output in self.outputs])
        files = [file.file.casefold() for artifact in self.artifacts for file in artifact.files]
        _none_twice("files of artifacts", files)
        if strange := set(self.threshold.per_class) - set(names):
            raise ValueError(f"threshold.per_class names no class of this model: {min(strange)}")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names by index."""
        return tuple(entry.name for entry in self.classes)

    @property
    def class_thresholds(self) -> tuple[float, ...]:
        """The confidence threshold of each class index."""
        limits = self.threshold.per_class
        return tuple(limits.get(name, self.threshold.value) for name in self.class_names)

    def text(self) -> str:
        """Write it as the content of `model.json`."""
        return self.model_dump_json(indent=2, by_alias=True) + "\n"


def _none_twice(what: str, values: list[str] | list[int]) -> None:
    seen: set[str | int] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what}: {value} is there twice")
        seen.add(value)
