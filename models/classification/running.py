"""Running a package over a split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.classification.labels import Labels
from models.data.reading import read_picture
from models.package.card import Precision
from models.reporting import Image, Reporter


def predict_logits(
    package: Path,
    labels: Labels,
    reporter: Reporter,
    runtime: str = "torch",
    batch_size: int = 32,
    precision: Precision | None = None,
) -> NDArray[np.float32]:
    """Run a package over a split.

    Returns:
        Logits, (N, classes).
    """
    from models.runtimes import load_predictor

    rows: list[NDArray[np.float32]] = []
    with load_predictor(
        package, runtime=runtime, batch_size=batch_size, precision=precision
    ) as predictor:
        for images in _batches(labels, batch_size):
            outputs, _ = predictor.raw(images)
            rows += list(outputs[0])
            reporter.progress("predicting", len(rows), len(labels))
    return np.array(rows, np.float32).reshape(len(labels), len(labels.classes))


def embeddings(
    package: Path, labels: Labels, most: int, reporter: Reporter
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Compute the features that the head sees, of pictures spread over a split.

    Returns:
        Features (M, F) and the indices of their pictures (M,).
    """
    import torch

    from models.classification.networks.classifier import Classifier
    from models.package import ModelPackage
    from models.runtimes.shipped import shipped_network

    opened = ModelPackage.load(package)
    shipped = shipped_network(opened)
    network = shipped.network
    assert isinstance(network, Classifier)
    kept = np.unique(
        np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(np.int64)
    )
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(kept), 32):
            block = kept[start : start + 32]
            images = [read_picture(labels.folder / labels.files[i]) for i in block.tolist()]
            inputs, _ = opened.card.preprocessing(images)
            found = network.embed(shipped.normalisation(torch.from_numpy(inputs)))
            rows += list(found.float().numpy())
            reporter.progress("computing features", len(rows), len(kept))
    return np.array(rows, np.float32), kept


def _batches(labels: Labels, size: int) -> Iterator[list[Image]]:
    for first in range(0, len(labels), size):
        yield [read_picture(labels.folder / file) for file in labels.files[first : first + size]]
