"""A few more epochs for a shipped reader, with the loop and the loss of its training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.ocr.dataset import Pictures, collate
from models.ocr.learner import ReadingLearner
from models.ocr.networks.reader import Reader
from models.ocr.options import TrainOptions
from models.ocr.postprocessing import steps_of
from models.ocr.predicting import lines_for
from models.ocr.selection import Judge
from models.ocr.train import changes_of
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
    """Teach a reader, in place; see `models.families.Family.finetune`."""
    assert isinstance(network, Reader)
    train, val = lines_for(card, dataset, "train"), lines_for(card, dataset, "val")
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
        }
    )
    decoder = steps_of(card).decoder(card.class_names)
    learner = ReadingLearner(network, wanted, card.preprocessing)
    cache = PictureCache(wanted.cache, scratch)
    alphabet, preprocessing = decoder.alphabet, card.preprocessing
    splits = Splits(
        train=Pictures(train, alphabet, preprocessing, cache, changes_of(wanted)),
        val=Pictures(val, alphabet, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
    )
    judge = Judge(val, decoder, wanted.best_metric)
    checkpoints = Checkpoints(scratch, None, lambda _: None)
    fitted = fit(learner, splits, judge, judge.metric, checkpoints, reporter)
    with torch.no_grad():
        for name, value in distinct_tensors(network).items():
            value.copy_(fitted.weights[name])
    return fitted.metrics
