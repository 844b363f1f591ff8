"""Measuring a classifier's package: temperature and threshold on val, figures on any split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.classification import plots
from models.classification.judging_options import EvaluateOptions, TuneOptions
from models.classification.labels import Labels, labels_for
from models.classification.metrics.calibration import fit_temperature, log_loss, reliability
from models.classification.metrics.coverage import risk_coverage
from models.classification.metrics.figures import (
    Scores,
    Truth,
    accuracy,
    average_precision,
    by_class,
    confusion,
    f_measures,
    mean,
    mean_average_precision,
    said,
    top_k,
)
from models.classification.naming import confidences
from models.classification.postprocessing import steps_of
from models.classification.running import embeddings, predict_logits
from models.classification.sheets import WRONG, sheet
from models.data.reading import read_picture
from models.outcomes import Evaluation, Tuning
from models.package import ModelCard, ModelPackage
from models.reporting import Reporter

_BETA = {"f1": 1.0, "f2": 2.0, "f0.5": 0.5}
_SHEET = 24


def tune(package: Path, dataset: Path, options: TuneOptions, reporter: Reporter) -> Tuning:
    """Fit the temperature and find the threshold on val predictions that nothing has cut."""
    card = ModelPackage.load(package).card
    steps = steps_of(card)
    labels = labels_for(dataset, "val", card.class_names)
    _fits(card, labels)
    logits = predict_logits(package, labels, reporter)
    heat = steps.temperature
    if options.temperature:
        heat = fit_temperature(logits, labels.truth, steps.kind)
        before, after = (log_loss(logits, labels.truth, steps.kind, t) for t in (1.0, heat))
        reporter.log(f"temperature {heat:.4f}: log loss {before:.4f} becomes {after:.4f} on val")
    scores = confidences(logits, steps.kind, heat)
    changed = {"temperature": heat}
    if steps.kind == "sigmoid":
        return _tune_several(scores, labels, options, changed, reporter)
    sure, right = scores.max(axis=1), labels.truth[np.arange(len(labels)), scores.argmax(axis=1)]
    curve = risk_coverage(sure, right)
    threshold, coverage, risk = curve.threshold(options.risk)
    reporter.figure("threshold", "risk and coverage", plots.risk_coverage(curve, threshold))
    if risk > options.risk:
        reporter.log(
            f"warning: no threshold keeps mistakes to {options.risk:.1%} on val: even the surest "
            f"picture is wrong"
        )
    reporter.log(
        f"threshold {threshold:.4f}: {coverage:.1%} of val get a name, {risk:.2%} of them a wrong "
        f"one"
    )
    return Tuning(threshold, "coverage", coverage, postprocessing=changed)


def _tune_several(
    scores: Scores,
    labels: Labels,
    options: TuneOptions,
    changed: dict[str, Any],
    reporter: Reporter,
) -> Tuning:
    """Find the threshold with the best F-measure, over all classes together and for each."""
    beta = _BETA[options.metric]
    threshold, _ = best_threshold(scores.ravel(), labels.truth.ravel(), beta)
    pictures = labels.truth.sum(axis=0).tolist()
    own: dict[str, float] = {}
    for index, name in enumerate(labels.classes):
        if options.per_class and pictures[index] >= options.per_class_least:
            own[name], _ = best_threshold(scores[:, index], labels.truth[:, index], beta)
    limits = [own.get(name, threshold) for name in labels.classes]
    named = said(scores, np.array(limits, np.float32), True)
    # What was made greatest, at the very thresholds that are kept.
    each = f_measures(named, labels.truth, beta)
    rows = [
        [name, count, limit, _known(figure)]
        for name, count, limit, figure in zip(labels.classes, pictures, limits, each, strict=True)
    ]
    columns = ["class", "pictures", "threshold", options.metric]
    reporter.table("thresholds", "by class", columns, rows)
    value = mean(each)
    value = value if np.isfinite(value) else 0.0  # no class occurs or is named
    return Tuning(threshold, options.metric, value, own, postprocessing=changed)


def best_threshold(scores: Any, truth: Any, beta: float) -> tuple[float, float]:
    """Find the threshold with the greatest F-measure; half of it where nothing is right.

    Returns:
        A threshold between two scores that occur, and the F-measure there.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    hits = np.cumsum(truth[order])
    if not hits.size or not hits[-1]:
        return 0.5, 0.0
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    weight = beta**2
    measure = (1 + weight) * hits[ends] / (weight * hits[-1] + ends + 1)
    place = int(measure.argmax())
    low = ranked[ends[place + 1]] if place + 1 < len(ends) else 0.0
    return float((ranked[ends[place]] + low) / 2), float(measure[place])


