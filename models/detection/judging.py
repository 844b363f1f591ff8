"""Measuring a model package: its threshold on validation data, its figures on any split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.detection.dataset import Labels, read_categories, read_labels, read_picture
from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.metrics.figures import figures
from models.detection.metrics.matching import Matches, match
from models.detection.metrics.report import Report, report
from models.detection.metrics.scores import (
    BestThreshold,
    best_threshold,
    scores_at,
    threshold_curves,
)
from models.detection.metrics.truth import truths_of
from models.detection.pictures import picture_pairs, worst_pictures
from models.outcomes import Evaluation, Tuning
from models.package import ModelPackage
from models.package.card import Precision
from models.reporting import Reporter

_BETA = {"f1": 1.0, "f2": 2.0, "f0.5": 0.5}
_BATCH = 8


def tune(package: Path, dataset: Path, options: TuneOptions, reporter: Reporter) -> Tuning:
    """Find the best threshold on val predictions that no threshold has cut.

    A model that finds nothing right keeps its threshold, with a value of 0 and a warning: to
    refuse it is the gate's part.
    """
    labels = labels_for(package, dataset, "val")
    detections = predict(package, labels, reporter, "torch", _BATCH)
    matches = match(
        truths_of(labels),
        detections,
        [options.iou],
        by_class=options.matching == "class",
        max_detections=options.max_detections,
    )
    beta = _BETA[options.metric]
    best = best_threshold(threshold_curves(matches), beta, options.grid, options.smallest)
    if best is None:
        reporter.log(
            f"warning: no threshold gives a {options.metric} above 0 on val at IoU "
            f"{options.iou:g}: the model finds nothing right there; train it longer"
        )
        best = BestThreshold(ModelPackage.load(package).card.threshold.value, 0.0)
    reporter.figure("threshold", options.metric, _tuning_figure(matches, options, best.threshold))
    where = f"on {len(labels)} val pictures at IoU {options.iou:g}"
    reporter.log(f"threshold {best.threshold:.4f} gives {options.metric} {best.value:.4f} {where}")
    if not options.per_class:
        return Tuning(best.threshold, options.metric, best.value)
    own = _class_thresholds(matches, labels.classes, best.threshold, options, reporter)
    limits = np.array([own.get(name, best.threshold) for name in labels.classes], np.float32)
    value = scores_at(matches, limits).measure(beta)
    value = 0.0 if np.isnan(value) else value
    reporter.log(f"thresholds by class give {options.metric} {value:.4f} {where}")
    return Tuning(best.threshold, options.metric, value, own)


def _class_thresholds(
    matches: Matches,
    classes: Sequence[str],
    fallback: float,
    options: TuneOptions,
    reporter: Reporter,
) -> dict[str, float]:
    """Find the best threshold of each class that has enough objects."""
    own, rows = {}, []
    for label, name in enumerate(classes):
        objects = int((matches.objects == label).sum())
        best = None
        why = f"the one for all: {objects} objects, {options.per_class_least} are needed"
        if objects >= options.per_class_least:
            curves = threshold_curves(matches, label=label)
            best = best_threshold(curves, _BETA[options.metric], options.grid, options.smallest)
            why = "its own" if best else "the one for all: the model finds nothing right"
        if best:
            own[name] = best.threshold
        else:
            reporter.log(f"class {name} takes {why}")
        limit = best.threshold if best else fallback
        value = scores_at(matches, limit, label=label).measure(_BETA[options.metric])
        rows.append([name, objects, limit, None if np.isnan(value) else value, why])
    columns = ["class", "objects", "threshold", options.metric, "which"]
    reporter.table("thresholds", "by class", columns, rows)
    return own


def evaluate(
    package: Path, dataset: Path, split: str, options: EvaluateOptions, reporter: Reporter
) -> Evaluation:
    """Measure a package on one split with the threshold stored in it."""
    labels = labels_for(package, dataset, split)
    card = ModelPackage.load(package).card
    threshold, limits = card.threshold.value, np.array(card.class_thresholds, np.float32)
    if options.threshold is not None:
        threshold = options.threshold
        limits = np.full(len(limits), threshold, np.float32)
    detections = predict(
        package,
        labels,
        reporter,
        options.runtime,
        options.batch_size,
        precision=options.precision,
    )
    truths = truths_of(labels)
    ids = [identity for _, identity in read_categories(dataset)]
    found = report(truths, detections, labels.classes, limits, options, ids, threshold)
    _show(found, split, reporter)
    for index, image in picture_pairs(labels, truths, detections, limits, options.samples):
        series = f"{index:06}: {labels.files[index]}"
        reporter.image(f"truth | predictions on {split}", series, image, 0)
    for index, (name, image) in enumerate(
        worst_pictures(labels, truths, detections, limits, options)
    ):
        reporter.image(f"worst on {split}", f"{index + 1:02}: {name}", image, 0)
    return Evaluation(
        split=split,
        threshold=threshold,
        values=found.values(),
        per_class=found.per_class(),
        details=found.details(),
    )


def predict(
    package: Path,
    labels: Labels,
    reporter: Reporter,
    runtime: str,
    batch_size: int,
    floor: float = 0.0,
    precision: Precision | None = None,
) -> list[Detections]:
    """Run a package over a split, cut at `floor` only."""
    from models.runtimes import load_predictor

    predictor = load_predictor(package, runtime=runtime, batch_size=batch_size, precision=precision)
    detections: list[Detections] = []
    for files in _chunks(labels.files, batch_size):
        images = [read_picture(labels.folder / file) for file in files]
        detections += predictor(images, threshold=floor)
        reporter.progress("predicting", len(detections), len(labels))
    return detections


def labels_for(package: Path, dataset: Path, split: str) -> Labels:
    """Read a split for a package.

    Raises:
        ValueError: other classes than the model's, or no pictures.
    """
    labels = read_labels(dataset, split)
    names = ModelPackage.load(package).card.class_names
    if names != labels.classes:
        raise ValueError(
            f"the model knows the classes {', '.join(names)}, the dataset has "
            f"{', '.join(labels.classes)}: use a dataset with the model's classes in its order"
        )
    if not len(labels):
        raise ValueError(f"the split '{split}' of {dataset} has no pictures")
    return labels


def _chunks(files: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(files), size):
        yield files[first : first + size]


def _show(found: Report, split: str, reporter: Reporter) -> None:
    """Show all but the figures by class, which the stage shows for every family."""
    for title, series, figure in figures(found):
        reporter.figure(f"{split}: {title}", series, figure)
    for title, series, table in (
        ("figures over IoU", "at the threshold", found.over_iou()),
        ("figures by object size", "at the threshold", found.by_size()),
        ("errors", "by kind", found.error_rows()),
    ):
        cells = [list(row.values()) for row in table]
        reporter.table(f"{split}: {title}", series, list(table[0]), cells)


def _tuning_figure(matches: Matches, options: TuneOptions, threshold: float) -> Any:
    import plotly.graph_objects as go

    curves = threshold_curves(matches)
    figure = go.Figure()
    for name, values in (
        (options.metric, curves.measure(_BETA[options.metric])),
        ("precision", curves.precision),
        ("recall", curves.recall),
    ):
        figure.add_scatter(x=curves.thresholds.tolist(), y=values.tolist(), name=name, mode="lines")
    figure.add_vline(x=threshold, line_dash="dot", annotation_text=f"{threshold:.3f}")
    figure.update_layout(
        title=f"val, IoU {options.iou:g}", xaxis_title="threshold", hovermode="x unified"
    )
    return figure
