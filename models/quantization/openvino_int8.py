"""OpenVINO INT8 through NNCF: post-training, and with layers put back to float where needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import PairedBootstrap, figure_of_each
from models.families import Family, Validation
from models.package import ModelPackage
from models.quantization.calibration import Calibration
from models.quantization.nncf_library import nncf_library
from models.quantization.options import QuantizeOptions
from models.reporting import Reporter
from models.runtimes import Predictor
from models.runtimes.engines import Outputs, library


def read_graph(file: Path) -> Any:
    """Read a float graph (.xml) and compute what is constant in it.

    The biases of convolutions come reshaped from ONNX, and NNCF knows a bias, which it corrects for
    what rounding moves, only as a constant.
    """
    openvino = library("openvino", "export", "quantisation for OpenVINO")
    from openvino.passes import ConstantFolding, Manager

    graph = openvino.Core().read_model(os.fspath(file))
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(graph)
    return graph


@dataclass(frozen=True)
class Judgement:
    """What a candidate is held against."""

    package: ModelPackage
    validation: Validation
    bootstrap: PairedBootstrap
    value: float
    """The reference's main metric."""


class CompiledEngine:
    """A compiled OpenVINO graph as an engine, for graphs that are in no package yet."""

    def __init__(self, compiled: Any, package: ModelPackage) -> None:
        self.artifact, self.device = "", "CPU"
        self._names = [output.name for output in package.card.outputs]
        self._request = compiled.create_infer_request()

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        self._request.infer({0: inputs}, share_inputs=True, share_outputs=True)
        return tuple(self._request.get_tensor(name).data.copy() for name in self._names)

    def close(self) -> None:
        """Nothing to free."""


def quantize_plain(
    graph: Any,
    calibration: Calibration,
    kind: Family,
    package: ModelPackage,
    kept: Iterable[str],
    options: QuantizeOptions,
) -> Any:
    """Quantise an `openvino.Model` after training.

    Args:
        graph: in float32; stays as it is.
        calibration: gives ranges of values.
        kind: the model's family.
        package: the model.
        kept: names of nodes that stay in float.
        options: preset, scheme and bias correction.

    Returns:
        A new graph.

    Raises:
        ValueError: NNCF isn't installed.
    """
    with nncf_library() as nncf:
        return nncf.quantize(
            graph,
            nncf.Dataset(calibration.indices, calibration.input),
            advanced_parameters=_advanced(nncf, options),
            **_arguments(nncf, calibration, kind, package, kept, options),
        )


def quantize_controlled(
    graph: Any,
    calibration: Calibration,
    kind: Family,
    judgement: Judgement,
    kept: Iterable[str],
    quantised: int,
    options: QuantizeOptions,
    reporter: Reporter,
) -> Any:
    """Quantise, and put groups of layers back to float until the loss is inside the budget.

    What NNCF makes small is the upper end of the loss's interval, as the gate asks.

    Args:
        graph: in float32; stays as it is.
        calibration: gives ranges of values.
        kind: the model's family.
        judgement: the reference, and the pictures that the loss is measured on.
        kept: names of nodes that stay in float anyway.
        quantised: layers that plain quantisation puts into INT8, for the progress.
        options: budget and limits.
        reporter: takes progress.

    Returns:
        A new graph: the best that was found, not always inside the budget.
    """
    package, pictures = judgement.package, list(range(len(judgement.validation)))
    # NNCF measures the network in float and in plain INT8 on all pictures. Then it leaves out one
    # group of layers after the other on a few, puts the worst back, measures that on all pictures,
    # and judges the groups anew where this did not help.
    judged, whole = 0, 0

    def measure(model: Any, items: Iterable[int]) -> tuple[float, list[float]]:
        nonlocal judged, whole
        indices: Sequence[int] = list(items)
        predictor = Predictor(package, "openvino", CompiledEngine(model, package))
        found = judgement.validation.measure_each(predictor, indices)
        if len(indices) < len(pictures):
            judged += 1
            reporter.progress("judging layers one by one", judged, max(judged, quantised))
            value = found.values.get(kind.primary_metric, 0.0)
            return value, [value] * len(indices)
        judged, whole = 0, whole + 1
        if whole > 2:
            reporter.progress("putting layers back, at most", whole - 2, options.control.rounds)
        loss = judgement.bootstrap.loss(found, options.confidence)
        each = np.nan_to_num(figure_of_each(found, len(indices)))
        return judgement.value - loss.high, each.tolist()

    with nncf_library() as nncf, _unwrapped():
        return nncf.quantize_with_accuracy_control(
            graph,
            calibration_dataset=nncf.Dataset(calibration.indices, calibration.input),
            validation_dataset=nncf.Dataset(pictures),
            validation_fn=_wrapped(measure),
            max_drop=options.budget,
            drop_type=nncf.DropType.ABSOLUTE,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                max_num_iterations=options.control.rounds,
                ranking_subset_size=options.control.ranking_pictures,
                num_ranking_workers=1,
            ),
            advanced_quantization_parameters=_advanced(nncf, options),
            **_arguments(nncf, calibration, kind, package, kept, options),
        )


class _Failed(BaseException):
    """Carries an error past NNCF, which takes one at the first call for a hint and goes on."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _wrapped(measure: Callable[..., tuple[float, list[float]]]) -> Callable[..., Any]:
    def called(model: Any, items: Iterable[int]) -> tuple[float, list[float]]:
        try:
            return measure(model, items)
        except Exception as error:
            raise _Failed(error) from error

    return called


@contextmanager
def _unwrapped() -> Iterator[None]:
    try:
        yield
    except _Failed as failed:
        raise failed.error from failed.error.__cause__


def _arguments(
    nncf: Any,
    calibration: Calibration,
    kind: Family,
    package: ModelPackage,
    kept: Iterable[str],
    options: QuantizeOptions,
) -> dict[str, Any]:
    attends = {"auto": kind.attends(package.card), "transformer": True, "none": False}
    presets = nncf.QuantizationPreset
    return {
        "preset": {"mixed": presets.MIXED, "performance": presets.PERFORMANCE}[options.preset],
        "subset_size": len(calibration),
        "fast_bias_correction": options.fast_bias_correction,
        "model_type": nncf.ModelType.TRANSFORMER if attends[options.model_type] else None,
        "ignored_scope": nncf.IgnoredScope(names=list(kept), validate=False),
    }


def _advanced(nncf: Any, options: QuantizeOptions) -> Any:
    fixes = nncf.OverflowFix
    overflow = {
        "first-layer": fixes.FIRST_LAYER,
        "all-layers": fixes.ENABLE,
        "none": fixes.DISABLE,
    }[options.seven_bits]
    return nncf.AdvancedQuantizationParameters(overflow_fix=overflow)


def save(graph: Any, file: Path) -> str:
    """Write a quantised graph (.xml, .bin); says the tools and their versions."""
    openvino = library("openvino", "export", "quantisation for OpenVINO")
    with nncf_library() as nncf:
        version = str(nncf.__version__)
    file.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(graph, os.fspath(file), compress_to_fp16=False)
    return f"nncf {version}, openvino {openvino.__version__}"
