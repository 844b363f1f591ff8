"""The reading networks as a table."""

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
_ABOUT = {
    "svtr": "convolutions, then attention over the line; after SVTRv2",
    "crnn": "any timm backbone, then LSTM or GRU",
}
CHARACTERS = 10
"""Digits: what figures are for."""


def listing(text: str = "", latency: bool = False) -> NetworkTable:
    """Describe the networks whose name holds a text; see `models.families.Family.networks`."""
    from models.ocr.networks.complexity import complexity, latency_ms

    rows: list[dict[str, Any]] = []
    for name, about in _ABOUT.items():
        if text.lower() not in name:
            continue
        options = NetworkOptions.model_validate({"name": name})
        parameters, gflops, steps = complexity(options)
        row: dict[str, Any] = {
            "name": name,
            "family": "ocr",
            "parameters": round(parameters, 2),
            "gflops": round(gflops, 2),
            "input": f"{options.width}x{options.height}",
            "steps": steps,
            "about": about,
        }
        if latency:
            row["latency_ms"] = round(latency_ms(options), 2)
        rows.append(row)
    columns = {key: title for key, title in _COLUMNS.items() if latency or key != "latency_ms"}
    return NetworkTable(columns, rows, _NOTE)
