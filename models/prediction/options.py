"""Options of `predict`. Nothing heavy in here."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from models.chain.options import ReadOptions
from models.training.options import Options

Output = Literal["pictures", "videos", "frames", "crops", "yolo", "coco", "csv", "jsonl"]


class CropOptions(Options):
    """How results are cut out of their pictures."""

    padding: str = "0"
    """Added on each side of a box: pixels (`8`), or a share of its width and height (`10%`)."""

    @field_validator("padding")
    @classmethod
    def _understood(cls, value: str) -> str:
        if not re.fullmatch(r"\d{1,5}(\.\d+)?%|\d{1,5}", value.strip()):
            raise ValueError(f"'{value}': expected pixels such as 8, or a share such as 10%")
        return value.strip()


class YoloOptions(Options):
    """How YOLO label files are written."""

    scores: bool = False
    """Add the confidence as a sixth number to each line; trainers read files without it."""


class PredictionOptions(Options):
    """How a model is run over pictures and videos, and what is written."""

    runtime: str | None = None
    """What runs the network, such as torch, onnxruntime or openvino; null takes the fastest that
    the package and this machine have: a GPU first, then OpenVINO, ONNX Runtime, PyTorch."""
    precision: Literal["float32", "float16", "bfloat16", "int8", "mixed"] | None = None
    """Which of the runtime's forms in the package to run; null takes the first."""
    url: str | None = None
    """Address of the model on a server, `http://HOST:PORT/v2/models/NAME`, which then runs the
    network (runtime remote); null runs it here."""
    device: str = "auto"
    """`auto` takes a GPU that the runtime can use, else the CPU; `cpu`, `cuda`, `cuda:1`."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of the network; null leaves it to the runtime."""
    batch: int | None = Field(None, ge=1, le=1024)
    """Pictures that go through the network at once; null takes 1 on a CPU and 8 elsewhere."""
    threshold: float | None = Field(None, ge=0.0, le=1.0)
    """Least confidence of a result; null takes the model's own."""
    save: tuple[Output, ...] = ("pictures", "videos", "jsonl")
    """What is written. `pictures` and `videos` with results drawn in, `frames` of videos likewise
    as single pictures, `crops`, `yolo` label files, `coco` JSON, `csv` with a row for each result,
    `jsonl` with a line for each picture. `crops`, `yolo` and `coco` need results with places."""
    every: int = Field(1, ge=1)
    """Of videos and streams only each n-th frame is looked at."""
    limit: int | None = Field(None, ge=1)
    """Pictures, pages and frames looked at in all."""
    dpi: int = Field(200, ge=20, le=1200)
    """Dots per inch at which PDF pages are drawn."""
    cut_padding: bool = False
    """Leave away most of a letterbox's padding. Faster on wide and tall pictures; for runtime torch
    and networks of convolutions alone (yolox). Scores change by some thousandths."""
    strict: bool = False
    """Fail if anything couldn't be read; otherwise only if nothing could."""
    read: ReadOptions = ReadOptions()
    """How a second model, if there is one, looks at what the first one finds."""
    crop: CropOptions = CropOptions()
    yolo: YoloOptions = YoloOptions()

    @field_validator("save")
    @classmethod
    def _some(cls, value: tuple[Output, ...]) -> tuple[Output, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one output and none twice")
        return value
