"""What is known of a model beyond its `model.json`: records of those who measured it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.benchmark.record import BenchmarkRecord, read_record


@dataclass(frozen=True)
class CardPicture:
    """A picture for the card."""

    title: str
    jpeg: bytes


@dataclass(frozen=True)
class Evidence:
    """Records about a model; empty where nobody measured."""

    data: Mapping[str, Any] = field(default_factory=dict)
    """The dataset: `name`, `version`, `id`, and by split `statistics` as `prepare` wrote them."""
    artifact: str = ""
    """The file that the evaluation measured."""
    per_class: Mapping[str, Any] = field(default_factory=dict)
    """Rows with figures by class, by split."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further tables of the evaluation, by split."""
    hardware: Mapping[str, Any] = field(default_factory=dict)
    """The machine that the evaluation ran on."""
    pictures: tuple[CardPicture, ...] = ()
    benchmark: BenchmarkRecord | None = None
    pages: Mapping[str, str] = field(default_factory=dict)
    """Where people look further: links or references, by what they show."""
    web: str = ""
    """Address of ClearML's web application, for links to tasks, datasets and models."""


def read_evidence(
    evaluation: Path | None = None,
    pictures: Path | None = None,
    benchmark: Path | None = None,
    pages: Mapping[str, str] | None = None,
    web: str = "",
    models: Sequence[str] = (),
) -> Evidence:
    """Read the records that the stages keep.

    Args:
        evaluation: artifact `evaluation` of `evaluate`.
        pictures: artifact `pictures` of `evaluate`.
        benchmark: artifact `benchmark` of `benchmark`.
        pages: see `Evidence`.
        web: see `Evidence`.
        models: ids of the model and of those it was made from, whichever was measured.

    Raises:
        ValueError: one of them isn't what it is said to be, or is about another model.
    """
    found: Mapping[str, Any] = {}
    if evaluation is not None:
        found = _json(evaluation)
        for key in ("data", "per_class", "details", "hardware"):
            if not isinstance(found.get(key, {}), Mapping):
                raise ValueError(f"{evaluation}: {key} isn't what the evaluate stage writes")
        _check_model("the evaluation", found.get("model"), models)
    shown = []
    if pictures is not None:
        record = _json(pictures)
        try:
            for one in record["pictures"]:
                jpeg = base64.b64decode(one["jpeg"], validate=True)
                shown.append(CardPicture(str(one["title"]), jpeg))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{pictures} isn't what the evaluate stage writes") from error
    timed = read_record(benchmark) if benchmark is not None else None
    if timed is not None:
        _check_model("the benchmark", timed.model, models)
    return Evidence(
        data=found.get("data", {}),
        artifact=str(found.get("artifact", "")),
        per_class=found.get("per_class", {}),
        details=found.get("details", {}),
        hardware=found.get("hardware", {}),
        pictures=tuple(shown),
        benchmark=timed,
        pages=pages or {},
        web=web,
    )


def pictures_record(pictures: tuple[CardPicture, ...]) -> dict[str, Any]:
    """Give pictures as JSON-able data that `read_evidence` takes."""
    return {
        "pictures": [
            {"title": one.title, "jpeg": base64.b64encode(one.jpeg).decode()} for one in pictures
        ]
    }


def _check_model(what: str, measured: object, models: Sequence[str]) -> None:
    if models and measured not in models:
        raise ValueError(
            f"{what} measured model {measured}, not {models[0]} or one it was made from"
        )


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{file} isn't what a stage writes")
    return found
