"""COCO's detection figures (Lin et al., 2014; cocodataset.org/#detection-eval).

Computed by faster-coco-eval, whose figures equal those of pycocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.truth import Truth

_AREAS = ("", "_small", "_medium", "_large")
"""Of a box: all, under 32², under 96², from 96² pixels."""


@dataclass(frozen=True)
class CocoFigures:
    """COCO's figures over all classes and for each."""

    values: dict[str, float]
    """mAP (IoU 0.5 to 0.95), mAP50, mAP75, mAP_small|medium|large, AR1, AR10, AR100 (or what the
    largest number of detections is), AR_small|medium|large. A figure with nothing to measure it
    on is nan."""
    ap: NDArray[np.float64]
    """AP over IoU 0.5 to 0.95 of each class; nan for a class that occurs nowhere."""
    ap50: NDArray[np.float64]
    """AP at IoU 0.5 of each class; nan for a class that occurs nowhere."""
    precision50: NDArray[np.float64]
    """Shape (101, classes): precision at IoU 0.5 at recall 0, 0.01, ... 1; nan likewise."""


def coco_figures(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    max_detections: int = 100,
) -> CocoFigures:
    """Measure detections that no threshold has cut.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        classes: number of classes.
        max_detections: detections of a class that count in a picture, the surest first.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    ground = COCO(_ground_truth(truths, classes))
    limits = sorted({1, 10, max_detections})
    found = ground.loadRes(_results(detections))
    evaluation = COCOeval_faster(ground, found, iouType="bbox", print_function=_silence)
    evaluation.params.maxDets = limits
    evaluation.evaluate()
    evaluation.accumulate()
    # [IoU, recall, class, area, limit] and [IoU, class, area, limit]; -1 is nothing to measure.
    precision = _no_marks(evaluation.eval["precision"])
    recall = _no_marks(evaluation.eval["recall"])
    values = {
        "mAP": _mean(precision[:, :, :, 0, -1]),
        "mAP50": _mean(precision[0, :, :, 0, -1]),
        "mAP75": _mean(precision[5, :, :, 0, -1]),
    }
    for area in (1, 2, 3):
        values[f"mAP{_AREAS[area]}"] = _mean(precision[:, :, :, area, -1])
    for index, limit in enumerate(limits):
        values[f"AR{limit}"] = _mean(recall[:, :, 0, index])
    for area in (1, 2, 3):
        values[f"AR{_AREAS[area]}"] = _mean(recall[:, :, area, -1])
    return CocoFigures(
        values=values,
        ap=precision[:, :, :, 0, -1].mean(axis=(0, 1)),
        ap50=precision[0, :, :, 0, -1].mean(axis=0),
        precision50=precision[0, :, :, 0, -1],
    )


def _ground_truth(truths: Sequence[Truth], classes: int) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image, truth in enumerate(truths, start=1):
        for box, label in zip(truth.boxes.astype(float), truth.classes.tolist(), strict=True):
            left, top, right, bottom = box.tolist()
            width, height = right - left, bottom - top
            annotations.append(
                {
                    "id": len(annotations) + 1,  # an id of 0 would count as not matched
                    "image_id": image,
                    "category_id": label + 1,
                    "bbox": [left, top, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    return {
        "images": [{"id": image} for image in range(1, len(truths) + 1)],
        "annotations": annotations,
        "categories": [{"id": label + 1, "name": str(label)} for label in range(classes)],
    }


def _results(detections: Sequence[Detections]) -> list[dict[str, Any]]:
    results = []
    for image, found in enumerate(detections, start=1):
        boxes = found.boxes.astype(float)
        corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
        for box, score, label in zip(
            corners, found.scores.tolist(), found.classes.tolist(), strict=True
        ):
            results.append(
                {"image_id": image, "category_id": label + 1, "bbox": box, "score": score}
            )
    return results


def _no_marks(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(figures < 0.0, np.nan, figures)


def _mean(figures: NDArray[np.float64]) -> float:
    known = figures[~np.isnan(figures)]
    return float(known.mean()) if known.size else float("nan")


def _silence(*_: object) -> None: ...
