"""A classifier's figures from confidences and truth, as scikit-learn defines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
"""Confidence of each class, (N, classes)."""
Truth = NDArray[np.bool_]
"""Which classes each picture has, (N, classes)."""


@dataclass(frozen=True)
class ByClass:
    """Figures of each class; nan where a figure has nothing to be measured on."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    pictures: NDArray[np.int64]
    """That have the class."""

    @property
    def mean_precision(self) -> float:
        """Precision over the classes; one that occurs and is never named counts 0, as for F1.

        Left out, it would make a model that names a single class look precise in all of them.
        """
        return mean(np.where(self.pictures > 0, np.nan_to_num(self.precision), self.precision))


def said(scores: Scores, limits: NDArray[np.float32] | float, several: bool) -> Truth:
    """Say which classes are named: the surest, or all that reach their limit."""
    if several:
        return scores >= limits
    found = np.zeros(scores.shape, np.bool_)
    if len(scores):
        found[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return found


def by_class(named: Truth, truth: Truth, weights: NDArray[np.float64] | None = None) -> ByClass:
    """Compute precision, recall and F1 of each class.

    Args:
        named: what the model says.
        truth: what is so.
        weights: how often each picture counts, (N,).

    Returns:
        Figures; F1 is 0 where a class occurs or is named but never rightly, nan where neither.
    """
    each = np.ones(len(truth)) if weights is None else weights
    right = each @ (named & truth)
    claimed, real = each @ named, each @ truth
    with np.errstate(divide="ignore", invalid="ignore"):
        return ByClass(
            precision=right / claimed,
            recall=right / real,
            f1=2 * right / (claimed + real),
            pictures=truth.sum(axis=0),
        )


def f_measures(named: Truth, truth: Truth, beta: float) -> NDArray[np.float64]:
    """Compute each class's F-measure that weighs recall `beta` times as much as precision.

    Returns:
        Shape (classes,); 0 and nan as `by_class` has them for F1.
    """
    weight = beta**2
    right = (named & truth).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = (
            (1 + weight) * right / (weight * truth.sum(axis=0) + named.sum(axis=0))
        )
    return found


def accuracy(named: Truth, truth: Truth, weights: NDArray[np.float64] | None = None) -> float:
    """Compute the share of pictures with exactly the right classes; nan for none."""
    if not len(truth):
        return float("nan")
    right = (named == truth).all(axis=1)
    if weights is not None and not weights.sum():
        return float("nan")
    return float(np.average(right, weights=weights))


def top_k(scores: Scores, truth: Truth, k: int) -> float:
    """Compute the share of pictures whose class is among the k surest."""
    if not len(truth):
        return float("nan")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(truth, best, axis=1).any(axis=1).mean())


def average_precision(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Compute the area under precision over recall of one class, step by step; nan if it's absent.

    As scikit-learn's `average_precision_score`: equal scores are one step.
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    recall = hits[ends] / hits[-1]
    precision = hits[ends] / (ends + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(scores: Scores, truth: Truth) -> float:
    """Take the mean over the classes that occur."""
    each = [average_precision(scores[:, i], truth[:, i]) for i in range(truth.shape[1])]
    return mean(np.array(each))


def confusion(scores: Scores, truth: Truth) -> NDArray[np.int64]:
    """Count pictures by true class (rows) and the surest class (columns); one class a picture."""
    count = truth.shape[1]
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (truth.argmax(axis=1), scores.argmax(axis=1)), 1)
    return table


def mean(values: NDArray[np.float64]) -> float:
    """Take the mean of what is a number; nan if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
