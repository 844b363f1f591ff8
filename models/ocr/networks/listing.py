"""The reading networks as a table. Nothing heavy is imported to list them."""

from __future__ import annotations

from typing import Any

from models.families import NetworkTable
from models.ocr.networks.options import NetworkOptions

_COLUMNS = {
    "name": "NAME",
    "parameters": "PARAMS M",
    "gflops": "GFLOPS",
    "input": "INPUT",
    "steps": "STEPS",
    "latency_ms": "MS HERE",
    "about": "WHAT IT IS",
}
_NOTE = (
    "With default options and 10 characters. `sightline design ocr DATASET` compares backbones, "
    "stages and strides for a dataset."
)
NETWORKS = {
    "svtr": (0.56, 0.22, "convolutions, then attention over the line; after SVTRv2"),
    "crnn": (0.62, 0.10, "any timm backbone, then LSTM or GRU"),
}
"""Millions of parameters and billions of operations, as `models.ocr.networks.complexity` counts
them, and what it is."""


def listing(text: str = "", latency: bool = False) -> NetworkTable:
    """Describe the networks whose name holds a text; see `models.families.Family.networks`."""
    rows: list[dict[str, Any]] = []
    for name, (parameters, gflops, about) in NETWORKS.items():
        if text.lower() not in name:
            continue
        options = NetworkOptions.model_validate({"name": name})
        row: dict[str, Any] = {
            "name": name,
            "family": "ocr",
            "parameters": parameters,
            "gflops": gflops,
            "input": f"{options.width}x{options.height}",
            "steps": options.width // options.stride,
            "about": about,
        }
        if latency:
            from models.ocr.networks.complexity import latency_ms

            row["latency_ms"] = round(latency_ms(options), 2)
        rows.append(row)
    columns = {key: title for key, title in _COLUMNS.items() if latency or key != "latency_ms"}
    return NetworkTable(columns, rows, _NOTE)
