"""Teaching a classifier: batches to the device, losses, raw predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.classification.mixing import mix
from models.classification.networks.classifier import Classifier
from models.classification.options import TrainOptions
from models.normalisation import Normalisation
from models.preprocessing import Preprocessing
from models.training.learner import Learner


@dataclass(frozen=True)
class RawPrediction:
    """What the network says about one validation picture."""

    index: int
    """Of the picture in its split."""
    logits: NDArray[np.float32]


class ClassificationLearner(Learner):
    """A classifier's training step."""

    network: Classifier
    options: TrainOptions
    class_weights: Tensor | None

    def __init__(
        self,
        network: Classifier,
        options: TrainOptions,
        preprocessing: Preprocessing,
        several: bool,
        weights: Sequence[float] | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        """Join network and options.

        Args:
            network: to teach.
            options: how.
            preprocessing: of its pictures.
            several: whether a picture may have any number of classes.
            weights: of each class in the loss.
            teacher: takes normalised pictures of the same size and gives a tuple whose first is
                the logits; it learns nothing.
        """
        super().__init__(network, options)
        self.normalisation = Normalisation(preprocessing)
        self._several = several
        given = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("class_weights", given, persistent=False)
        # Not a part of this module: it isn't saved, moved or averaged with it.
        self._teacher: tuple[nn.Module, ...] = ()
        if teacher is not None:
            self._teacher = (teacher.eval().requires_grad_(False),)
        if options.network.freeze:
            self._freeze(True)

    def losses(self, batch: dict[str, Any]) -> Mapping[str, Tensor]:
        """Compute the weighted parts of the loss, in float32."""
        images = self.normalisation(batch["images"])
        images, targets = mix(images, batch["targets"], self.options.augmentation)
        logits = self.network(images)[0].float()
        if not self._teacher:
            return {"class": self._class_loss(logits, targets)}
        share = self.options.distill.share
        return {
            "class": (1 - share) * self._class_loss(logits, targets),
            "teacher": share * self._teacher_loss(logits, images),
        }

    def _class_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        weights = self.class_weights
        smoothing = self.options.label_smoothing
        if self._several:
            # Between yes and no, as with softmax between all classes.
            targets = targets * (1 - smoothing) + smoothing / 2
            return functional.binary_cross_entropy_with_logits(logits, targets, weight=weights)
        if weights is None:
            return functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        # Divided by the weights of the batch, so that they don't change the learning rate.
        each = functional.cross_entropy(
            logits, targets, weight=weights, label_smoothing=smoothing, reduction="none"
        )
        return each.sum() / (targets @ weights).sum().clamp_min(1e-6)

    def _teacher_loss(self, logits: Tensor, images: Tensor) -> Tensor:
        teacher = self._teacher[0]
        heat = self.options.distill.temperature
        with torch.no_grad():
            said = teacher.to(images.device)(images)[0].float() / heat
        own = logits / heat
        if self._several:
            return heat**2 * functional.binary_cross_entropy_with_logits(own, said.sigmoid())
        divergence = functional.kl_div(
            own.log_softmax(1), said.log_softmax(1), reduction="batchmean", log_target=True
        )
        return heat**2 * divergence

    def predict(self, batch: dict[str, Any]) -> list[RawPrediction]:
        """Run the network on validation pictures."""
        logits = self.network(self.normalisation(batch["images"]))[0].float().cpu().numpy()
        return [
            RawPrediction(index, row) for index, row in zip(batch["indices"], logits, strict=True)
        ]

    def backbone(self) -> nn.Module:
        """Return all but the head, as a module that holds the same parameters."""
        return _Body(self.network)

    def size(self, batch: dict[str, Any]) -> int:
        """Count the pictures of a batch."""
        return len(batch["indices"])

    def set_modes(self) -> None:
        """Let only the head learn where that is wanted."""
        super().set_modes()
        if self.options.network.freeze:
            self._freeze(True)
        elif self.options.head_epochs:
            self._freeze(self.current_epoch < self.options.head_epochs)

    def _freeze(self, frozen: bool) -> None:
        """Freeze or thaw all but the head: weights, batch statistics, dropout."""
        kept = self.options.optimizer.backbone_lr_factor == 0.0
        for _, parameter in self.network.body():
            parameter.requires_grad_(not frozen and not kept)
        if frozen:
            self.network.eval()
            for head in self.network.heads():
                head.train()
        elif not kept:
            self.network.train()

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Give each layer its rate; a body that is frozen at first is among the groups too."""
        options = self.options
        if options.layer_decay == 1.0 and not options.head_epochs:
            return super()._parameter_groups()
        depth = layer_depths(self.network.network)
        deepest = max(depth.values(), default=0)
        body = {name for name, _ in self.network.body()}
        groups: dict[tuple[int, bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.network.named_parameters():
            if parameter.requires_grad or (options.head_epochs and name in body):
                key = (depth.get(name, deepest), name in body, parameter.ndim > 1)
                groups.setdefault(key, []).append(parameter)
        return [
            {
                "name": f"layer {layer}" if back else "head",
                "decayed": decay,
                "params": parameters,
                "lr": options.optimizer.lr
                * (options.optimizer.backbone_lr_factor if back else 1.0)
                * options.layer_decay ** (deepest - layer if back else 0),
                "weight_decay": options.optimizer.weight_decay if decay else 0.0,
            }
            for (layer, back, decay), parameters in sorted(groups.items(), key=lambda one: one[0])
        ]


class _Body(nn.Module):
    """A view of a classifier without its head; it holds no parameters of its own."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self._of = (network,)

    def parameters(self, recurse: bool = True) -> Any:
        """Give all parameters but the head's."""
        return (parameter for _, parameter in self._of[0].body())

    def requires_grad_(self, requires_grad: bool = True) -> _Body:
        """Freeze or thaw them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> _Body:
        """Set the mode of everything but the head."""
        if hasattr(self, "_of"):
            heads = {id(head) for head in self._of[0].heads()}
            for module in self._of[0].network.modules():
                if id(module) not in heads and not any(True for _ in module.children()):
                    module.training = mode
        return self


def layer_depths(body: Any) -> dict[str, int]:
    """Number the layers of a timm network from the picture, 0, to the head, by parameter name."""
    from timm.models import group_parameters

    matcher = body.group_matcher(coarse=False)
    found = group_parameters(body, matcher, reverse=True)
    return {name: int(layer) for name, layer in found.items()}