def evaluate(
    package: Path, dataset: Path, split: str, options: EvaluateOptions, reporter: Reporter
) -> Evaluation:
    """Measure a package on one split with temperature and thresholds stored in it."""
    card = ModelPackage.load(package).card
    steps = steps_of(card)
    labels = labels_for(dataset, split, card.class_names)
    _fits(card, labels)
    limits = np.array(card.class_thresholds, np.float32)
    threshold = card.threshold.value
    if options.threshold is not None:
        threshold = options.threshold
        limits[:] = threshold
    logits = predict_logits(
        package, labels, reporter, options.runtime, options.batch_size, options.precision
    )
    scores = confidences(logits, steps.kind, steps.temperature)
    several = steps.kind == "sigmoid"
    named = said(scores, limits, several)
    each = by_class(named, labels.truth)
    values = {
        "accuracy": accuracy(named, labels.truth),
        "f1": mean(each.f1),
        "precision": each.mean_precision,
        "recall": mean(each.recall),
        "log loss": log_loss(logits, labels.truth, steps.kind, steps.temperature),
        "threshold": threshold,
    }
    details: dict[str, Any] = {"temperature": steps.temperature}
    if several:
        values["mAP"] = mean_average_precision(scores, labels.truth)
        bins = reliability(scores.ravel(), labels.truth.ravel(), options.bins)
    else:
        values |= _single_figures(scores, labels, limits, options, details, split, reporter)
        best = labels.truth[np.arange(len(labels)), scores.argmax(axis=1)]
        bins = reliability(scores.max(axis=1), best, options.bins)
    values["ece"] = bins.error
    details.setdefault("charts", []).append(plots.reliability_chart(bins))
    reporter.figure(f"{split}: calibration", "reliability", plots.reliability(bins))
    reporter.figure(
        f"{split}: curves", "precision and recall", plots.precision_recall(scores, labels)
    )
    _show_mistakes(scores, named, labels, split, options.mistakes, reporter)
    if options.embeddings and options.runtime == "torch":
        _show_map(package, labels, split, options.embeddings, reporter)
    rows = [
        {
            "class": name,
            "pictures": int(each.pictures[i]),
            "precision": _known(each.precision[i]),
            "recall": _known(each.recall[i]),
            "f1": _known(each.f1[i]),
            "average precision": _known(average_precision(scores[:, i], labels.truth[:, i])),
        }
        for i, name in enumerate(labels.classes)
    ]
    return Evaluation(split, threshold, values, rows, details)


def _single_figures(
    scores: Scores,
    labels: Labels,
    limits: Any,
    options: EvaluateOptions,
    details: dict[str, Any],
    split: str,
    reporter: Reporter,
) -> dict[str, float]:
    """Figures that only one class a picture has: top-k, confusion, risk and coverage."""
    best = scores.argmax(axis=1)
    sure, right = scores.max(axis=1), labels.truth[np.arange(len(labels)), best]
    table = confusion(scores, labels.truth)
    details["confusion"] = {"classes": list(labels.classes), "counts": table.tolist()}
    reporter.figure(f"{split}: confusion", "true by said", plots.confusion(table, labels.classes))
    curve = risk_coverage(sure, right)
    reporter.figure(
        f"{split}: don't know", "risk and coverage", plots.risk_coverage(curve, float(limits[0]))
    )
    details["charts"] = [plots.risk_chart(curve)]
    known = sure >= limits[best]
    found = {
        "coverage": float(known.mean()),
        # With nothing named there is no mistake to count.
        "accuracy where named": float(right[known].mean()) if known.any() else float("nan"),
        "aurc": curve.area,
    }
    if len(labels.classes) > options.top:
        found[f"top{options.top}"] = top_k(scores, labels.truth, options.top)
    return found


def _show_mistakes(
    scores: Scores, named: Truth, labels: Labels, split: str, count: int, reporter: Reporter
) -> None:
    """Show the pictures on which the model is surest of something wrong, as sheets."""
    wrong = np.flatnonzero((named != labels.truth).any(axis=1))
    # How sure it is of what isn't so, or of what is there that it isn't.
    off = np.abs(scores[wrong] - labels.truth[wrong]).max(axis=1)
    chosen = wrong[np.argsort(-off, kind="stable")][:count].tolist()
    for start in range(0, len(chosen), _SHEET):
        block = chosen[start : start + _SHEET]
        images = [read_picture(labels.folder / labels.files[i]) for i in block]
        texts = [
            f"{labels.classes[int(scores[i].argmax())]} {scores[i].max():.2f}, is {labels.names(i)}"
            for i in block
        ]
        page = sheet(images, texts, [WRONG] * len(block))
        reporter.image(f"surest mistakes on {split}", f"{start // _SHEET + 1:02}", page, 0)
    rows = [
        [
            labels.files[i],
            labels.names(i),
            ", ".join(labels.classes[k] for k in np.flatnonzero(named[i])) or "none",
            round(float(scores[i].max()), 4),
        ]
        for i in chosen
    ]
    if rows:
        columns = ["picture", "is", "said", "confidence"]
        reporter.table(f"{split}: surest mistakes", "", columns, rows)


def _show_map(package: Path, labels: Labels, split: str, most: int, reporter: Reporter) -> None:
    features, kept = embeddings(package, labels, most, reporter)
    if len(kept) < 5:
        return
    names = [labels.names(i) for i in kept.tolist()]
    files = [labels.files[i] for i in kept.tolist()]
    figure = plots.feature_map(features, names, files)
    reporter.figure(f"{split}: features", "map", figure)


def _fits(card: ModelCard, labels: Labels) -> None:
    if (steps_of(card).kind == "sigmoid") != labels.several:
        wanted = "any number of classes" if labels.several else "one class"
        raise ValueError(
            f"the dataset has {wanted} a picture, which the model wasn't trained for: train it on "
            "this dataset"
        )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
