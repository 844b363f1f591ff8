"""A reader's mistakes on labelled lines, and the labels that are likely wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.ocr.audit_options import AuditOptions
from models.ocr.data.reading import Lines
from models.ocr.dataset import read_line
from models.ocr.decoding.decoder import Decoder, Line
from models.ocr.decoding.likelihood import log_likelihoods
from models.ocr.drawing import Panel, sheet
from models.ocr.metrics.edits import edit_distances
from models.ocr.postprocessing import steps_of
from models.ocr.predicting import lines_for, log_probs_of
from models.ocr.ranking import worst_first
from models.outcomes import Audit
from models.package import ModelPackage
from models.reporting import Reporter


def audit(
    package: Path, dataset: Path, split: str, options: AuditOptions, reporter: Reporter
) -> Audit:
    """Look for mistakes and suspected label errors in one split; tables and pictures show them."""
    card = ModelPackage.load(package).card
    lines = lines_for(card, dataset, split)
    decoder = steps_of(card).decoder(card.class_names)
    found: list[Line] = []
    qualities: list[float] = []
    for block in log_probs_of(package, lines, reporter, options.runtime, options.batch_size):
        read = decoder(block)
        for log_probs, line in zip(block, read, strict=True):
            truth = lines.texts[len(found)]
            found.append(line)
            qualities.append(
                1.0 if line.text == truth else _quality(decoder, log_probs, truth, line)
            )
    order = worst_first(lines.texts, found)
    doubted = sorted(
        (place for place in order if qualities[place] <= options.quality),
        key=lambda place: (qualities[place], -found[place].confidence, place),
    )
    rows = [_row(place, lines, found[place]) for place in order]
    suspects = [
        {**_row(place, lines, found[place]), "quality": float(f"{qualities[place]:.4g}")}
        for place in doubted
    ]
    for title, table, places, count in (
        ("mistakes", rows, order, options.mistakes),
        ("suspected labels", suspects, doubted, options.suspects),
    ):
        if table:
            cells = [list(row.values()) for row in table[: options.rows]]
            reporter.table(f"{split}: {title}", "the worst first", list(table[0]), cells)
        for rank, place in enumerate(places[:count], start=1):
            series = f"{rank:04}: {lines.files[place]}"
            note = f"label's quality {qualities[place]:.2g}"
            image = _drawn(lines, place, found[place], note)
            reporter.image(f"{title} on {split}", series, image, 0)
    reporter.log(f"{split}: {len(rows)} wrong readings, {len(suspects)} suspected labels")
    return Audit(split, len(lines), rows, suspects)


def _quality(decoder: Decoder, log_probs: Any, truth: str, line: Line) -> float:
    """The label's likelihood as a share of the label's and the reading's together."""
    alphabet = decoder.alphabet
    texts = [alphabet.encode(truth), alphabet.encode(line.text)]
    label, read = log_likelihoods(log_probs, texts, alphabet.blank).tolist()
    return 1.0 / (1.0 + math.exp(min(700.0, read - label)))


def _row(place: int, lines: Lines, line: Line) -> dict[str, Any]:
    truth = lines.texts[place]
    return {
        "picture": lines.files[place],
        "kind": _kind(truth, line.text),
        "label": truth,
        "read": line.text,
        "edits": int(edit_distances([truth], [line.text])[0]),
        "confidence": round(line.confidence, 4),
    }


def _kind(truth: str, text: str) -> str:
    if not text:
        return "nothing read"
    if len(truth) == len(text):
        return "other characters"
    return "characters missing" if len(text) < len(truth) else "characters too many"


def _drawn(lines: Lines, place: int, line: Line, note: str) -> Any:
    shown: Sequence[Panel] = [
        Panel(
            image=read_line(lines, place),
            text=line.text,
            confidence=line.confidence,
            characters=line.characters,
            truth=lines.texts[place],
            note=note,
        )
    ]
    return sheet(shown, 1)
