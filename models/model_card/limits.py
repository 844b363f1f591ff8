"""What a model's figures don't say, as far as the records show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.model_card.evidence import Evidence
from models.model_card.terms import CardTerms
from models.package import ModelCard

FEW_TO_LEARN, FEW_TO_MEASURE = 50, 20
"""Things of a class in training and in a measured split below which the card says so."""
_MOST = 8


def limits(card: ModelCard, evidence: Evidence, terms: CardTerms) -> list[str]:
    """List the limits that can be read off the records; nothing is guessed."""
    statistics: Mapping[str, Any] = evidence.data.get("statistics") or {}
    return [
        *_few(card, statistics, terms),
        *_sizes(evidence, terms),
        *_picture_sizes(statistics),
        *_not_measured(card),
    ]


def _few(card: ModelCard, statistics: Mapping[str, Any], terms: CardTerms) -> list[str]:
    lines = []
    for split, least, verb in (
        ("train", FEW_TO_LEARN, "learned from"),
        ("test", FEW_TO_MEASURE, "measured on test with"),
    ):
        if split not in statistics:
            continue
        counts = {name: terms.in_class(statistics[split], name) for name in card.class_names}
        few = {name: count for name, count in counts.items() if count < least}
        if few:
            shown = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:_MOST])
            more = f" and {len(few) - _MOST} more" if len(few) > _MOST else ""
            lines.append(
                f"{terms.classes} {verb} fewer than {least} {terms.things}: {shown}{more}."
            )
    return lines


def _sizes(evidence: Evidence, terms: CardTerms) -> list[str]:
    split = next((one for one in ("test", "val") if evidence.details.get(one)), None)
    rows = evidence.details[split].get("by_size") or [] if split else []
    lines, things = [], terms.things
    for row in rows:
        size, count, recall = row.get("size"), row.get(things), row.get("recall")
        if not count:
            lines.append(f"No {size} {things} are in {split}: nothing is known of them.")
        elif recall is not None:
            few = f", only {count} {things}" if count < FEW_TO_MEASURE else ""
            lines.append(
                f"Of {size} {things}, {recall:.0%} are found at the threshold on {split}{few}."
            )
    if any(row.get(things) for row in rows):
        lines[-1] += " (Small is below 32², large from 96² pixels on.)"
    return lines


def _picture_sizes(statistics: Mapping[str, Any]) -> list[str]:
    sizes = (statistics.get("train") or {}).get("picture_sizes") or {}
    if not sizes:
        return []
    shown = ", ".join(list(sizes)[:_MOST])
    more = " and others" if len(sizes) > _MOST else ""
    return [f"It was trained on pictures of {shown} pixels{more}."]


def _not_measured(card: ModelCard) -> list[str]:
    lines = []
    tested = {metric.artifact for metric in card.metrics if metric.split == "test"}
    untested = [one.file for one in card.artifacts if one.file not in tested]
    if untested:
        lines.append(f"No figures on test were measured for {', '.join(untested)}.")
    if card.metrics:
        lines.append(
            "All figures are of this dataset's splits; none were measured on pictures from "
            "elsewhere."
        )
    else:
        lines.append("Nothing about this model was measured.")
    return lines
