"""All figures of a split in one go, as plain values."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.metrics.calibration import Calibration, calibration
from models.detection.metrics.coco import SIZES, CocoFigures, coco_figures
from models.detection.metrics.confusion import confusion_matrix
from models.detection.metrics.errors import ErrorBreakdown, errors_of
from models.detection.metrics.matching import Matches, match
from models.detection.metrics.scores import Scores, scores_at, scores_by_class
from models.detection.metrics.truth import Truth

_SMALL, _MEDIUM = 32.0**2, 96.0**2


@dataclass(frozen=True)
class Report:
    """What is known of a model on one split."""

    classes: tuple[str, ...]
    threshold: float
    """Of the classes that have none of their own."""
    thresholds: NDArray[np.float32]
    """Shape (classes,)."""
    coco: CocoFigures
    coco_any: CocoFigures | None
    """With all classes taken for one; only where the options match regardless of class."""
    matches: Matches
    """With all detections; the threshold cuts nothing here."""
    class_matches: Matches
    """The same where each detection must name the right class, for figures by class."""
    by_iou: tuple[Scores, ...]
    """At the threshold, for each IoU of the options."""
    confusion: NDArray[np.int64]
    errors: ErrorBreakdown
    calibration: Calibration
    """Of all detections."""
    calibration_kept: Calibration
    """Of those that the threshold keeps: what users see."""
    areas: NDArray[np.float64]
    """Shape (objects,), pixels, in the order of `matches.objects`."""

    @property
    def limits(self) -> str:
        """Say where detections are cut, for people."""
        own = {round(float(limit), 6) for limit in self.thresholds}
        if len(own) < 2:
            return f"at threshold {self.threshold:.3f}"
        return f"at thresholds by class, {min(own):.3f} to {max(own):.3f}"

    def values(self) -> dict[str, float]:
        """Give the single figures; one with nothing to measure it on is left out.

        Besides COCO's: precision, recall, f1 and iou (a missed object counts 0) at the threshold
        and the first IoU of the options, their means over all of its IoUs as `f1_mean` and so on,
        `threshold`, the cost of each kind of error as `dAP_class` and so on, and the calibration
        error of all detections (`ECE`) and of those that the threshold keeps (`ECE_kept`).
        """
        first = self.by_iou[0]
        found = dict(self.coco.values)
        if self.coco_any is not None:
            found |= {f"{name}_any": self.coco_any.values[name] for name in ("mAP", "mAP50")}
        found |= {
            "precision": first.precision,
            "recall": first.recall,
            "f1": first.f1,
            "iou": first.iou,
            "precision_mean": _mean([scores.precision for scores in self.by_iou]),
            "recall_mean": _mean([scores.recall for scores in self.by_iou]),
            "f1_mean": _mean([scores.f1 for scores in self.by_iou]),
            "iou_mean": _mean([scores.iou for scores in self.by_iou]),
            "threshold": self.threshold,
        }
        found |= {f"dAP_{kind}": cost for kind, cost in self.errors.costs.items()}
        found |= {"ECE": self.calibration.error, "ECE_kept": self.calibration_kept.error}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def per_class(self) -> list[dict[str, Any]]:
        """Give one row for each class; None where there is nothing to measure on."""
        rows = []
        over = self._class_scores
        objects = np.bincount(self.class_matches.objects, minlength=len(self.classes))
        for label, name in enumerate(self.classes):
            limit, scores = float(self.thresholds[label]), over[0][label]
            sizes = zip(SIZES, self.coco.ap_by_size[:, label], strict=True)
            rows.append(
                {
                    "class": name,
                    "objects": int(objects[label]),
                    "detections": scores.correct + scores.false,
                    "threshold": round(limit, 6),
                    "precision": _known(scores.precision),
                    "recall": _known(scores.recall),
                    "f1": _known(scores.f1),
                    "iou": _known(scores.iou),
                    "f1_mean": _known(_mean([one[label].f1 for one in over])),
                    "AP50": _known(float(self.coco.ap50[label])),
                    "AP": _known(float(self.coco.ap[label])),
                    **{f"AP_{size}": _known(float(value)) for size, value in sizes},
                }
            )
        return rows

    def over_iou(self) -> list[dict[str, Any]]:
        """Give one row for each IoU of the options, at the threshold."""
        return [
            {"IoU": iou, **_plain(scores)}
            for iou, scores in zip(self.matches.ious, self.by_iou, strict=True)
        ]

    def by_class_over_iou(self) -> list[dict[str, Any]]:
        """Give one row for each class and IoU of the options, at the threshold."""
        return [
            {"class": name, "IoU": iou, **_plain(scores[label])}
            for label, name in enumerate(self.classes)
            for iou, scores in zip(self.matches.ious, self._class_scores, strict=True)
        ]

    @functools.cached_property
    def _class_scores(self) -> list[list[Scores]]:
        """By IoU and class."""
        return [
            scores_by_class(self.class_matches, self.thresholds, len(self.classes), index)
            for index in range(len(self.class_matches.ious))
        ]

    def by_size(self) -> list[dict[str, Any]]:
        """Give one row for small, medium and large objects: COCO's bounds, 32² and 96² pixels."""
        right = self.matches.above(self.thresholds) & self.matches.correct()
        overlap = np.zeros(len(self.matches.objects))
        overlap[self.matches.found[0][right]] = self.matches.overlap[0][right]
        place = np.digitize(self.areas, [_SMALL, _MEDIUM])
        rows = []
        for index, size in enumerate(SIZES):
            here = overlap[place == index]
            rows.append(
                {
                    "size": size,
                    "objects": len(here),
                    "recall": _known(_mean((here > 0).tolist())),
                    "iou": _known(_mean(here.tolist())),
                    "mAP": _known(self.coco.values[f"mAP_{size}"]),
                    "AR": _known(self.coco.values[f"AR_{size}"]),
                }
            )
        return rows

    def error_rows(self) -> list[dict[str, Any]]:
        """Give one row for each kind of error, and one for all false ones and all misses."""
        errors = self.errors
        false = sum(count for kind, count in errors.counts.items() if kind != "missed")
        misses = len(errors.matches.objects) - int(errors.matches.correct().sum())
        counts = {**errors.counts, "false": false, "misses": misses}
        return [
            {"error": kind, "count": counts[kind], "dAP": _known(cost)}
            for kind, cost in errors.costs.items()
        ]

    def calibration_rows(self) -> list[dict[str, Any]]:
        """Give one row for each bin of confidence."""
        found = self.calibration
        return [
            {
                "from": float(found.edges[place]),
                "to": float(found.edges[place + 1]),
                "detections": int(count),
                "confidence": _known(float(found.confidence[place])),
                "precision": _known(float(found.precision[place])),
            }
            for place, count in enumerate(found.counts)
        ]

    def precision_recall(self) -> dict[str, Any]:
        """Give precision at IoU 0.5 over recall, by class; None where a recall isn't reached."""
        curves = {}
        for label, name in enumerate(self.classes):
            values = self.coco.precision50[:, label].round(4).tolist()
            if not all(math.isnan(value) for value in values):
                curves[name] = [_known(value) for value in values]
        return {
            "title": "Precision over recall",
            "x": "recall",
            "y": "precision at IoU 0.5",
            "at": np.linspace(0.0, 1.0, 101).round(2).tolist(),
            "lines": curves,
        }

    def details(self) -> dict[str, Any]:
        """Give all tables as JSON-able values."""
        return {
            "over_iou": self.over_iou(),
            "by_class_over_iou": self.by_class_over_iou(),
            "by_size": self.by_size(),
            "errors": self.error_rows(),
            "calibration": self.calibration_rows(),
            "charts": [self.precision_recall()],
            "confusion": {
                "classes": [*self.classes, "background"],
                "counts": self.confusion.tolist(),
            },
        }


