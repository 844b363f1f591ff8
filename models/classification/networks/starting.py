"""Where a classifier starts: published weights, a local file, or a package of ours."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from torch import Tensor

from models.classification.networks.classifier import Classifier
from models.classification.networks.options import PACKAGE, NetworkOptions

_LOG = logging.getLogger(__name__)


def start_from(network: Classifier, options: NetworkOptions) -> None:
    """Load what `network.weights` names.

    Raises:
        ValueError: the weights can't be had, or are those of another network.
    """
    wanted = options.weights
    if wanted == "none":
        return
    if wanted.startswith(PACKAGE):
        _put(network, _of_package(Path(wanted.removeprefix(PACKAGE)), options), options)
    elif wanted == "hub":
        _put(network, _of_hub(options), options)
    else:
        _put(network, _of_file(Path(wanted)), options)


def _put(network: Classifier, state: dict[str, Tensor], options: NetworkOptions) -> None:
    """Put tensors in place; those of the head only where they fit."""
    own = network.network.state_dict()
    heads = {
        name
        for name, module in network.network.named_modules()
        if any(module is head for head in network.heads())
    }
    in_head = {n for n in own if any(n.startswith(f"{head}.") for head in heads)}
    filtered = _fitted(network.network, state)
    wrong = [
        name
        for name, value in own.items()
        if name not in in_head
        and not name.endswith("num_batches_tracked")
        and (name not in filtered or filtered[name].shape != value.shape)
    ]
    if wrong:
        raise ValueError(
            f"network.weights: {options.weights} does not fit {options.name}: {len(wrong)} of "
            f"{len(own)} tensors are missing or of another shape, {wrong[0]} among them"
        )
    fits = all(n in filtered and filtered[n].shape == own[n].shape for n in in_head)
    if not fits:
        _LOG.warning("the head starts from scratch: the weights have other classes")
    kept = {n: v for n, v in filtered.items() if n in own and (fits or n not in in_head)}
    network.network.load_state_dict(kept, strict=False)


def _fitted(body: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Resample the position embedding of a transformer whose pictures have another size."""
    own = getattr(body, "pos_embed", None)
    given = state.get("pos_embed")
    if own is None or given is None or own.shape == given.shape:
        return state
    from timm.layers import resample_abs_pos_embed

    grid = body.patch_embed.grid_size
    before = int(getattr(body, "num_prefix_tokens", 1))
    return {**state, "pos_embed": resample_abs_pos_embed(given, list(grid), None, before)}


def _of_hub(options: NetworkOptions) -> dict[str, Tensor]:
    import timm

    try:
        source = timm.create_model(options.name, pretrained=True)
    except Exception as error:  # whatever the hub's client raises when it can't be reached
        raise ValueError(
            f"network.weights: no weights of '{options.name}' from the hub "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a file, or none "
            f"to train from scratch"
        ) from error
    found: dict[str, Tensor] = source.state_dict()
    return found


def _of_file(file: Path) -> dict[str, Tensor]:
    """Read a file of tensors without running any code in it."""
    import timm

    if not file.is_file():
        raise ValueError(
            f"network.weights: expected none, hub, {PACKAGE}<package> or a file; there is no file "
            f"{file}"
        )
    try:
        state: dict[str, Tensor] = timm.models.load_state_dict(str(file), weights_only=True)
    except Exception as error:  # unpickling, format and header errors have no common base
        raise ValueError(f"network.weights: {file} is no file of plain tensors") from error
    # A package's own file names the network inside of ours.
    return {name.removeprefix("network."): value for name, value in state.items()}


def _of_package(folder: Path, options: NetworkOptions) -> dict[str, Tensor]:
    from models.package import ModelPackage
    from models.package.weights import read_weights

    package = ModelPackage.load(folder)
    name = package.card.network.get("name")
    if package.card.family != "classification" or name != options.name:
        raise ValueError(
            f"network.weights: {folder} is a {package.card.family} model with the network "
            f"{name}, not {options.name}"
        )
    state = read_weights(package)
    return {key.removeprefix("network."): value for key, value in state.items()}
