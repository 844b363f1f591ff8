"""Measuring a model package: its threshold on validation data, its figures on any split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ocr.data.reading import Lines
from models.ocr.dataset import read_line
from models.ocr.decoding.checksums import Symbology, is_valid
from models.ocr.decoding.decoder import Line
from models.ocr.drawing import Panel, sheet
from models.ocr.judging_options import EvaluateOptions, TuneOptions
from models.ocr.metrics.coverage import coverage_curve, most_precise, threshold_for
from models.ocr.metrics.figures import by_character, by_length, line_figures
from models.ocr.metrics.plots import confusion_figure, coverage_figure, length_figure
from models.ocr.postprocessing import steps_of
from models.ocr.predicting import lines_for, log_probs_of
from models.ocr.ranking import worst_first
from models.outcomes import Evaluation, Tuning
from models.package import ModelPackage
from models.reporting import Reporter

_GTIN_SHARE = 0.5
"""Share of a split's texts that must be GTINs for their checksums to be tried out unasked."""


def tune(package: Path, dataset: Path, options: TuneOptions, reporter: Reporter) -> Tuning:
    """Find the threshold on line confidence that accepts the most at the wanted precision.

    A model that doesn't reach it gets the threshold of the greatest precision, and a warning.
    """
    card = ModelPackage.load(package).card
    lines = lines_for(card, dataset, "val")
    decoder = steps_of(card).decoder(card.class_names)
    found = [
        line
        for block in log_probs_of(package, lines, reporter, "torch", options.batch_size)
        for line in decoder(block)
    ]
    right, sure = accepted_of(lines.texts, found)
    curve = coverage_curve(right, sure, len(lines))
    metric = f"coverage at precision {options.precision:g}"
    chosen = threshold_for(curve, options.precision)
    if chosen is None:
        chosen = most_precise(curve)
        reached = f"the best is {chosen.precision:.4f}" if chosen else "nothing was read"
        reporter.log(
            f"warning: no threshold gives a precision of {options.precision:g} on val ({reached}); "
            f"train longer, or ask for less with precision="
        )
        if chosen is None:
            return Tuning(card.threshold.value, metric, 0.0)
    reporter.figure("threshold", "precision and coverage", coverage_figure(curve, chosen, "val"))
    reporter.log(
        f"threshold {chosen.threshold:.4f} accepts {chosen.coverage:.1%} of {len(lines)} val "
        f"lines, {chosen.precision:.2%} of them right"
    )
    return Tuning(chosen.threshold, metric, chosen.coverage)


def evaluate(
    package: Path, dataset: Path, split: str, options: EvaluateOptions, reporter: Reporter
) -> Evaluation:
    """Measure a package on one split with the threshold stored in it."""
    card = ModelPackage.load(package).card
    lines = lines_for(card, dataset, split)
    threshold = card.threshold.value if options.threshold is None else options.threshold
    steps = steps_of(card)
    ways = _ways(steps.symbology, options, lines.texts)
    decoders = {
        way: steps.model_copy(update={"symbology": way}).decoder(card.class_names) for way in ways
    }
    readings: dict[Symbology, list[Line]] = {way: [] for way in ways}
    for block in log_probs_of(
        package, lines, reporter, options.runtime, options.batch_size, options.precision
    ):
        for way, decoder in decoders.items():
            readings[way] += decoder(block)
    found = readings[steps.symbology]
    truths = list(lines.texts)
    texts = [line.text for line in found]
    right, sure = accepted_of(truths, found)
    curve = coverage_curve(right, sure, len(lines))
    taken = sure >= threshold
    values = {
        **line_figures(truths, texts),
        "precision": float(right[taken].mean()) if taken.any() else float("nan"),
        "coverage": float(taken.sum()) / len(lines),
        "mean_precision": curve.area,
        "empty": sum(not text for text in texts) / len(lines),
    }
    details: dict[str, Any] = {
        "by_length": by_length(truths, texts),
        "symbologies": _by_symbology(lines, texts),
    }
    if len(readings) > 1:
        gain = checksum_gain(truths, readings, threshold)
        details["checksum"] = gain
        cells = [list(row.values()) for row in gain]
        reporter.table(f"{split}: checksums", "without and with", list(gain[0]), cells)
    _show(split, truths, texts, details, reporter)
    reporter.figure(
        f"{split}: precision and coverage", "threshold", coverage_figure(curve, None, split)
    )
    _pictures(split, lines, found, threshold, options, reporter)
    return Evaluation(
        split=split,
        threshold=threshold,
        values={name: value for name, value in values.items() if np.isfinite(value)},
        per_class=by_character(truths, texts),
        details=details,
    )


