"""The baseline: logistic regression on the features of a frozen network, as a package like others.

The scaling of the features and the coefficients become the network's head, so that every runtime
runs it and every stage measures it as any other classifier.
"""

from __future__ import annotations

import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.classification.dataset import Pictures, collate
from models.classification.labels import Labels, read_labels
from models.classification.metrics.calibration import log_loss
from models.classification.metrics.figures import accuracy, by_class, mean, said
from models.classification.naming import confidences
from models.classification.networks.classifier import Classifier, build_network
from models.classification.options import BaselineOptions, TrainOptions
from models.classification.packaging import WEIGHTS, save_package
from models.classification.train import preprocessing_of
from models.normalisation import Normalisation
from models.outcomes import TrainingOutcome
from models.reporting import Reporter
from models.training.files import save_weights
from models.training.options import CacheOptions
from models.training.picture_cache import PictureCache
from models.training.weights import distinct_tensors

Features = NDArray[np.float64]


def baseline(
    dataset: Path, options: BaselineOptions, folder: Path, reporter: Reporter
) -> TrainingOutcome:
    """Fit the baseline on train and choose its regularisation on val.

    Args:
        dataset: prepared dataset folder.
        options: network, solver.
        folder: takes the package.
        reporter: takes progress.

    Raises:
        ValueError: no scikit-learn, a network without a linear head, or a class that train lacks.
    """
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError(
            "baseline needs scikit-learn, which is not installed: pip install 'sightline[train]'"
        ) from None
    start = time.monotonic()
    train, val = read_labels(dataset, "train"), read_labels(dataset, "val")
    torch.manual_seed(options.seed)
    network = build_network(options.network, len(train.classes), pretrained=True).eval()
    head = network.head
    if options.network.weights == "none":
        reporter.log(
            "the baseline's network has random weights: a weak baseline; baseline.network.weights="
            "hub makes it a strong one"
        )
    known = TrainOptions(network=options.network, resize=options.resize)
    preprocessing = preprocessing_of(known)
    cache = PictureCache(CacheOptions(where="none"), folder)
    found = [
        _features(network, Pictures(one, preprocessing, cache), preprocessing, options, reporter)
        for one in (train, val)
    ]
    middle, spread = found[0].mean(axis=0), found[0].std(axis=0)
    spread[spread < 1e-6] = 1.0
    scaled = [(one - middle) / spread for one in found]
    best: tuple[float, dict[str, float], Any, Any] | None = None
    for number, strength in enumerate(options.strengths, start=1):
        weights, bias = _fit(scaled[0], train, strength, options.steps)
        figures = _figures(scaled[1] @ weights.T + bias, val)
        reporter.progress("fitting", number, len(options.strengths))
        reporter.log(f"C={strength:g}: accuracy {figures['accuracy']:.4f} on val")
        if best is None or figures["accuracy"] > best[0]:
            best = figures["accuracy"], figures, weights, bias
    assert best is not None
    _, figures, weights, bias = best
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights / spread))
        head.bias.copy_(torch.from_numpy(bias - (weights / spread) @ middle))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / WEIGHTS
    tensors = {
        name: value.to("cpu", copy=True).contiguous()
        for name, value in distinct_tensors(network).items()
    }
    save_weights(tensors, file)
    package = folder / "package"
    shutil.rmtree(package, ignore_errors=True)
    save_package(
        package, file, dataset, options.network, preprocessing, figures, "sightline baseline"
    )
    return TrainingOutcome(package, figures, 1, 1, time.monotonic() - start)


def _features(
    network: Classifier,
    pictures: Pictures,
    preprocessing: Any,
    options: BaselineOptions,
    reporter: Reporter,
) -> Features:
    normalise = Normalisation(preprocessing)
    rows: list[Features] = []
    with torch.inference_mode():
        for start in range(0, len(pictures), options.batch_size):
            end = min(start + options.batch_size, len(pictures))
            batch = collate([pictures[index] for index in range(start, end)])
            rows.append(network.embed(normalise(batch["images"])).double().numpy())
            reporter.progress("computing features", end, len(pictures))
    return np.concatenate(rows)


def _fit(
    features: Features, labels: Labels, strength: float, steps: int
) -> tuple[Features, Features]:
    """Fit coefficients (classes, F) and intercepts (classes,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    def fitted(truth: Any) -> Any:
        model = LogisticRegression(C=strength, max_iter=steps)
        with warnings.catch_warnings():
            # Another strength, or fewer steps than to the last digit, is good enough here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(features, truth)

    count = len(labels.classes)
    missing = [labels.classes[i] for i in np.flatnonzero(~labels.truth.any(axis=0))]
    if missing:
        raise ValueError(f"train has no picture of {', '.join(missing)}: leave the class out")
    if not labels.several:
        model = fitted(labels.single)
        weights, bias = model.coef_, model.intercept_
        if count == 2:  # one row for both classes
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return weights, bias
    weights, bias = np.zeros((count, features.shape[1])), np.zeros(count)
    for index in range(count):
        if labels.truth[:, index].all():
            bias[index] = 10.0  # every picture has it
            continue
        model = fitted(labels.truth[:, index])
        weights[index], bias[index] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _figures(logits: Features, labels: Labels) -> dict[str, float]:
    kind = "sigmoid" if labels.several else "softmax"
    given = logits.astype(np.float32)
    named = said(confidences(given, kind), 0.5, labels.several)
    return {
        "accuracy": accuracy(named, labels.truth),
        "f1": mean(by_class(named, labels.truth).f1),
        "log loss": log_loss(given, labels.truth, kind, 1.0),
    }
