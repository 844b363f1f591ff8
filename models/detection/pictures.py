"""Pictures of what a model got right and wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.dataset import Labels, read_picture
from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.metrics.matching import match
from models.detection.metrics.truth import Truth
from models.drawing import class_colour, draw_boxes
from models.reporting import Image

FALSE, MISSED, RIGHT = (230, 60, 60), (255, 170, 0), (0, 200, 80)
"""Colours of false boxes, of objects that were missed, and of found ones."""
_WIDEST = 800
"""Pixels of a picture's longer side at most."""


def beside(image: Image, truth: Truth, found: Detections, classes: Sequence[str]) -> Image:
    """Draw the truth on the left and detections on the right, both in the colour of the class."""
    left = draw_boxes(
        image,
        truth.boxes,
        [classes[label] for label in truth.classes],
        [class_colour(int(label)) for label in truth.classes],
    )
    right = draw_boxes(
        image,
        found.boxes,
        [
            f"{classes[label]} {score:.2f}"
            for label, score in zip(found.classes, found.scores, strict=True)
        ],
        [class_colour(int(label)) for label in found.classes],
    )
    return shrunk(np.concatenate([left, right], axis=1), 2 * _WIDEST)


def picture_pairs(
    labels: Labels,
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    threshold: float | NDArray[np.float32],
    count: int,
) -> Iterator[tuple[int, Image]]:
    """Draw pictures, spread evenly over a split, with the truth left and predictions right.

    Returns:
        Index in the split and picture.
    """
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(count, len(labels))).round())
    for index in chosen.astype(int).tolist():
        image = read_picture(labels.folder / labels.files[index])
        kept = detections[index].above(threshold)
        yield index, beside(image, truths[index], kept, labels.classes)


def worst_pictures(
    labels: Labels,
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    threshold: float | NDArray[np.float32],
    options: EvaluateOptions,
) -> list[tuple[str, Image]]:
    """Draw the pictures with the most false and missed boxes.

    False boxes are red with the class said and the confidence, missed objects orange with their
    class, found ones green; what lies in a crowd isn't drawn. Pictures without a mistake are left
    out.

    Returns:
        File name and picture, the worst first.
    """
    mistakes = []
    for index, (truth, seen) in enumerate(zip(truths, detections, strict=True)):
        kept = seen.above(threshold).best(options.max_detections)
        result = match([truth], [kept], options.ious[:1], options.matching == "class")
        judged = ~result.ignored[0]  # neither right nor false is what lies in a crowd
        right = result.correct()[judged]
        missed = np.setdiff1d(np.arange(len(truth)), result.found[0][result.correct()])
        count = int((~right).sum()) + len(missed)
        if count:
            shown = Detections(result.boxes[judged], result.scores[judged], result.classes[judged])
            mistakes.append((-count, index, shown, right, missed))
    pictures = []
    for _, index, shown, right, missed in sorted(mistakes, key=lambda one: one[:2])[
        : options.worst
    ]:
        truth = truths[index]
        boxes = np.concatenate([truth.boxes[missed], shown.boxes])
        captions = [f"missed {labels.classes[label]}" for label in truth.classes[missed]]
        captions += [
            "" if good else f"{labels.classes[label]} {score:.2f}"
            for good, label, score in zip(right, shown.classes, shown.scores, strict=True)
        ]
        colours = [MISSED] * len(missed) + [RIGHT if good else FALSE for good in right]
        image = read_picture(labels.folder / labels.files[index])
        pictures.append((labels.files[index], shrunk(draw_boxes(image, boxes, captions, colours))))
    return pictures


def shrunk(image: Image, longest: int = _WIDEST) -> Image:
    """Make a picture's longer side at most `longest` pixels."""
    import cv2

    scale = longest / max(image.shape[:2])
    if scale >= 1.0:
        return image
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