def accepted_of(
    truths: Sequence[str], found: Sequence[Line]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Take the readings that a threshold may accept: not empty, and no checksum in doubt.

    Returns:
        Whether each is right, and its confidence.
    """
    kept = [
        (line.text == truth, line.confidence)
        for truth, line in zip(truths, found, strict=True)
        if line.text and line.check != "unsure"
    ]
    right = np.array([good for good, _ in kept], bool)
    return right, np.array([sure for _, sure in kept], np.float64)


def checksum_gain(
    truths: Sequence[str], readings: Mapping[Symbology, Sequence[Line]], threshold: float
) -> list[dict[str, Any]]:
    """Compare readings without and with symbologies' checksums, a row each."""
    rows = []
    for way, found in readings.items():
        right, sure = accepted_of(truths, found)
        taken = sure >= threshold
        figures = line_figures(truths, [line.text for line in found])
        changed = [
            (truth, line)
            for truth, line in zip(truths, found, strict=True)
            if line.check == "corrected"
        ]
        rows.append(
            {
                "checksum": "without" if way == "none" else way,
                "exact_match": round(figures["exact_match"], 6),
                "cer": round(figures["cer"], 6),
                "precision": round(float(right[taken].mean()), 6) if taken.any() else None,
                "coverage": round(float(taken.sum()) / len(truths), 6),
                "corrected": len(changed),
                "corrected rightly": sum(line.text == truth for truth, line in changed),
                "unsure": sum(line.check == "unsure" for line in found),
            }
        )
    return rows


def _ways(own: Symbology, options: EvaluateOptions, texts: Sequence[str]) -> list[Symbology]:
    """Say which checksums to decode with: the model's own and, to compare it, none and another."""
    other = options.compare
    if other == "none":
        return [own]
    if other == "auto":
        valid = sum(is_valid(text, "gtin") for text in texts)
        other = "gtin" if own == "none" and valid >= _GTIN_SHARE * len(texts) else own
    return list(dict.fromkeys(("none", own, other)))


def _by_symbology(lines: Lines, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Figures of the lines of each symbology, if the dataset says which they are."""
    rows = []
    kinds = [kind or "" for kind in lines.symbologies]
    for kind in sorted(set(kinds) - {""}):
        places = [place for place, one in enumerate(kinds) if one == kind]
        figures = line_figures(
            [lines.texts[place] for place in places], [texts[place] for place in places]
        )
        rows.append(
            {
                "symbology": kind,
                "lines": len(places),
                **{name: round(value, 6) for name, value in figures.items()},
            }
        )
    return rows


def _show(
    split: str,
    truths: Sequence[str],
    texts: Sequence[str],
    details: dict[str, Any],
    reporter: Reporter,
) -> None:
    """Show all but the figures by character, which the stage shows for every family."""
    for title, table in (
        ("figures by length", details["by_length"]),
        ("figures by symbology", details["symbologies"]),
    ):
        if table:
            cells = [list(row.values()) for row in table]
            reporter.table(f"{split}: {title}", "all readings", list(table[0]), cells)
    reporter.figure(f"{split}: exact match by length", "lines", length_figure(details["by_length"]))
    reporter.figure(f"{split}: confusion", "characters", confusion_figure(truths, texts))


def _pictures(
    split: str,
    lines: Lines,
    found: Sequence[Line],
    threshold: float,
    options: EvaluateOptions,
    reporter: Reporter,
) -> None:
    def panel(index: int) -> Panel:
        line = found[index]
        return Panel(
            image=read_line(lines, index),
            text=line.text,
            confidence=line.confidence,
            characters=line.characters,
            truth=lines.texts[index],
            note=line.check,
            accepted=line.confidence >= threshold and line.check != "unsure",
        )

    worst = worst_first(lines.texts, found)[: options.worst]
    for rank, index in enumerate(worst, start=1):
        series = f"{rank:03}: {lines.files[index]}"
        reporter.image(f"worst on {split}", series, sheet([panel(index)], 1), 0)
    if options.samples:
        chosen = np.unique(np.linspace(0, len(lines) - 1, min(options.samples, len(lines))).round())
        drawn = sheet([panel(index) for index in chosen.astype(int).tolist()])
        reporter.image(f"truth and reading on {split}", "spread over the split", drawn, 0)
