"""timm's classifiers as a table. Neither torch nor timm is imported to list the well-known ones."""

from __future__ import annotations

from typing import Any

from models.classification.networks.catalogue import CATALOGUE
from models.families import NetworkTable

_COLUMNS = {
    "name": "NAME",
    "parameters": "PARAMS M",
    "image_size": "INPUT",
    "top1": "TOP-1",
    "top5": "TOP-5",
    "latency_ms": "MS HERE",
    "licence": "LICENCE",
    "weights": "WEIGHTS",
}
_NOTE = (
    "Accuracy is timm's own on ImageNet-1k, per cent, of the weights and input size shown "
    "(results-imagenet.csv in timm's repository)."
)


def listing(text: str = "", latency: bool = False) -> NetworkTable:
    """Describe classifiers whose name holds a text; see `models.families.Family.networks`.

    Without a text only those of our catalogue are listed; with one, all that timm knows.
    """
    rows = [
        {
            "name": entry.name,
            "family": "classification",
            "parameters": entry.parameters,
            "image_size": entry.image_size,
            "top1": entry.top1,
            "top5": entry.top5,
            "licence": entry.licence,
            "weights": entry.tag,
        }
        for entry in CATALOGUE
        if text.lower() in entry.name
    ]
    note = _NOTE
    if text:
        rows += _of_timm(text, {str(row["name"]) for row in rows})
    else:
        note += " More than 1,000 further networks are listed by a part of their name."
    if latency:
        for row in rows:
            row["latency_ms"] = round(_latency(str(row["name"]), int(str(row["image_size"]))), 1)
    columns = {key: title for key, title in _COLUMNS.items() if latency or key != "latency_ms"}
    return NetworkTable(columns, rows, note)


def _of_timm(text: str, known: set[str]) -> list[dict[str, Any]]:
    """List what else timm has, with what its own records say; they hold no accuracy."""
    import timm

    rows: list[dict[str, Any]] = []
    for name in timm.list_models(f"*{text.lower()}*"):
        if name in known:
            continue
        found = timm.get_pretrained_cfg(name, allow_unregistered=False)
        rows.append(
            {
                "name": name,
                "family": "classification",
                "parameters": None,
                "image_size": found.input_size[-1] if found else None,
                "top1": None,
                "top5": None,
                "licence": found.license if found else None,
                "weights": (found.tag or "timm") if found and found.has_weights else None,
            }
        )
    return rows


def _latency(name: str, side: int, repeats: int = 5) -> float:
    """Measure one picture in PyTorch on this machine, milliseconds; the median counts."""
    import statistics
    import time

    import torch

    from models.classification.networks.classifier import build_network
    from models.classification.networks.options import NetworkOptions

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build_network(NetworkOptions(name=name, image_size=side), 1000).eval().to(device)
    picture = torch.zeros(1, 3, side, side, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 2):
            start = time.perf_counter()
            network(picture)[0].cpu()  # waits until a GPU is done
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])
