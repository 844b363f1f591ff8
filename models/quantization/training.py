"""Quantisation-aware training: the weights learn to stand rounding (Jacob et al., 2018).

NNCF puts rounding into the PyTorch network, our own loop trains it on, and the weights, which are
float all the while, go into the network as it was. The ranges that were learned with them stay
behind: the forms take theirs from calibration, through the same exporter as every other form, which
unlike the tracing that NNCF's own way out needs keeps the batch size of query networks free.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.export.tracing import traceable
from models.families import Family
from models.package import ModelPackage, NewArtifact
from models.package.weights import read_weights
from models.quantization.calibration import Calibration
from models.quantization.nncf_library import nncf_library
from models.quantization.options import QuantizeOptions
from models.reporting import Reporter
from models.training.files import save_weights
from models.training.weights import distinct_tensors

_HOOKS = "__nncf_hooks"
_RANGE_PICTURES = 32


def train_quantized(
    kind: Family,
    source: ModelPackage,
    dataset: Path,
    calibration: Calibration,
    options: QuantizeOptions,
    scratch: Path,
    reporter: Reporter,
) -> ModelPackage:
    """Train a package's weights with rounding in place.

    Args:
        kind: the model's family.
        source: stays as it is.
        dataset: prepared dataset folder.
        calibration: gives the ranges that training starts with.
        options: how long, how fast, and NNCF's scheme.
        scratch: for checkpoints and the new weights.
        reporter: takes progress.

    Returns:
        The package with the new weights in place of its own, not saved anywhere.

    Raises:
        ValueError: NNCF isn't installed or can't trace the network, or the training diverged.
    """
    network = kind.network(source.card, read_weights(source))
    scratch.mkdir(parents=True, exist_ok=True)
    with nncf_library() as nncf:
        rounded = _rounded(nncf, kind, source, network, calibration, options)
        reporter.log(
            f"training with rounding in place; NNCF may first compile its rounding, once on a "
            f"machine: {options.training.epochs} epochs at {options.training.lr:g}"
        )
        figures = kind.finetune(source.card, rounded, dataset, options.training, scratch, reporter)
    found = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    reporter.log(f"with rounding in place, on val: {found}")
    file = scratch / "trained.safetensors"
    save_weights(_own(rounded), file)
    name = source.artifact("safetensors").file
    return source.with_artifacts([NewArtifact("safetensors", {name: file}, tool="quantize")])


def _rounded(
    nncf: Any,
    kind: Family,
    source: ModelPackage,
    network: nn.Module,
    calibration: Calibration,
    options: QuantizeOptions,
) -> nn.Module:
    """Put rounding into a network, its losses included."""
    from models.normalisation import Normalisation

    normalisation = Normalisation(source.card.preprocessing)
    transformer = {"auto": kind.attends(source.card), "transformer": True, "none": False}
    presets = nncf.QuantizationPreset
    chosen = calibration.indices[:_RANGE_PICTURES]

    def pixels(index: int) -> Tensor:
        found: Tensor = normalisation(torch.from_numpy(calibration.input(index)))
        return found

    name = source.card.network.get("name")
    with traceable(network), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.eval()
        # What a network computes once and keeps would be an operation that later runs lack.
        network(pixels(chosen[0]))
        try:
            rounded: nn.Module = nncf.quantize(
                network,
                nncf.Dataset(chosen, pixels),
                subset_size=len(chosen),
                preset={"mixed": presets.MIXED, "performance": presets.PERFORMANCE}[options.preset],
                model_type=(
                    nncf.ModelType.TRANSFORMER if transformer[options.model_type] else None
                ),
                # Both would change weights by other means than training.
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    disable_bias_correction=True,
                    smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(
                        convolution=-1, matmul=-1
                    ),
                ),
            )
        except Exception as error:  # tracing runs the network's own code
            line = " ".join(str(error).split())[:300] or type(error).__name__
            raise ValueError(
                f"NNCF can't trace '{name}' for training with rounding ({line}); use "
                f"method=post-training"
            ) from error
    _round_losses(rounded)
    return rounded


def _round_losses(network: nn.Module) -> None:
    """Have rounding act in `losses` too: NNCF wraps `forward` only."""
    from nncf.torch.function_hook.hook_executor_mode import FunctionHookMode
    from nncf.torch.function_hook.wrapper import get_hook_storage

    hooks = get_hook_storage(network)
    for group in (hooks.pre_hooks, hooks.post_hooks):
        # Hooks are told apart by module, function and count. In the network's own code the counts
        # are others in `losses`, so these would round something else there.
        for key in [key for key in group if key.startswith("/")]:
            del group[key]
    plain: Callable[..., Any] = network.losses  # type: ignore[assignment]

    def losses(*arguments: Any) -> Any:
        with FunctionHookMode(model=network, hook_storage=hooks):
            return plain(*arguments)

    network.losses = losses  # type: ignore[assignment]


def _own(network: nn.Module) -> dict[str, Tensor]:
    """The network's weights without what NNCF added."""
    return {
        name: value.to("cpu", copy=True).contiguous()
        for name, value in distinct_tensors(network).items()
        if _HOOKS not in name
    }
