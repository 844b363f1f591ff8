"""All figures of a split in one go, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.metrics.coco import CocoFigures, coco_figures
from models.detection.metrics.confusion import confusion_matrix
from models.detection.metrics.matching import Matches, match
from models.detection.metrics.scores import Scores, scores_at
from models.detection.metrics.truth import Truth


@dataclass(frozen=True)
class Report:
    """What is known of a model on one split."""

    classes: tuple[str, ...]
    threshold: float
    coco: CocoFigures
    matches: Matches
    """With all detections; the threshold cuts nothing here."""
    class_matches: Matches
    """The same where each detection must name the right class, for figures by class."""
    by_iou: tuple[Scores, ...]
    """At the threshold, for each IoU of the options."""
    confusion: NDArray[np.int64]

    def values(self) -> dict[str, float]:
        """Give the single figures; one with nothing to measure it on is left out.

        Besides COCO's: precision, recall, f1 and iou at the threshold and the first IoU of the
        options, their means over all of its IoUs as `f1_mean` and so on, and `threshold`.
        """
        first = self.by_iou[0]
        found = dict(self.coco.values)
        found |= {
            "precision": first.precision,
            "recall": first.recall,
            "f1": first.f1,
            "iou": first.iou,
            "precision_mean": _mean([scores.precision for scores in self.by_iou]),
            "recall_mean": _mean([scores.recall for scores in self.by_iou]),
            "f1_mean": _mean([scores.f1 for scores in self.by_iou]),
            "threshold": self.threshold,
        }
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def per_class(self) -> list[dict[str, Any]]:
        """Give one row for each class; None where there is nothing to measure on."""
        rows = []
        for label, name in enumerate(self.classes):
            scores = scores_at(self.class_matches, self.threshold, label=label)
            rows.append(
                {
                    "class": name,
                    "objects": int((self.class_matches.objects == label).sum()),
                    "detections": scores.correct + scores.false,
                    "precision": _known(scores.precision),
                    "recall": _known(scores.recall),
                    "f1": _known(scores.f1),
                    "AP50": _known(float(self.coco.ap50[label])),
                    "AP": _known(float(self.coco.ap[label])),
                }
            )
        return rows


def report(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: Sequence[str],
    threshold: float,
    options: EvaluateOptions,
) -> Report:
    """Measure a split.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order, cut by no threshold.
        classes: names by class index.
        threshold: the model's.
        options: IoUs, smallest confidence, matching.
    """
    counted = [one.above(options.floor).best(options.max_detections) for one in detections]
    by_class = options.matching == "class"
    matches = match(truths, counted, options.ious, by_class)
    strict = matches if by_class else match(truths, counted, options.ious)
    return Report(
        classes=tuple(classes),
        threshold=threshold,
        coco=coco_figures(truths, counted, len(classes), options.max_detections),
        matches=matches,
        class_matches=strict,
        by_iou=tuple(
            scores_at(matches, threshold, iou=index) for index in range(len(options.ious))
        ),
        confusion=confusion_matrix(truths, counted, len(classes), threshold, options.ious[0]),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
