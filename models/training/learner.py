"""What a task family teaches, as a Lightning module."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from models.training.options import TrainingOptions
from models.training.order import random_seed
from models.training.schedule import rate


class Learner(lightning.LightningModule):  # type: ignore[misc]
    """A network with its loss. A family supplies `losses`, `predict`, `backbone` and `size`."""

    def __init__(self, network: nn.Module, options: TrainingOptions) -> None:
        super().__init__()
        self.network = network
        self.options = options
        self.steps = 1
        """Optimizer steps in all; the loop sets it once the data's length is known."""
        self.batch_size = 8
        """Pictures in a batch; set by the loop, as is `validate_every`."""
        self.validate_every = 1
        """Epochs between validations."""
        self.plateaus = 0
        """How often the validation figure has stood still for as long as `schedule.plateau`."""
        self.predictions: list[Any] = []
        """What `predict` made of the validation pictures in the present validation."""
        self.gradient_norm: Tensor | None = None
        """Norm of all gradients before clipping, at the last optimizer step."""
        if options.optimizer.backbone_lr_factor == 0.0:
            self.backbone().requires_grad_(False)

    @abstractmethod
    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """Compute the weighted parts of the loss; their sum is minimised.

        Raises:
            FloatingPointError: the network's output is no finite number, so there is no loss.
        """

    @abstractmethod
    def predict(self, batch: Any) -> list[Any]:
        """Predict a validation batch: one picklable, family-specific result for each picture."""

    @abstractmethod
    def backbone(self) -> nn.Module:
        """Return the part of the network that has a learning rate of its own."""

    @abstractmethod
    def size(self, batch: Any) -> int:
        """Count the pictures of a batch."""

    def on_train_start(self) -> None:
        """Set the modes too where a resumed epoch goes on: it doesn't start again."""
        self.set_modes()

    def on_train_epoch_start(self) -> None:
        """Set the modes of the epoch."""
        self.set_modes()

    def set_modes(self) -> None:
        """Keep a frozen backbone's statistics as they are; also called in mid-epoch."""
        if self.options.optimizer.backbone_lr_factor == 0.0:
            self.backbone().eval()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make noise and dropout a function of seed, epoch, batch and process."""
        torch.manual_seed(
            random_seed(self.options.seed, self.current_epoch, batch_idx, self.global_rank)
        )

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Compute the loss of one batch.

        Raises:
            ValueError: training diverged, or batch norm has nothing to average over.
        """
        try:
            parts = self.losses(batch)
        except FloatingPointError as error:
            raise self.diverged() from error
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                "batch_size=1 leaves this network's batch norm a single value to average at this "
                "picture size: take 2 or more, or larger pictures"
            ) from error
        loss = torch.stack(list(parts.values())).sum()
        return {
            "loss": loss * self._rest_weight(batch_idx),
            "parts": {name: part.detach() for name, part in parts.items()},
            "pictures": self.size(batch),
        }

    def diverged(self) -> ValueError:
        """Make the error that says what to do about a loss that is no number."""
        return ValueError(
            f"training diverged in epoch {self.current_epoch + 1}: the loss is no finite number; "
            f"lower optimizer.lr (now {self.options.optimizer.lr:g}), switch clipping on "
            f"(clip=1) or set precision=float32"
        )

    def _rest_weight(self, batch_idx: int) -> float:
        """Undo Lightning's division by `accumulate` where the epoch ends with a smaller rest."""
        accumulate = self.options.accumulate
        batches = int(self.trainer.num_training_batches)
        rest = batches % accumulate
        return accumulate / rest if rest and batch_idx >= batches - rest else 1.0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Predict one batch, in float32 as most runtimes will."""
        with torch.autocast(self.device.type, enabled=False):
            self.predictions += self.predict(batch)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip by the norm over all gradients, and keep the norm for the curves."""
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.options.clip > 0.0:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.options.clip, norm)
        self.gradient_norm = norm

    def configure_optimizers(self) -> dict[str, Any]:
        """Make AdamW and its schedule."""
        options = self.options.optimizer
        optimizer = torch.optim.AdamW(
            self._parameter_groups(),
            lr=options.lr,
            betas=options.betas,
            # A fused optimizer undoes fp16's scaling inside its step, after clipping: too late.
            fused=self.trainer.precision != "16-mixed",
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate(self.options.schedule, step, self.steps, self.plateaus)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        options = self.options.optimizer
        backbone = {id(parameter) for parameter in self.backbone().parameters()}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                key = (id(parameter) in backbone, parameter.ndim > 1)
                groups.setdefault(key, []).append(parameter)
        return [
            {
                "name": "backbone" if back else "head",
                "decayed": decay,
                "params": parameters,
                "lr": options.lr * (options.backbone_lr_factor if back else 1.0),
                "weight_decay": options.weight_decay if decay else 0.0,
            }
            for (back, decay), parameters in groups.items()
        ]
