"""A timm classifier as a network of ours: pictures in, logits out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from models.classification.networks.options import NetworkOptions
from models.package import Output


class Classifier(nn.Module):
    """A network whose `forward` is what the exporters trace."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.network: Any = body
        self._classes = classes

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Classify.

        Args:
            pixel_values: normalised pictures, float [B, 3, H, W].

        Returns:
            Logits [B, classes].
        """
        return (self.network(pixel_values),)

    def embed(self, pixel_values: Tensor) -> Tensor:
        """Compute the features [B, F] that the head sees."""
        features = self.network.forward_features(pixel_values)
        found: Tensor = self.network.forward_head(features, pre_logits=True)
        return found.flatten(1)

    @property
    def head(self) -> nn.Linear:
        """The linear layer that makes logits of features.

        Raises:
            ValueError: this network's head is something else.
        """
        head = self.network.get_classifier()
        if not isinstance(head, nn.Linear):
            raise ValueError(
                f"the network's head is a {type(head).__name__}, not one linear layer: take another"
            )
        return head

    def heads(self) -> tuple[nn.Module, ...]:
        """All layers that make logits; distilled transformers have two."""
        found = self.network.get_classifier()
        return tuple(found) if isinstance(found, tuple | list) else (found,)

    def body(self) -> Iterator[tuple[str, nn.Parameter]]:
        """All parameters but those of the head, by name."""
        own = {id(p) for head in self.heads() for p in head.parameters()}
        for name, parameter in self.network.named_parameters():
            if id(parameter) not in own:
                yield name, parameter

    def outputs(self) -> tuple[Output, ...]:
        """Describe the tensors of `forward` for `model.json`."""
        meaning = "one for each class, before softmax or sigmoid"
        return (Output(name="logits", shape=("batch", self._classes), meaning=meaning),)


def build_network(options: NetworkOptions, classes: int, *, pretrained: bool = False) -> Classifier:
    """Build a classifier with random weights; no hub and no file is needed.

    Args:
        options: the network's options.
        classes: number of classes.
        pretrained: start from the weights that `options.weights` names: for the start of a
            training.

    Raises:
        ValueError: timm has no such classifier or can't build it at this size, or the weights
            can't be had.
    """
    body = create(options, classes)
    network = Classifier(body, classes)
    if pretrained:
        from models.classification.networks.starting import start_from

        start_from(network, options)
    return network.to(memory_format=torch.channels_last)


def create(options: NetworkOptions, classes: int) -> nn.Module:
    """Ask timm for the network.

    Raises:
        ValueError: it has none of this name, or not at this size.
    """
    import timm

    if not timm.is_model(options.name):
        near = difflib.get_close_matches(options.name.split(".")[0], timm.list_models(), 3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"network.name: timm has no model '{options.name}'{hint}")
    given: dict[str, Any] = {"num_classes": classes, "drop_rate": options.dropout}
    if options.drop_path:
        given["drop_path_rate"] = options.drop_path
    problems = []
    # Transformers must be told their size; most others don't take it.
    for more in ({"img_size": options.image_size}, {}):
        try:
            made: nn.Module = timm.create_model(options.name, pretrained=False, **given, **more)
        except TypeError as error:
            problems.append(str(error))
            continue
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ValueError(f"network: timm can't build {options.name}: {error}") from error
        _try(made, options)
        return made
    if options.drop_path and "drop_path" in problems[-1]:
        raise ValueError(
            f"network.drop_path has no effect on {options.name}, which has no such branches: "
            "leave it at 0"
        )
    raise ValueError(f"network: timm can't build {options.name}: {problems[-1]}")


def _try(network: nn.Module, options: NetworkOptions) -> None:
    """Make sure that the network takes pictures of the wanted size, at no cost."""
    import copy

    with torch.device("meta"), torch.no_grad():
        probe = copy.deepcopy(network).to("meta").eval()
        side = options.image_size
        try:
            found = probe(torch.zeros(2, 3, side, side, device="meta"))
        except Exception as error:  # networks fail in ways of their own
            line = str(error).strip().split("\n")[0][:200]
            raise ValueError(
                f"network.image_size={side}: {options.name} takes no such pictures: {line}"
            ) from error
    if not isinstance(found, Tensor) or found.ndim != 2:
        raise ValueError(f"network.name: {options.name} is no classifier")
