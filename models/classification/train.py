"""Training of a classifier, from a dataset folder to fitted weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.classification.augmentation import Augmentation
from models.classification.dataset import Changes, Pictures, collate
from models.classification.labels import Labels, read_labels
from models.classification.learner import ClassificationLearner
from models.classification.networks.classifier import build_network
from models.classification.networks.options import NetworkOptions
from models.classification.options import TrainOptions
from models.classification.samples import Samples
from models.classification.selection import Judge, class_weights, wanted
from models.outcomes import Checkpoints
from models.preprocessing import Preprocessing
from models.reporting import Reporter
from models.training.loop import Fitted, Splits, fit
from models.training.picture_cache import PictureCache

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def learn(
    dataset: Path, options: TrainOptions, checkpoints: Checkpoints, reporter: Reporter
) -> Fitted:
    """Fit the network; the package is made by `models.classification.family`.

    Raises:
        ValueError: the dataset or the options don't do.
    """
    train, val = read_labels(dataset, "train"), read_labels(dataset, "val")
    _check(train, val, options)
    preprocessing = preprocessing_of(options)
    torch.manual_seed(options.seed)
    network = build_network(
        options.network, len(train.classes), pretrained=checkpoints.resume is None
    )
    if options.network.weights == "none":
        reporter.log(f"training from scratch: no published weights for {options.network.name}")
    learner = ClassificationLearner(
        network,
        options,
        preprocessing,
        train.several,
        class_weights(train, options),
        teacher_of(options, train, preprocessing),
    )
    cache = PictureCache(options.cache, checkpoints.folder)
    often = wanted(train, options)
    splits = Splits(
        train=Pictures(train, preprocessing, cache, changes_of(options, preprocessing)),
        val=Pictures(val, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
        weights=lambda _: often,
    )
    judge = Judge(val, options.best_metric)
    samples = Samples(options, val, reporter)
    return fit(learner, splits, judge, judge.metric, checkpoints, reporter, [samples])


def preprocessing_of(options: TrainOptions) -> Preprocessing:
    """Say how pictures become the input that these options ask for."""
    side = options.network.image_size
    mean, std = normalisation(options.network)
    return Preprocessing(height=side, width=side, resize_mode=options.resize, mean=mean, std=std)


def normalisation(
    network: NetworkOptions,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Give mean and deviation of the pixels that published weights were made for."""
    import timm

    if network.weights == "none":
        return _IMAGENET
    known = timm.get_pretrained_cfg(network.name)
    if known is None:
        return _IMAGENET
    return tuple(known.mean), tuple(known.std)


def changes_of(options: TrainOptions, preprocessing: Preprocessing) -> Changes:
    """Say what is changed at random, and in which epochs."""
    return Changes(
        Augmentation(options.augmentation, preprocessing.fill),
        seed=options.seed,
        light_from=options.epochs - options.augmentation.off_epochs,
    )


def teacher_of(
    options: TrainOptions, labels: Labels, preprocessing: Preprocessing
) -> nn.Module | None:
    """Open the teacher's network; it sees the pupil's pictures, at its own normalisation.

    Raises:
        ValueError: it isn't a classifier of the same classes.
    """
    if not options.distill.model:
        return None
    from models.package import ModelPackage
    from models.runtimes.shipped import shipped_network

    package = ModelPackage.load(Path(options.distill.model))
    card = package.card
    if card.family != "classification" or card.class_names != labels.classes:
        raise ValueError(
            f"distill.model: the teacher is a {card.family} model of the classes "
            f"{', '.join(card.class_names)}; the dataset has {', '.join(labels.classes)}"
        )
    return Teacher(shipped_network(package).network, preprocessing, card.preprocessing)


class Teacher(nn.Module):
    """A network that takes another's normalised pictures."""

    factor: torch.Tensor
    offset: torch.Tensor

    def __init__(self, network: nn.Module, given: Preprocessing, own: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self._size = own.height, own.width

        def column(values: tuple[float, float, float]) -> torch.Tensor:
            return torch.tensor(values).view(1, 3, 1, 1)

        self.register_buffer("factor", column(given.std) / column(own.std))
        self.register_buffer("offset", (column(given.mean) - column(own.mean)) / column(own.std))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run on pictures normalised for the pupil, brought to this network's size."""
        images = images * self.factor + self.offset
        if images.shape[2:] != self._size:
            images = nn.functional.interpolate(
                images, self._size, mode="bilinear", align_corners=False, antialias=True
            )
        found: tuple[torch.Tensor, ...] = self.network(images)
        return found


def _check(train: Labels, val: Labels, options: TrainOptions) -> None:
    for split, labels in (("train", train), ("val", val)):
        if not len(labels) or not labels.truth.any():
            raise ValueError(f"the {split} split has no labelled pictures: nothing to learn from")
    if train.classes != val.classes:
        raise ValueError("train and val have other classes: prepare the dataset again")
    if options.label_smoothing and len(train.classes) < 2 and not train.several:
        raise ValueError("label_smoothing needs two classes or more; set it to 0")
