"""A few more epochs for a shipped detector, with the loop and the losses of its training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.detection.dataset import Pictures, collate, read_labels
from models.detection.learner import DetectionLearner
from models.detection.networks.detector import Detector
from models.detection.options import TrainOptions
from models.detection.selection import Judge
from models.detection.train import changes_of
from models.outcomes import Checkpoints
from models.package import ModelCard
from models.reporting import Reporter
from models.training.loop import Splits, fit
from models.training.options import FinetuneOptions
from models.training.picture_cache import PictureCache
from models.training.weights import distinct_tensors


def finetune(
    card: ModelCard,
    network: nn.Module,
    dataset: Path,
    options: FinetuneOptions,
    scratch: Path,
    reporter: Reporter,
) -> dict[str, float]:
    """Teach a detector, in place; see `models.families.Family.finetune`."""
    assert isinstance(network, Detector)
    train, val = read_labels(dataset, "train"), read_labels(dataset, "val")
    if card.class_names != train.classes:
        raise ValueError(
            f"the model knows the classes {', '.join(card.class_names)}, the dataset {dataset} has "
            f"{', '.join(train.classes)}: use one with the model's classes in its order"
        )
    wanted = TrainOptions.model_validate(
        {
            "network": card.network,
            "resize": card.preprocessing.resize_mode,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "max_steps": options.max_steps,
            "device": "cpu",
            "precision": "float32",
            "optimizer": {"lr": options.lr, "weight_decay": 0.0},
            "ema": {"decay": 0.0},
            "samples": {"count": 0},
            # The network has seen changed pictures enough; now it is to get used to rounding.
            "augmentation": {"mosaic": 0, "mixup": 0, "multiscale": 0},
        }
    )
    preprocessing = card.preprocessing
    learner = DetectionLearner(network, wanted, preprocessing, len(card.classes))
    cache = PictureCache(wanted.cache, scratch)
    splits = Splits(
        train=Pictures(train, preprocessing, cache, changes_of(wanted, preprocessing)),
        val=Pictures(val, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
    )
    judge = Judge(val, preprocessing, wanted.best_metric)
    checkpoints = Checkpoints(scratch, None, lambda _: None)
    fitted = fit(learner, splits, judge, judge.metric, checkpoints, reporter)
    with torch.no_grad():
        for name, value in distinct_tensors(network).items():
            value.copy_(fitted.weights[name])
    return fitted.metrics
