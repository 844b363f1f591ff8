"""Seconds to judge 5,000 pictures with half a million detections: ours beside the bare engines.

The engines get arrays that are ready for them; ours starts from one result for each picture, and
its conversion counts. Blocks alternate, and the median of the ratios is what counts. With
`--reference` pycocotools runs too (about a minute), and all arrays are compared bit by bit.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.coco_engines import by_hotcoco, by_pycocotools, columns
from models.detection.metrics.report import report
from models.detection.metrics.truth import Truth

LIMITS = [1, 10, 100]


def world(pictures: int, detections: int, classes: int) -> tuple[list[Truth], list[Detections]]:
    """Draw objects of all sizes, and detections around them, some of a wrong class."""
    rng = np.random.default_rng(0)
    truths, found = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 15))
        corner, size = rng.uniform(0, 500, (count, 2)), np.exp(rng.uniform(1.5, 5.5, (count, 2)))
        boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        labels = rng.integers(0, classes, count)
        truths.append(Truth(boxes, labels))
        if count:
            source = rng.integers(0, count, detections)
            near = boxes[source] + rng.normal(0, 8, (detections, 4))
            said = np.where(
                rng.random(detections) < 0.7, labels[source], rng.integers(0, classes, detections)
            )
        else:
            near = rng.uniform(0, 500, (detections, 4))
            said = rng.integers(0, classes, detections)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        scores = np.sort(rng.random(detections).astype(np.float32))[::-1].copy()
        found.append(Detections(near.astype(np.float32), scores, said))
    return truths, found


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def by_faster_coco_eval(boxes: object) -> Callable[[], object] | None:
    """Make a call of faster-coco-eval on dicts that are ready, if it is installed."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError:
        return None
    assert hasattr(boxes, "results")

    def work() -> None:
        ground = COCO(
            {
                "images": [{"id": i + 1} for i in range(boxes.pictures)],
                "categories": [{"id": i, "name": str(i)} for i in boxes.category_ids],
                "annotations": [
                    {"id": n + 1, "image_id": p, "category_id": c, "bbox": b, "area": b[2] * b[3],
                     "iscrowd": 0}
                    for n, (p, c, b) in enumerate(
                        zip(
                            boxes.truth_pictures.tolist(),
                            boxes.truth_ids.tolist(),
                            boxes.truth_boxes.tolist(),
                            strict=True,
                        )
                    )
                ],
            }
        )  # fmt: skip
        evaluation = COCOeval_faster(
            ground, ground.loadRes(boxes.results), iouType="bbox", print_function=lambda *_: None
        )
        evaluation.evaluate()
        evaluation.accumulate()

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", action="store_true", help="run pycocotools, too")
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=100, help="in each picture")
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--blocks", type=int, default=5)
    given = parser.parse_args()
    truths, found = world(given.pictures, given.detections, given.classes)
    boxes = columns(truths, found, range(1, given.classes + 1))
    print(f"{given.pictures} pictures, {len(boxes.truth_ids)} objects, {len(boxes.results)} found")
    bare, ours = [], []
    for _ in range(given.blocks):
        bare.append(seconds(lambda: by_hotcoco(boxes, LIMITS)))
        ours.append(seconds(lambda: coco_figures(truths, found, given.classes)))
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    rows = [
        ("hotcoco alone, from arrays", statistics.median(bare)),
        ("coco_figures, from results", statistics.median(ours)),
        ("  of which conversion", seconds(lambda: columns(truths, found, range(given.classes)))),
    ]
    options, names = EvaluateOptions(), [str(label) for label in range(given.classes)]
    rows.append(("whole report", seconds(lambda: report(truths, found, names, 0.5, options))))
    if (other := by_faster_coco_eval(boxes)) is not None:
        rows.append(("faster-coco-eval", seconds(other)))
    if given.reference:
        start = time.perf_counter()
        reference = by_pycocotools(boxes, LIMITS)
        rows.append(("pycocotools", time.perf_counter() - start))
        fast = by_hotcoco(boxes, LIMITS)
        same = np.array_equal(fast.precision, reference.precision)
        same = same and np.array_equal(fast.recall, reference.recall)
        print(f"arrays equal to pycocotools' to the last bit: {same}")
    for name, value in rows:
        print(f"{name:28} {value:8.3f} s")
    print(f"ours / hotcoco, median of {given.blocks}: {ratio:.2f}")


if __name__ == "__main__":
    main()
