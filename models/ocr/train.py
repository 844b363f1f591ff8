"""Training of a reader, from a dataset folder to a model package."""

from __future__ import annotations

from pathlib import Path

import torch

from models.ocr.alphabet import Alphabet
from models.ocr.augmentation import Augmentation
from models.ocr.data.reading import Lines
from models.ocr.dataset import Changes, Pictures, collate
from models.ocr.decoding.decoder import Decoder, check_lengths
from models.ocr.direction import direction_of
from models.ocr.labels import read_lines, read_vocabulary
from models.ocr.learner import ReadingLearner
from models.ocr.networks.building import build_network
from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.sizes import check_room
from models.ocr.options import TrainOptions
from models.ocr.samples import Samples
from models.ocr.selection import Judge
from models.ocr.sequence import longest, steps_needed
from models.outcomes import Checkpoints
from models.preprocessing import Preprocessing
from models.reporting import Reporter
from models.training.loop import Fitted, Splits, fit
from models.training.picture_cache import PictureCache

_TIGHT = 1.25
"""Steps for each step that the longest text needs, below which reading gets hard."""


def learn(
    dataset: Path, options: TrainOptions, checkpoints: Checkpoints, reporter: Reporter
) -> tuple[Fitted, Alphabet]:
    """Fit the network; the package is made by `models.ocr.family`.

    Raises:
        ValueError: the dataset or the options don't do.
    """
    train, val = read_lines(dataset, "train"), read_lines(dataset, "val")
    alphabet = alphabet_of(dataset, train, val, options)
    _check(train, val, options, alphabet, reporter)
    preprocessing = preprocessing_of(options)
    torch.manual_seed(options.seed)
    network = build_network(options.network, len(alphabet), pretrained=checkpoints.resume is None)
    if options.network.weights == "none":
        reporter.log(f"training from scratch: no published weights for {options.network.name}")
    learner = ReadingLearner(network, options, preprocessing)
    cache = PictureCache(options.cache, checkpoints.folder)
    splits = Splits(
        train=Pictures(train, alphabet, preprocessing, cache, changes_of(options)),
        val=Pictures(val, alphabet, preprocessing, cache),
        collate=collate,
        train_size=len(train),
        val_size=len(val),
    )
    decoder = Decoder(alphabet, options.decoding.settings())
    judge = Judge(val, decoder, options.best_metric)
    samples = Samples(options, val, decoder, reporter)
    fitted = fit(learner, splits, judge, judge.metric, checkpoints, reporter, [samples])
    return fitted, alphabet


def alphabet_of(dataset: Path, train: Lines, val: Lines, options: TrainOptions) -> Alphabet:
    """Take the vocabulary from the options, or else from the dataset.

    Raises:
        ValueError: the texts have other characters than the options give.
    """
    direction = options.direction
    if direction == "auto":
        direction = direction_of(train.texts)
    alphabet = Alphabet(options.vocabulary or read_vocabulary(dataset), direction)
    unknown = alphabet.unknown(train.texts) or alphabet.unknown(val.texts)
    if unknown:
        shown = ", ".join(f"'{letter}' (U+{ord(letter):04X})" for letter in unknown[:8])
        raise ValueError(
            f"vocabulary has {len(alphabet)} characters, but the dataset's texts also have {shown}"
            f"{' ...' if len(unknown) > 8 else ''}; add them, or prepare the dataset with that "
            f"vocabulary to set such lines aside"
        )
    return alphabet


def preprocessing_of(options: TrainOptions) -> Preprocessing:
    """Say how pictures become the input that these options ask for."""
    network = options.network
    mean, std = normalisation(network)
    return Preprocessing(
        height=network.height,
        width=network.width,
        resize_mode=options.resize,
        mean=mean,
        std=std,
    )


def normalisation(
    network: NetworkOptions,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Give mean and deviation, RGB, of the pixels from 0 to 1 that the weights were made for."""
    plain = (0.5, 0.5, 0.5)
    if network.weights == "none":
        return plain, plain
    import timm

    known = timm.get_pretrained_cfg(network.backbone)
    return (tuple(known.mean), tuple(known.std)) if known else (plain, plain)


def changes_of(options: TrainOptions) -> Changes:
    """Say what is changed at random, and in which epochs."""
    wanted = options.augmentation
    until = options.epochs - wanted.off_epochs if wanted.off_epochs else None
    return Changes(Augmentation(wanted), seed=options.seed, until=until)


def _check(
    train: Lines, val: Lines, options: TrainOptions, alphabet: Alphabet, reporter: Reporter
) -> None:
    for split, lines in (("train", train), ("val", val)):
        if not len(lines):
            raise ValueError(f"the {split} split has no lines; give prepare a larger share for it")
    if not any(train.texts):
        raise ValueError("all texts of the train split are empty: nothing to learn from")
    text = longest([longest(train.texts), longest(val.texts)])
    found = check_room(options.network, text)
    needed = steps_needed(text)
    check_lengths(options.decoding.symbology, found.steps)
    if found.steps < _TIGHT * needed:
        reporter.log(
            f"warning: the longest text needs {needed} of the sequence's {found.steps} steps; "
            f"reading is easier with twice as many: raise network.width or lower network.stride"
        )
    reporter.log(
        f"{len(alphabet)} characters, {alphabet.direction}; sequence of {found.steps} steps, the "
        f"longest text needs {needed}; feature map of {found.channels} channels, {found.rows} rows"
    )
