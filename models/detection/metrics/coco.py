"""COCO's detection figures (Lin et al., 2014; cocodataset.org/#detection-eval).

They equal those of pycocotools to the last bit, whichever engine computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.coco_engines import Engine, columns, engine
from models.detection.metrics.truth import Truth

SIZES = ("small", "medium", "large")
"""Of a box: under 32², under 96², from 96² pixels."""


@dataclass(frozen=True)
class CocoFigures:
    """COCO's figures over all classes and for each."""

    values: dict[str, float]
    """mAP (IoU 0.5 to 0.95), mAP50, mAP75, mAP_small|medium|large, AR1, AR10, AR100 (or the largest
    number of detections in its place, and of the other two what is less), AR_small|medium|large. A
    figure with nothing to measure it on is nan."""
    ap: NDArray[np.float64]
    """AP over IoU 0.5 to 0.95 of each class; nan for a class that occurs nowhere."""
    ap50: NDArray[np.float64]
    """AP at IoU 0.5 of each class; nan for a class that occurs nowhere."""
    ap_by_size: NDArray[np.float64]
    """Shape (3, classes): AP over IoU 0.5 to 0.95 of small, medium and large objects."""
    precision50: NDArray[np.float64]
    """Shape (101, classes): precision at IoU 0.5 at recall 0, 0.01, ... 1; nan likewise."""


def coco_figures(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    max_detections: int = 100,
    category_ids: Sequence[int] | None = None,
    compute: Engine | None = None,
) -> CocoFigures:
    """Measure detections that no threshold has cut.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        classes: number of classes.
        max_detections: detections of a class that count in a picture, the surest first.
        category_ids: by class index; pycocotools adds classes up in the order of their ids, which
            shows in a mean's last bit. Rising unless given.
        compute: what does it; the fastest that is installed unless given.
    """
    ids = list(category_ids) if category_ids is not None else list(range(1, classes + 1))
    # No limit above the wanted one: the largest is what mAP is computed with.
    limits = sorted({limit for limit in (1, 10) if limit < max_detections} | {max_detections})
    arrays = (compute or engine())(columns(truths, detections, ids), limits)
    # With all detections that count: [area, IoU, recall, class] and [area, IoU, class, limit].
    precision = np.ascontiguousarray(np.moveaxis(arrays.precision[..., -1], 3, 0))
    recall = np.moveaxis(arrays.recall, 2, 0)
    values = {
        "mAP": _mean(precision[0]),
        "mAP50": _mean(precision[0, 0]),
        "mAP75": _mean(precision[0, 5]),
    }
    for area, size in enumerate(SIZES, start=1):
        values[f"mAP_{size}"] = _mean(precision[area])
    for index, limit in enumerate(limits):
        values[f"AR{limit}"] = _mean(recall[0, ..., index])
    for area, size in enumerate(SIZES, start=1):
        values[f"AR_{size}"] = _mean(recall[area, ..., -1])
    place = np.argsort(np.argsort(ids, kind="stable"))  # of a class in COCO's order
    # [area, class, IoU, recall]; of a class and area all is known or nothing.
    by_class = np.ascontiguousarray(np.moveaxis(precision, 3, 1)[:, place])
    by_class = np.where(by_class[..., :1, :1] < 0.0, np.nan, by_class)
    ap = by_class.reshape(*by_class.shape[:2], -1).mean(axis=-1)
    return CocoFigures(
        values=values,
        ap=ap[0],
        ap50=by_class[0, :, 0].mean(axis=-1),
        ap_by_size=ap[1:],
        precision50=by_class[0, :, 0].T,
    )


def _mean(figures: NDArray[np.float64]) -> float:
    known = figures[figures > -1.0]
    return float(known.mean()) if known.size else float("nan")
