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
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models.outcomes import Checkpoints
from models.reporting import Reporter, Silence
from models.training.averaging import Averaging
from models.training.batch_size import CPU_BATCH, largest_batch
from models.training.bookkeeper import Bookkeeper, Judge
from models.training.devices import Device, choose_device, first_process
from models.training.interrupts import interrupts, leave_interrupts_alone
from models.training.learner import Learner
from models.training.options import TrainingOptions
from models.training.order import Key, TrainingLoader, TrainingOrder, Weights


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
    weights: Weights = lambda _: None
    """How often each training picture is wanted in an epoch."""


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
    held = _check(checkpoints.resume, learner)
    learner.batch_size = held.get("batch_size") or _batch_size(learner, splits, device)
    loader = _training_loader(splits, learner, device)
    learner.steps = training_steps(splits.train_size, options, device.world, learner.batch_size)
    learner.validate_every = validation_interval(options, len(loader))
    if options.sync_batch_norm:
        learner.network = synchronised(learner.network, device)
    averaging = Averaging(options.ema)
    checkpoints.stop_requested()  # who answers by taking Ctrl-C does so now: last in, first out
    with _threads(options.threads or cores_each(device)), interrupts(reporter.log) as pressed:
        books = Bookkeeper(
            learner, averaging, loader, judge, metric, checkpoints, reporter, pressed
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
                _validation_loader(splits, learner, device),
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


def cores_each(device: Device) -> int:
    """Threads for each of several processes on a CPU; 0 leaves torch's own choice."""
    if device.devices == 1:
        return 0
    return max(1, (os.cpu_count() or 1) // device.devices)


def training_steps(
    pictures: int, options: TrainingOptions, processes: int = 1, batch_size: int = 0
) -> int:
    """Count the optimizer steps of a whole training; `batch_size` replaces that of `options`."""
    size = batch_size or int(options.batch_size)
    batches = math.ceil(math.ceil(pictures / processes) / size)
    steps = options.epochs * math.ceil(batches / options.accumulate)
    return min(steps, options.max_steps) if options.max_steps else steps


def validation_interval(options: TrainingOptions, batches: int) -> int:
    """Say how many epochs lie between validations where an epoch has so many batches."""
    if options.validate_every != "auto":
        return options.validate_every
    return max(1, round(5.0 * math.exp(-batches / 40.0)))


def _batch_size(learner: Learner, splits: Splits, device: Device) -> int:
    if learner.options.batch_size != "auto":
        return learner.options.batch_size
    if device.world > 1:
        raise ValueError(
            "batch_size=auto finds the size for one process; with several give a number"
        )
    if not device.cuda:
        return CPU_BATCH
    most = min(256, splits.train_size)

    def batch(size: int) -> Any:
        keys = [Key(0, place % splits.train_size, 0) for place in range(size)]
        return splits.collate([splits.train[key] for key in keys])

    return largest_batch(learner, batch, most, device)


def synchronised(network: nn.Module, device: Device) -> nn.Module:
    """Let batch norm layers, timm's own among them, average over all processes.

    Raises:
        ValueError: no other GPU trains along.
    """
    if not device.cuda or device.world == 1:
        raise ValueError(
            "sync_batch_norm=true has no effect here: it needs several GPUs that train together "
            "(devices=2 or torchrun)"
        )
    from timm.layers.norm_act import convert_sync_batchnorm

    converted: nn.Module = convert_sync_batchnorm(network)
    return converted


def _training_loader(splits: Splits, learner: Learner, device: Device) -> TrainingLoader:
    options = learner.options
    order = TrainingOrder(splits.train_size, learner.batch_size, options.seed, splits.weights)
    workers = device.workers(options)
    loader = TrainingLoader(
        splits.train,
        batch_sampler=order,
        collate_fn=splits.collate,
        num_workers=workers,
        worker_init_fn=leave_interrupts_alone,
        pin_memory=device.cuda,
        persistent_workers=workers > 0,
    )
    loader.order = order
    return loader


def _validation_loader(splits: Splits, learner: Learner, device: Device) -> DataLoader[Any]:
    # Each process takes every n-th picture; none is seen twice.
    rank = int(os.environ.get("RANK", "0")) if device.world > 1 else 0
    workers = device.workers(learner.options)
    return DataLoader(
        splits.val,
        batch_size=learner.batch_size,
        sampler=range(rank, splits.val_size, device.world),
        collate_fn=splits.collate,
        num_workers=workers,
        worker_init_fn=leave_interrupts_alone,
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
        f"batches of {learner.batch_size}, {torch.get_num_threads()} threads"
        + (f", going on from {resume.name}" if resume else "")
    )


def _quieten() -> None:
    """Leave the talking to the reporter."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for message in (".*does not have many workers.*", ".*in eval mode.*", ".*LeafSpec.*"):
        warnings.filterwarnings("ignore", message)
