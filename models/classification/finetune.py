"""A few more epochs for a shipped classifier, with the loop and the loss of its training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.classification.dataset import Pictures, collate
from models.classification.labels import labels_for
from models.classification.learner import ClassificationLearner
from models.classification.networks.classifier import Classifier
from models.classification.options import TrainOptions
from models.classification.selection import Judge
from models.classification.train import changes_of
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
    """Teach a classifier, in place; see `models.families.Family.finetune`."""
    assert isinstance(network, Classifier)
    train, val = (labels_for(dataset, split, card.class_names) for split in ("train", "val"))
    wanted = TrainOptions.model_validate(
        {
            "network": {**card.network, "weights": "none", "freeze": False},
            "resize": card.preprocessing.resize_mode,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "max_steps": options.max_steps,
            "device": "cpu",
            "precision": "float32",
            "optimizer": {"lr": options.lr, "weight_decay": 0.0},
            "ema": {"decay": 0.0},
            "samples": {"count": 0},
        }
    )
    preprocessing = card.preprocessing
    learner = ClassificationLearner(network, wanted, preprocessing, train.several)
    cache = PictureCache(wanted.cache, scratch)
    splits = Splits(
        train=Pictures(train, preprocessing, cache, changes_of(wanted, preprocessing)),
        val=Pictures(val, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
    )
    judge = Judge(val, wanted.best_metric)
    checkpoints = Checkpoints(scratch, None, lambda _: None)
    fitted = fit(learner, splits, judge, judge.metric, checkpoints, reporter)
    with torch.no_grad():
        for name, value in distinct_tensors(network).items():
            value.copy_(fitted.weights[name])
    return fitted.metrics
