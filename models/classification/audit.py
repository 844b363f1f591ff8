"""A classifier's mistakes on labelled pictures, and the labels that are likely wrong.

Suspects are found as confident learning does (Northcutt et al., 2021): a label is doubted where the
model gives another class more confidence than pictures of that class usually have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.classification.judging_options import AuditOptions
from models.classification.labels import Labels, labels_for
from models.classification.metrics.figures import Scores, said
from models.classification.naming import confidences
from models.classification.postprocessing import steps_of
from models.classification.running import predict_logits
from models.classification.sheets import PLAIN, WRONG, Colour, sheet
from models.data.reading import read_picture
from models.outcomes import Audit
from models.package import ModelPackage
from models.reporting import Reporter

_SHEET = 20


def audit(
    package: Path, dataset: Path, split: str, options: AuditOptions, reporter: Reporter
) -> Audit:
    """Look for mistakes and suspected label errors in one split; tables and sheets show them."""
    card = ModelPackage.load(package).card
    steps = steps_of(card)
    labels = labels_for(dataset, split, card.class_names)
    logits = predict_logits(package, labels, reporter, options.runtime, options.batch_size)
    scores = confidences(logits, steps.kind, steps.temperature)
    limits = np.array(card.class_thresholds, np.float32)
    named = said(scores, limits, steps.kind == "sigmoid")
    mistakes = _mistakes(scores, named, labels)
    doubts = _several_doubts if labels.several else _doubts
    suspects = doubts(scores, labels, options.quality)
    for title, rows, shown, colour in (
        ("mistakes", mistakes, options.mistakes, WRONG),
        ("suspected labels", suspects, options.suspects, PLAIN),
    ):
        if rows:
            cells = [list(row.values()) for row in rows[: options.rows]]
            reporter.table(f"{split}: {title}", "the worst first", list(rows[0]), cells)
        _show(f"{title} on {split}", rows[:shown], labels, colour, reporter)
    reporter.log(
        f"{split}: {len(mistakes)} mistakes on {len(labels)} pictures, {len(suspects)} suspected "
        f"labels"
    )
    return Audit(split, len(labels), mistakes, suspects)


def _mistakes(scores: Scores, named: Any, labels: Labels) -> list[dict[str, Any]]:
    rows = []
    for picture in np.flatnonzero((named != labels.truth).any(axis=1)).tolist():
        wrong = np.flatnonzero(named[picture] & ~labels.truth[picture])
        kind = "wrong class" if len(wrong) else "missed class"
        if len(wrong) == 0:
            wrong = np.flatnonzero(labels.truth[picture] & ~named[picture])
        index = int(wrong[scores[picture, wrong].argmax()])
        said_now = ", ".join(labels.classes[i] for i in np.flatnonzero(named[picture])) or "none"
        rows.append(
            {
                "picture": labels.files[picture],
                "kind": kind,
                "said": said_now,
                "true": labels.names(picture),
                "confidence": round(float(scores[picture, index]), 4),
            }
        )
    return sorted(rows, key=lambda row: (-float(row["confidence"]), str(row["picture"])))


def _doubts(scores: Scores, labels: Labels, quality: float) -> list[dict[str, Any]]:
    """One class a picture: labels that the model is sure are another class's."""
    truth = labels.single
    own = scores[np.arange(len(labels)), truth]
    usual = np.array(
        [own[truth == k].mean() if (truth == k).any() else np.inf for k in range(scores.shape[1])]
    )
    above = np.where(scores >= usual, scores, 0.0)
    above[np.arange(len(labels)), truth] = 0.0
    best = above.argmax(axis=1)
    doubted = (above.max(axis=1) > 0) & (own <= quality) & (own < usual[truth])
    return [
        _suspect(labels, picture, labels.names(picture), int(best[picture]), own, scores)
        for picture in np.flatnonzero(doubted)[np.argsort(own[doubted], kind="stable")].tolist()
    ]


def _suspect(
    labels: Labels, picture: int, given: str, suggested: int, own: Any, scores: Scores
) -> dict[str, Any]:
    return {
        "picture": labels.files[picture],
        "kind": "wrong class",
        "quality": round(float(own[picture]), 4),
        "label": given,
        "suggested": labels.classes[suggested],
        "confidence": round(float(scores[picture, suggested]), 4),
    }


def _several_doubts(scores: Scores, labels: Labels, quality: float) -> list[dict[str, Any]]:
    """Several classes a picture: each yes and no by itself."""
    agreed = np.where(labels.truth, scores, 1 - scores)
    rows = []
    for picture, index in np.argwhere(agreed <= quality).tolist():
        there = bool(labels.truth[picture, index])
        rows.append(
            {
                "picture": labels.files[picture],
                "kind": "too much" if there else "missing class",
                "quality": round(float(agreed[picture, index]), 4),
                "label": labels.names(picture),
                "suggested": ("not " if there else "") + labels.classes[index],
                "confidence": round(float(1 - agreed[picture, index]), 4),
            }
        )
    return sorted(rows, key=lambda row: (float(row["quality"]), str(row["picture"])))


def _show(
    title: str,
    rows: Sequence[dict[str, Any]],
    labels: Labels,
    colour: Colour,
    reporter: Reporter,
) -> None:
    for start in range(0, len(rows), _SHEET):
        block = rows[start : start + _SHEET]
        images = [read_picture(labels.folder / row["picture"]) for row in block]
        texts = [
            f"{row.get('suggested', row.get('said'))} {row['confidence']:.2f}, "
            f"{'label' if 'label' in row else 'is'} {row.get('label', row.get('true'))}"
            for row in block
        ]
        page = sheet(images, texts, [colour] * len(block))
        reporter.image(title, f"{start // _SHEET + 1:03}", page, 0)
