"""The detection networks as a table. Nothing heavy is imported to list them."""

from __future__ import annotations

from typing import Any

from models.detection.networks.catalogue import CATALOGUE
from models.families import NetworkTable

_COLUMNS = {
    "name": "NAME",
    "parameters": "PARAMS M",
    "gflops": "GFLOPS",
    "image_size": "INPUT",
    "ap": "COCO AP",
    "latency_ms": "MS HERE",
    "licence": "LICENCE",
    "hub": "WEIGHTS",
}
_NOTE = (
    "Parameters and GFLOPs are for 80 classes at the input size shown. AP is the published one on "
    "COCO val2017, with the published weights."
)


def listing(text: str = "", latency: bool = False) -> NetworkTable:
    """Describe the networks whose name holds a text; see `models.families.Family.networks`."""
    rows: list[dict[str, Any]] = []
    for entry in CATALOGUE.values():
        if text.lower() not in entry.name:
            continue
        row: dict[str, Any] = {
            "name": entry.name,
            "family": "detection",
            "architecture": entry.architecture,
            "parameters": entry.parameters,
            "gflops": entry.gflops,
            "image_size": entry.image_size,
            "licence": entry.licence,
            "weights_licence": entry.weights_licence,
            "ap": entry.ap,
            "ap_source": entry.ap_source,
            "hub": dict(entry.hub) or entry.note or ("timm" if not entry.published else {}),
        }
        if latency:
            from models.detection.networks.complexity import latency as measure

            row["latency_ms"] = round(measure(entry.name), 1)
        rows.append(row)
    columns = {key: title for key, title in _COLUMNS.items() if latency or key != "latency_ms"}
    return NetworkTable(columns, rows, _NOTE)
