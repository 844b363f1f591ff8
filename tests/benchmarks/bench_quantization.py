"""INT8 against float: `python tests/benchmarks/bench_quantization.py PACKAGE DATASET`.

PACKAGE is a trained package, DATASET a prepared folder with its classes (500 test pictures or more
for a narrow interval). Printed are, for PyTorch eager and for OpenVINO and ONNX Runtime in float32
and INT8: median latency of the network and end to end, a picture at a time, in blocks with warm-up
and pauses; and for each INT8 form the main metric with the interval of its loss.

With `--rescue MINUTES` a YOLOX on a small timm mobilenet is trained on the same data, quantised
plainly, and again under accuracy control with the budget.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from models.export import ExportOptions, export
from models.families import family
from models.outcomes import Checkpoints
from models.package import ModelPackage
from models.quantization import BudgetError, QuantizeOptions, QuantizeReport, quantize
from models.reporting import Silence
from models.runtimes import load_predictor
from models.runtimes.timing import median_ms

TIMED = [
    ("torch", "float32"),
    ("onnxruntime", "float32"),
    ("onnxruntime", "int8"),
    ("openvino", "float32"),
    ("openvino", "int8"),
]


class Said(Silence):
    """Prints log lines with the time."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def log(self, message: str) -> None:
        print(f"{time.monotonic() - self._start:6.0f} s  {message}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="test", choices=["val", "test"])
    parser.add_argument("--calibration", type=int, default=300)
    parser.add_argument("--budget", type=float, default=0.005)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rescue", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--rescue-size", type=int, default=256, metavar="PIXELS")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        demo(arguments, Path(scratch))
        if arguments.rescue:
            rescue(arguments, Path(scratch))


def options_of(arguments: argparse.Namespace, **more: Any) -> QuantizeOptions:
    """Make the options of one quantisation."""
    values = {"split": arguments.split, "calibration_pictures": arguments.calibration}
    values |= {"threads": arguments.threads, "latency_calls": 0, "budget": arguments.budget}
    return QuantizeOptions.model_validate({**values, **more})


def show(report: QuantizeReport, budget: float) -> None:
    """Print what each form lost."""
    for form in report.forms:
        verdict = "inside" if form.loss.within(budget) else "outside"
        floats = len(form.float_layers)
        print(f"{form.file} ({form.quantization.method}), {form.bytes / 1e6:.1f} MB:")
        print(f"  {report.metric} {form.loss}: {verdict} the budget of {budget:g}")
        print(f"  {form.quantization.layers} layers in INT8, {floats} in float")


def demo(arguments: argparse.Namespace, scratch: Path) -> None:
    """Quantise plainly, measure, and time all forms."""
    # Whatever it loses it is to be timed.
    free = options_of(arguments, budget=1.0, **{"tolerance": {"outside": 1.0}})
    report = quantize(arguments.package, scratch / "quantized", arguments.dataset, free, Said())
    show(report, arguments.budget)
    package = ModelPackage.load(report.package)
    validation = family(package.card.family).validation(
        package.card, arguments.dataset, arguments.split, 16
    )
    picture = validation.picture(0)
    inputs, _ = package.card.preprocessing([picture])
    have = {(a.format, a.precision) for a in package.card.artifacts}
    formats = {"torch": "safetensors", "onnxruntime": "onnx", "openvino": "openvino"}
    found: dict[tuple[str, str], float] = {}
    print(f"\n{arguments.threads} threads; median ms")
    print(f"{'runtime':<12} {'precision':<10} {'network':>9} {'end to end':>11}")
    for runtime, precision in TIMED:
        if (formats[runtime], precision) not in have:
            continue
        with load_predictor(
            package,
            runtime,
            "cpu",
            arguments.threads,
            precision=precision,  # type: ignore[arg-type]
        ) as one:
            found[runtime, precision] = median_ms(partial(one.engine, inputs), arguments.calls)
            whole = median_ms(partial(one, [picture]), arguments.calls)
        print(f"{runtime:<12} {precision:<10} {found[runtime, precision]:9.2f} {whole:11.2f}")
    fast = found["openvino", "int8"]
    for name, key in (("eager", ("torch", "float32")), ("float32", ("openvino", "float32"))):
        if key in found:
            print(f"OpenVINO INT8 is {found[key] / fast:.2f} times faster than {name}")


def rescue(arguments: argparse.Namespace, scratch: Path) -> None:
    """Show what accuracy control gives back to a network that plain INT8 hurts."""
    detection = family("detection")
    wanted = detection.train_options.model_validate(
        {
            "network": {
                "name": "yolox",
                "backbone": "mobilenetv3_small_050",
                "image_size": arguments.rescue_size,
                "hidden_width": 64,
            },
            "epochs": 100,
            "max_minutes": arguments.rescue,
            "validate_every": 5,
            "checkpoint_every": 100,
            "device": "cpu",
            "threads": arguments.threads,
            "workers": 0,
            "precision": "float32",
            "optimizer": {"lr": 1e-3},
            "samples": {"count": 0},
        }
    )
    print(f"\ntraining YOLOX for {arguments.rescue:g} minutes")
    done = detection.train(
        arguments.dataset,
        wanted,
        Checkpoints(scratch / "yolox", None, lambda _: None),
        Silence(),
    )
    exported = scratch / "yolox-exported"
    export(done.package, exported, arguments.dataset, ExportOptions(latency_calls=0), Silence())
    common: dict[str, Any] = {"forms": ["openvino"], "tolerance": {"outside": 1.0}}
    plain = options_of(arguments, **{**common, "budget": 1.0})
    show(quantize(exported, scratch / "plain", arguments.dataset, plain, Said()), arguments.budget)
    controlled = options_of(arguments, **common)
    try:
        report = quantize(exported, scratch / "held", arguments.dataset, controlled, Said())
        show(report, arguments.budget)
    except BudgetError as error:
        print(error)


if __name__ == "__main__":
    main()
