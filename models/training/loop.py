"""The training loop: Lightning, set up so that a run can be cut anywhere and ends the same."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.families import Checkpoints
from models.reporting import Reporter, Silence
from models.training.averaging import Averaging
from models.training.bookkeeper import Bookkeeper, Judge
from models.training.devices import Device, choose_device, first_process
from models.training.interrupts import interrupts
from models.training.learner import Learner
from models.training.options import TrainingOptions
from models.training.order import TrainingLoader, TrainingOrder


@dataclass(frozen=True)
class Fitted:
    """What a training ends with."""

    weights: dict[str, Tensor]
    """The best epoch's weights, on the CPU."""
    metrics: dict[str, float]
    """The best epoch's validation figures."""
    best_epoch: int
    epochs: int
    seconds: float
    interrupted: bool


@dataclass(frozen=True)
class Splits:
    """The data to learn from and to be judged on, as torch datasets."""

    train: Dataset[Any]
    """Answers `(epoch, index)` keys."""
    val: Dataset[Any]
    """Answers plain indices."""
    collate: Callable[[list[Any]], Any]
    train_size: int
    val_size: int


def fit(
    learner: Learner,
    splits: Splits,
    judge: Judge,
    metric: str,
    checkpoints: Checkpoints,
    reporter: Reporter,
    callbacks: Sequence[lightning.Callback] = (),
) -> Fitted:
    """Train to the end, from the start or from a checkpoint.

    On a CPU in float32 a resumed training ends with the same weights, to the bit, as one that was
    never cut.

    Args:
        learner: network and loss.
        splits: the data.
        judge: scores the predictions of the validation split.
        metric: the figure of `judge` that is to be greatest.
        checkpoints: where checkpoints go and where to resume from.
        reporter: takes curves, progress and log lines. A resumed training repeats all points of
            its curves, so that none is missing; whoever has some of them drops those.
        callbacks: a family's own, run before the loop's.

    Raises:
        ValueError: the checkpoint is of another training, the device isn't there, or the training
            diverged.
    """
    options = learner.options
    device = choose_device(options)
    if not first_process():
        reporter = Silence()
    loader = _training_loader(splits, options, device)
    learner.steps = training_steps(splits.train_size, options, device.world)
    averaging = Averaging(options.ema)
    checkpoints.stop_requested()  # who answers by taking Ctrl-C does so now: last in, first out
    with _threads(options.threads), interrupts(reporter.log) as pressed:
        books = Bookkeeper(
            options, averaging, loader, judge, metric, checkpoints, reporter, pressed
        )
        _quieten()
        trainer = lightning.Trainer(
            **device.trainer_arguments(),
            max_epochs=options.epochs,
            min_epochs=0,
            accumulate_grad_batches=options.accumulate,
            callbacks=[averaging, *callbacks, books],
            default_root_dir=checkpoints.folder,
            use_distributed_sampler=False,  # `TrainingOrder` shares out the pictures itself
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        held = _check(checkpoints.resume, learner)
        if held.get("finished"):
            books.load_state_dict(held)
        else:
            if held:
                # Lightning does so only in mid-epoch, and loader processes look ahead at once.
                loader.load_state_dict(held["place"])
            _say_start(learner, device, checkpoints.resume, reporter)
            checkpoints.folder.mkdir(parents=True, exist_ok=True)
            trainer.fit(
                learner,
                loader,
                _validation_loader(splits, options, device),
                ckpt_path=checkpoints.resume,
                weights_only=True,
            )
    books.repeat(reporter, torch.device("cpu"))  # nothing was left to train
    if not books.best.weights:
        raise ValueError("training ended before its first validation: nothing was learned")
    return Fitted(
        weights=books.best.weights,
        metrics=books.best.metrics,
        best_epoch=books.best.epoch,
        epochs=books.epochs,
        seconds=books.seconds,
        interrupted=books.interrupted,
    )


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def training_steps(pictures: int, options: TrainingOptions, processes: int = 1) -> int:
    """Count the optimizer steps of a whole training."""
    batches = math.ceil(math.ceil(pictures / processes) / options.batch_size)
    steps = options.epochs * math.ceil(batches / options.accumulate)
    return min(steps, options.max_steps) if options.max_steps else steps


def _training_loader(splits: Splits, options: TrainingOptions, device: Device) -> TrainingLoader:
    order = TrainingOrder(splits.train_size, options.batch_size, options.seed)
    workers = device.workers(options)
    loader = TrainingLoader(
        splits.train,
        batch_sampler=order,
        collate_fn=splits.collate,
        num_workers=workers,
        pin_memory=device.cuda,
        persistent_workers=workers > 0,
    )
    loader.order = order
    return loader


def _validation_loader(splits: Splits, options: TrainingOptions, device: Device) -> DataLoader[Any]:
    # Each process takes every n-th picture; none is seen twice.
    rank = int(os.environ.get("RANK", "0")) if device.world > 1 else 0
    workers = device.workers(options)
    return DataLoader(
        splits.val,
        batch_size=options.batch_size,
        sampler=range(rank, splits.val_size, device.world),
        collate_fn=splits.collate,
        num_workers=workers,
        pin_memory=device.cuda,
        persistent_workers=workers > 0,
    )


def _check(file: Path | None, learner: Learner) -> dict[str, Any]:
    """Refuse a checkpoint that cannot be one of this training.

    Returns:
        What the bookkeeper stored in it, or nothing.
    """
    if file is None:
        return {}
    try:
        held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        state, books = held["state_dict"], held["callbacks"][Bookkeeper.__qualname__]
    except FileNotFoundError:
        raise ValueError(f"there is no checkpoint {file} to resume from") from None
    except Exception as error:  # unpickling, zip and key errors have no common base
        raise ValueError(f"{file} is no checkpoint of a training here") from error
    wanted = learner.state_dict()
    wrong = sorted(set(wanted) ^ set(state)) or sorted(
        name for name, value in wanted.items() if value.shape != state[name].shape
    )
    if wrong:
        raise ValueError(
            f"the checkpoint {file} is of another network than these options describe "
            f"({len(wrong)} tensors differ, {wrong[0]} among them); train from the start instead"
        )
    found: dict[str, Any] = books
    return found


def _say_start(learner: Learner, device: Device, resume: Path | None, reporter: Reporter) -> None:
    parameters = sum(p.numel() for p in learner.network.parameters())
    reporter.log(
        f"training {parameters / 1e6:.2f} M parameters for {learner.steps} steps on "
        f"{device.devices * device.nodes} x {device.accelerator} in {device.precision}, "
        f"{torch.get_num_threads()} threads" + (f", going on from {resume.name}" if resume else "")
    )


def _quieten() -> None:
    """Leave the talking to the reporter."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for message in (".*does not have many workers.*", ".*in eval mode.*", ".*LeafSpec.*"):
        warnings.filterwarnings("ignore", message)
