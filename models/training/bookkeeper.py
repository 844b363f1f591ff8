"""Keeps the books of a training: best epoch, checkpoints, curves, time, and when to end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import Tensor

from models.outcomes import Checkpoints
from models.reporting import Reporter
from models.training.averaging import Averaging
from models.training.curves import Curves
from models.training.files import BEST, LAST, save_weights
from models.training.learner import Learner
from models.training.order import TrainingLoader
from models.training.progress import clock, memory

Judge = Callable[[Sequence[Any]], dict[str, float]]
"""Scores the predictions of a whole validation split."""

_NEVER = 10**9


@dataclass
class Best:
    """The best epoch so far."""

    epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


class Bookkeeper(lightning.Callback):  # type: ignore[misc]
    """The loop's memory; all of it is in the checkpoint."""

    def __init__(
        self,
        learner: Learner,
        averaging: Averaging,
        loader: TrainingLoader,
        judge: Judge,
        metric: str,
        checkpoints: Checkpoints,
        reporter: Reporter,
        interrupted: Callable[[], bool],
    ) -> None:
        self.best = Best()
        self.epochs = 0
        self.seconds = 0.0
        self.interrupted = False
        self.finished = False
        self._learner = learner
        self._options = learner.options
        self._averaging = averaging
        self._loader = loader
        self._judge = judge
        self._metric = metric
        self._checkpoints = checkpoints
        self._reporter = reporter
        self._interrupted = interrupted
        self._curves = Curves()
        self._loaded: dict[str, Any] | None = None
        self._bad = 0
        self._flat = 0
        self._steps = 0
        self._ticked = 0.0
        self._epoch_seconds = 0.0
        self._epoch_pictures = 0
        self._trained_seconds = 0.0

    # Start and end.

    def on_train_start(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Take up what a checkpoint held."""
        self.repeat(self._reporter, learner.device)
        self._steps = trainer.global_step
        self._ticked = time.monotonic()

    def repeat(self, reporter: Reporter, device: torch.device) -> None:
        """Take up the curves that a checkpoint held, and report all their points again.

        A killed process may have lost its last reports. Whoever takes them drops points that it
        has already.
        """
        if self._loaded is not None:
            self._curves.load_state_dict(self._loaded, device)
            self._curves.report(reporter)
            self._loaded = None

    def _tick(self) -> float:
        """Add the time since the last call to the training's."""
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        self.seconds += passed
        return passed

    def on_train_epoch_start(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Shuffle and augment anew. Lightning does this for samplers, not for batch samplers."""
        self._loader.order.set_epoch(trainer.current_epoch)

    # Batches.

    def on_train_batch_start(
        self, trainer: lightning.Trainer, learner: Learner, batch: Any, batch_idx: int
    ) -> None:
        """Decide whether this epoch is validated; not at its start, which a resume may skip."""
        due = self._due(trainer, learner.validate_every)
        trainer.check_val_every_n_epoch = 1 if due else _NEVER

    def _due(self, trainer: lightning.Trainer, every: int) -> bool:
        epoch = trainer.current_epoch + 1
        return bool(epoch % every == 0 or epoch >= self._options.epochs)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        learner: Learner,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count, checkpoint, and see whether to stop."""
        self._epoch_seconds += self._tick()
        self._epoch_pictures += outputs["pictures"] * trainer.world_size
        self._curves.batch(outputs["parts"], outputs["pictures"])
        self._loader.done = (trainer.current_epoch, batch_idx + 1)
        stepped = trainer.global_step > self._steps
        if stepped:
            self._steps = trainer.global_step
            self._curves.step(learner.gradient_norm)
        self._reporter.progress("training", trainer.global_step, learner.steps)
        if not stepped:
            return  # half of an accumulated step is nothing to stop at or to resume from
        self._stop_if_asked(trainer)
        every = self._options.checkpoint_steps
        whole = batch_idx + 1 >= trainer.num_training_batches
        if not whole and (self.interrupted or (every and self._steps % every == 0)):
            self._save(trainer)

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        asked = self._interrupted() or self._checkpoints.stop_requested()
        minutes = self._options.max_minutes
        late = 0.0 < minutes * 60.0 <= self.seconds
        capped = 0 < self._options.max_steps <= trainer.global_step
        if trainer.world_size > 1:  # every process must leave the loop at the same batch
            asked = bool(trainer.strategy.reduce_boolean_decision(asked, all=False))
            late = bool(trainer.strategy.reduce_boolean_decision(late, all=False))
        self.interrupted = self.interrupted or asked
        if asked or late or capped:
            trainer.should_stop = True
            trainer.check_val_every_n_epoch = 1

    # Validations and epochs.

    def on_validation_start(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Begin with no predictions."""
        learner.predictions.clear()

    def on_validation_end(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Judge the predictions; keep the weights if they are the best so far."""
        metrics = self._score(trainer, learner.predictions)
        epoch = trainer.current_epoch + 1
        self._curves.add("validation", metrics, epoch)
        before = self.best.metrics.get(self._metric, -math.inf)
        if not self.best.weights or metrics[self._metric] > before:
            weights = {
                name: value.to("cpu", copy=True)
                for name, value in self._averaging.weights(learner).items()
            }
            self.best = Best(epoch, metrics, weights)
            self._bad = self._flat = 0
            if trainer.is_global_zero:
                save_weights(weights, self._checkpoints.folder / BEST)
        else:
            self._bad += 1
            self._flat += 1
            if self._flat >= self._options.schedule.plateau:
                self._flat = 0
                learner.plateaus += 1
            if 0 < self._options.patience <= self._bad:
                trainer.should_stop = True
                self._reporter.log(
                    f"early stopping: {self._metric} hasn't risen for {self._bad} validations"
                )

    def _score(self, trainer: lightning.Trainer, predictions: Sequence[Any]) -> dict[str, float]:
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, list(predictions))
            predictions = [one for some in gathered for one in some]
        metrics = self._judge(predictions) if trainer.is_global_zero else {}
        if trainer.world_size > 1:
            metrics = trainer.strategy.broadcast(metrics)
        return metrics

    def on_train_epoch_end(self, trainer: lightning.Trainer, learner: Learner) -> None:
        """Close the epoch's curves, checkpoint, and say how it went."""
        self._tick()
        epoch = trainer.current_epoch + 1
        whole = self._loader.done[1] >= trainer.num_training_batches
        self.epochs += whole
        losses = self._curves.close_epoch(epoch)
        if not math.isfinite(losses["total"]):
            raise learner.diverged()
        groups = trainer.optimizers[0].param_groups
        rates = {group["name"]: group["lr"] for group in groups if group["decayed"]}
        self._curves.add("learning rate", rates, epoch)
        seconds = max(self._epoch_seconds, 1e-9)
        speed = {"pictures a second": self._epoch_pictures / seconds, "epoch seconds": seconds}
        self._curves.add("speed", speed, epoch)
        self._epoch_seconds, self._epoch_pictures = 0.0, 0
        self._announce(trainer, learner, epoch, losses["total"], speed)
        # Early stopping and the caps end a training for good, Ctrl-C lets a later one go on.
        self.finished = trainer.should_stop and not self.interrupted
        if self.finished or (whole and self._due(trainer, self._options.checkpoint_every)):
            self._save(trainer)

    def _announce(
        self,
        trainer: lightning.Trainer,
        learner: Learner,
        epoch: int,
        loss: float,
        speed: dict[str, float],
    ) -> None:
        points = [point for point in self._curves.points if point[3] == epoch]
        for title, name, value, step in points:
            self._reporter.scalar(title, name, value, step)
        found = {name: value for title, name, value, _ in points if title == "validation"}
        left = self.seconds / max(1, trainer.global_step) * (learner.steps - trainer.global_step)
        parts = [f"epoch {epoch}/{self._options.epochs}", f"loss {loss:.3f}"]
        parts += [f"{name} {found[name]:.3f}" for name in list(found)[:2]]
        if found:
            parts.append(f"best {self.best.metrics[self._metric]:.3f} (epoch {self.best.epoch})")
        parts += [f"{speed['pictures a second']:.0f} pictures/s", memory(learner.device)]
        parts += [f"{clock(self.seconds)} done", f"{clock(left)} left"]
        self._reporter.log(" | ".join(parts))

    # Checkpoints.

    def _save(self, trainer: lightning.Trainer) -> None:
        file = self._checkpoints.folder / LAST
        part = file.with_name(file.name + ".part")
        trainer.save_checkpoint(part)  # a call for all processes; the first one writes
        if trainer.is_global_zero:
            part.replace(file)
            self._checkpoints.saved(file)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed training needs."""
        return {
            "best": {
                "epoch": self.best.epoch,
                "metrics": self.best.metrics,
                "weights": self.best.weights,
            },
            "finished": self.finished,
            "place": self._loader.state_dict(),
            "epochs": self.epochs,
            "seconds": self.seconds,
            "bad": self._bad,
            "flat": self._flat,
            "plateaus": self._learner.plateaus,
            "batch_size": self._learner.batch_size,
            "epoch_seconds": self._epoch_seconds,
            "epoch_pictures": self._epoch_pictures,
            "curves": self._curves.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.best = Best(**state_dict["best"])
        self.finished = state_dict["finished"]
        self.epochs = state_dict["epochs"]
        self.seconds = state_dict["seconds"]
        self._bad = state_dict["bad"]
        self._flat = state_dict["flat"]
        self._learner.plateaus = state_dict["plateaus"]
        self._epoch_seconds = state_dict["epoch_seconds"]
        self._epoch_pictures = state_dict["epoch_pictures"]
        self._loaded = state_dict["curves"]
