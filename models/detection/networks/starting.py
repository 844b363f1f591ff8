"""Where a network starts: published or local weights, and what of them is kept."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from timm.models._features import FeatureListNet
from torch import Tensor, nn

from models.detection.networks.detector import Detector
from models.detection.networks.options import NetworkOptions

_LOG = logging.getLogger(__name__)


@runtime_checkable
class FromFile(Protocol):
    """A network whose weights are published as a file, not as a repository of the hub."""

    network: nn.Module

    def from_published(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Turn what the file holds into this network's tensors."""


def start_from(network: Detector, options: NetworkOptions) -> None:
    """Load what `network.weights` names.

    Raises:
        ValueError: the weights cannot be had, or are those of another network.
    """
    if options.weights == "none":
        return
    if isinstance(network, FromFile):
        _load_file(network, options)
    elif options.entry.published:
        _load_detector_weights(network, options)
    else:
        _load_backbone_weights(network, options)


def _load_detector_weights(network: Detector, options: NetworkOptions) -> None:
    """Put a whole detector's published or filed weights in place."""
    from transformers.utils import cached_file

    inner: Any = network.network
    place, state = _source(options)
    try:
        # Loading is left to transformers: published files have older names of some tensors.
        loaded, found = type(inner).from_pretrained(
            place,
            config=copy.deepcopy(inner.config),
            state_dict=state,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        if state is None:
            state = _plain_tensors(Path(cached_file(place, "model.safetensors")))
    except Exception as error:  # whatever the hub's client and the readers raise
        raise ValueError(
            f"network.weights: no weights of {options.name} from {place or options.weights} "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a local copy, or "
            f"none to train from scratch"
        ) from error
    heads = {name for name, *_ in found["mismatched_keys"] if _is_class_head(name)}
    wrong = {name for name, *_ in found["mismatched_keys"]} | set(found["missing_keys"])
    wrong = {n for n in wrong - heads if not n.endswith("num_batches_tracked")}
    if wrong:
        raise ValueError(
            f"network.weights: {options.weights} does not fit {options.name}: {len(wrong)} tensors "
            f"are missing or of another shape, {min(wrong)} among them"
        )
    inner.load_state_dict(
        {name: v for name, v in loaded.state_dict().items() if name not in heads}, strict=False
    )
    # transformers 5.23 draws some tensors of a head anew that several layers share.
    own = inner.state_dict()
    same = {n: v for n, v in state.items() if n in own and own[n].shape == v.shape}
    inner.load_state_dict(same, strict=False)
    _tell_new_heads(heads)


def _load_file(network: FromFile, options: NetworkOptions) -> None:
    """Put the tensors of a published file into place, the class heads only where they fit."""
    place, state = _source(options)
    if state is None and place is not None and Path(place).is_dir():
        raise ValueError(f"network.weights: {options.name} starts from a file, not from a folder")
    if state is None:
        try:
            state = torch.hub.load_state_dict_from_url(str(place), "cpu", weights_only=True)
        except Exception as error:  # of the network, the disk or the format
            raise ValueError(
                f"network.weights: no weights of {options.name} from {place} "
                f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a local copy, "
                f"or none to train from scratch"
            ) from error
        state = state.get("model", state)
    given = network.from_published(state)
    own = network.network.state_dict()
    wrong = {name for name, v in own.items() if name not in given or given[name].shape != v.shape}
    heads = {name for name in wrong if name in given and _is_class_head(name)}
    wrong = {name for name in wrong - heads if not name.endswith("num_batches_tracked")}
    if wrong:
        raise ValueError(
            f"network.weights: {options.weights} does not fit {options.name}: {len(wrong)} tensors "
            f"are missing or of another shape, {min(wrong)} among them"
        )
    kept = {name: v for name, v in given.items() if name in own and name not in heads}
    network.network.load_state_dict(kept, strict=False)
    _tell_new_heads(heads)


def _tell_new_heads(heads: set[str]) -> None:
    if heads:
        _LOG.warning(
            "class heads start from scratch, the weights have another number of classes: %s",
            ", ".join(sorted(heads)),
        )


def _is_class_head(name: str) -> bool:
    """Tell whether a tensor's shape depends on the number of classes."""
    return any(part in name for part in ("class_embed", "enc_score_head", "cls_preds"))


def _source(options: NetworkOptions) -> tuple[str | None, dict[str, Any] | None]:
    """Say where weights are: a repository or folder, or what a file holds."""
    wanted = options.weights
    if wanted == "hub" or wanted.startswith("hub:"):
        data = wanted.partition(":")[2] or "coco"
        if data not in options.entry.hub:
            known = ", ".join(f"hub:{one}" for one in options.entry.hub) or "none"
            raise ValueError(
                f"network.weights={wanted}: {options.name} has no such published weights; there "
                f"are: {known}"
            )
        return options.entry.hub[data], None
    place = Path(wanted)
    if place.is_dir():
        return str(place), None
    if not place.is_file():
        raise ValueError(
            f"network.weights: expected none, hub, a file or a folder; there is no file {place}"
        )
    return None, _plain_tensors(place)


def _plain_tensors(file: Path) -> dict[str, Any]:
    """Read a file of tensors without running any code in it."""
    import timm

    try:
        state: dict[str, Any] = timm.models.load_state_dict(str(file), weights_only=True)
    except Exception as error:  # unpickling, format and header errors have no common base
        raise ValueError(f"network.weights: {file} is no file of plain tensors") from error
    return state


def _load_backbone_weights(network: Detector, options: NetworkOptions) -> None:
    """Put published or filed timm weights into the backbone."""
    import timm

    if options.weights.startswith("hub:"):
        raise ValueError(
            f"network.weights={options.weights}: timm backbones have hub; whole detectors are "
            f"published for the networks with a size, as {options.name}-... of `sightline models`"
        )
    overlay: dict[str, Any] | None = None
    if options.weights != "hub":
        _check_weights(Path(options.weights), options.timm_backbone)
        overlay = {"file": options.weights}
    # Inside of the wrapper that transformers puts around it, if there is one.
    target = next(one for one in network.backbone().modules() if isinstance(one, FeatureListNet))
    try:
        source = timm.create_model(
            options.timm_backbone,
            pretrained=True,
            pretrained_cfg_overlay=overlay,
            features_only=True,
            out_indices=target.feature_info.out_indices,
        )
    except Exception as error:  # whatever the hub's client raises when it cannot be reached
        raise ValueError(
            f"network.weights: no weights of '{options.timm_backbone}' from {options.weights} "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); give a file, or none "
            f"to train from scratch"
        ) from error
    # Frozen batch norms have no counter of batches: leave out what the target doesn't have.
    wanted = target.state_dict()
    target.load_state_dict({n: v for n, v in source.state_dict().items() if n in wanted})


def _check_weights(file: Path, backbone: str) -> None:
    """Refuse a file that is none, that runs code, or that holds another model's weights."""
    import timm

    if not file.is_file():
        raise ValueError(f"network.weights: expected none, hub or a file; there is no file {file}")
    state = _plain_tensors(file)
    with torch.device("meta"):
        wanted = timm.create_model(backbone, num_classes=0).state_dict()
    wrong = [n for n, v in wanted.items() if n not in state or state[n].shape != v.shape]
    if wrong:
        raise ValueError(
            f"network.weights: {file} does not fit '{backbone}': {len(wrong)} of {len(wanted)} "
            f"tensors are missing or of another shape, {wrong[0]} among them"
        )
