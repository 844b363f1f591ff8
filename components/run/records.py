"""How pictures, plots and tables are written to files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.reporting import Image


def file_name(text: str) -> str:
    """Make a file name of any title: readable, without separators, never empty."""
    return re.sub(r"[^\w.@+-]+", "_", text).strip("._") or "_"


def write_image(image: Image, path: Path) -> None:
    """Write an RGB picture as PNG or JPEG, by the suffix of `path`."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90] if path.suffix == ".jpg" else []
    coded, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    if not coded:
        raise RuntimeError(f"{path}: OpenCV couldn't encode a picture of shape {image.shape}")
    path.write_bytes(data.tobytes())


def write_figure(figure: Any, path: Path) -> None:
    """Write a plotly figure as JSON and beside it as a page that a browser shows offline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(figure.to_json(), encoding="utf-8")
    # One copy of plotly's script for all pages of a folder.
    figure.write_html(path.with_suffix(".html"), include_plotlyjs="directory")


def write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], path: Path) -> None:
    """Write a table as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def write_json(content: Any, path: Path) -> None:
    """Write JSON so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, paths and models into what JSON holds."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} isn't JSON-able")
