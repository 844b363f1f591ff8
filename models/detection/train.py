"""Training of a detector, from a dataset folder to a model package."""

from __future__ import annotations

from pathlib import Path

import torch

from models.detection.augmentation import Augmentation
from models.detection.dataset import Changes, Labels, Pictures, collate, read_labels
from models.detection.learner import DetectionLearner
from models.detection.networks.backbones import normalisation
from models.detection.networks.building import build_network
from models.detection.options import TrainOptions
from models.detection.samples import Samples
from models.detection.selection import Judge, Wanted
from models.outcomes import Checkpoints
from models.preprocessing import Preprocessing
from models.reporting import Reporter
from models.training.loop import Fitted, Splits, fit
from models.training.picture_cache import PictureCache


def learn(
    dataset: Path, options: TrainOptions, checkpoints: Checkpoints, reporter: Reporter
) -> Fitted:
    """Fit the network; the package is made by `models.detection.family`.

    Raises:
        ValueError: the dataset or the options don't do.
    """
    train, val = read_labels(dataset, "train"), read_labels(dataset, "val")
    _check(train, val, options, reporter)
    preprocessing = preprocessing_of(options)
    torch.manual_seed(options.seed)
    network = build_network(
        options.network, len(train.classes), pretrained=checkpoints.resume is None
    )
    if options.network.weights == "none":
        reporter.log(f"training from scratch: no published weights for {options.network.name}")
    learner = DetectionLearner(network, options, preprocessing, len(train.classes))
    cache = PictureCache(options.cache, checkpoints.folder)
    splits = Splits(
        train=Pictures(train, preprocessing, cache, changes_of(options, preprocessing)),
        val=Pictures(val, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
        weights=Wanted(train, options),
    )
    judge = Judge(val, preprocessing, options.best_metric)
    samples = Samples(options, val, preprocessing, reporter)
    return fit(learner, splits, judge, judge.metric, checkpoints, reporter, [samples])


def preprocessing_of(options: TrainOptions) -> Preprocessing:
    """Say how pictures become the input that these options ask for."""
    network = options.network
    side = network.side
    mean, std = normalisation(network)
    return Preprocessing(height=side, width=side, resize_mode=options.resize, mean=mean, std=std)


def changes_of(options: TrainOptions, preprocessing: Preprocessing) -> Changes:
    """Say what is changed at random, and in which epochs."""
    wanted = options.augmentation
    return Changes(
        Augmentation(wanted, preprocessing.fill),
        seed=options.seed,
        multiscale=wanted.multiscale,
        combine_until=options.epochs - wanted.mosaic_off_epochs,
        light_from=options.epochs - wanted.off_epochs,
    )


def _check(train: Labels, val: Labels, options: TrainOptions, reporter: Reporter) -> None:
    if not len(train) or not sum(map(len, train.labels)):
        raise ValueError("the train split has no labelled objects: nothing to learn from")
    if not len(val) or not sum(map(len, val.labels)):
        raise ValueError(
            "the val split has no labelled objects, so no epoch can be called the best; give "
            "prepare a larger share for val"
        )
    changes = options.augmentation
    if (changes.mosaic or changes.mixup) and options.epochs <= max(
        changes.mosaic_off_epochs, changes.off_epochs
    ):
        reporter.log(
            f"warning: augmentation.mosaic and mixup are off in all {options.epochs} epochs: "
            f"augmentation.mosaic_off_epochs={changes.mosaic_off_epochs}, "
            f"off_epochs={changes.off_epochs}"
        )
    most = max(len(classes) for classes in (*train.labels, *val.labels))
    if "queries" in options.network.entry.options and most > options.network.query_count:
        reporter.log(
            f"warning: a picture holds {most} objects, but network.queries="
            f"{options.network.queries} finds no more than that; set it to {most} or more"
        )