def report(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: Sequence[str],
    threshold: float | Sequence[float] | NDArray[np.float32],
    options: EvaluateOptions,
    category_ids: Sequence[int] | None = None,
    fallback: float | None = None,
) -> Report:
    """Measure a split.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order, cut by no threshold.
        classes: names by class index.
        threshold: the model's; one for all, or one for each class.
        options: IoUs, smallest confidence, matching.
        category_ids: by class index; see `coco_figures`.
        fallback: the threshold of classes without one of their own, if there is one by class.
    """
    limits = np.broadcast_to(np.asarray(threshold, np.float32), (len(classes),))
    sure = [one.above(options.floor) for one in detections]
    counted = [one.best(options.max_detections) for one in sure]
    by_class = options.matching == "class"
    matches = match(truths, counted, options.ious, by_class)
    strict = matches if by_class else match(truths, counted, options.ious)
    most = options.max_detections
    boxes = np.concatenate([truth.boxes for truth in truths] or [np.zeros((0, 4), np.float32)])
    single = float(limits[0]) if len(set(limits.tolist())) == 1 else float(limits.mean())
    return Report(
        classes=tuple(classes),
        threshold=single if fallback is None else fallback,
        thresholds=limits,
        coco=coco_figures(truths, sure, len(classes), most, category_ids),
        coco_any=None if by_class else coco_figures(*_one_class(truths, sure), 1, most),
        matches=matches,
        class_matches=strict,
        by_iou=tuple(scores_at(matches, limits, iou=index) for index in range(len(options.ious))),
        confusion=confusion_matrix(truths, counted, len(classes), limits, options.ious[0]),
        errors=errors_of(strict.at(0), truths, len(classes)),
        calibration=calibration(matches, options.calibration_bins),
        calibration_kept=calibration(matches, options.calibration_bins, limits),
        areas=np.prod((boxes[:, 2:] - boxes[:, :2]).astype(float), axis=1),
    )


def _one_class(
    truths: Sequence[Truth], detections: Sequence[Detections]
) -> tuple[list[Truth], list[Detections]]:
    return (
        [
            Truth(
                one.boxes,
                np.zeros_like(one.classes),
                one.crowd_boxes,
                np.zeros_like(one.crowd_classes),
            )
            for one in truths
        ],
        [Detections(one.boxes, one.scores, np.zeros_like(one.classes)) for one in detections],
    )


def _plain(scores: Scores) -> dict[str, float | None]:
    names = ("precision", "recall", "f1", "iou")
    return {name: _known(getattr(scores, name)) for name in names}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
