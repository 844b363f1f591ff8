"""What a reader learns from a prepared dataset folder. No torch in here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.ocr.data.reading import Lines, read_split


def read_vocabulary(dataset: Path) -> tuple[str, ...]:
    """Read the characters that occur in a prepared dataset folder, by code point.

    Raises:
        ValueError: there is no such dataset, or it is another family's.
    """
    return tuple(str(character) for character in _description(dataset)["vocabulary"])


def read_lines(dataset: Path, split: str) -> Lines:
    """Read one split of a prepared dataset folder.

    Args:
        dataset: folder with `dataset.json`.
        split: train, val or test.

    Raises:
        ValueError: there is no such dataset or split, or it is another family's.
    """
    _description(dataset)
    return read_split(dataset, split)


def _description(dataset: Path) -> dict[str, Any]:
    file = dataset / "dataset.json"
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{dataset} is no prepared dataset: dataset.json is missing") from None
    except ValueError as error:
        raise ValueError(f"{file} is broken: {error}") from error
    if found.get("family") != "ocr" or "vocabulary" not in found:
        raise ValueError(f"{dataset} is a dataset for {found.get('family')}, not for ocr")
    return found
