"""From a trained package to one that also holds INT8 forms, each inside a budget."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.bootstrap import Loss, PairedBootstrap
from models.export.checks import Comparison, latency
from models.export.options import ExportOptions
from models.export.report import Latency
from models.families import Measurement, Validation, family
from models.package import Metric, ModelPackage, NewArtifact, Parity, Quantization
from models.quantization.calibration import SPLIT, Calibration
from models.quantization.layers import explain, float_names, layers
from models.quantization.onnx_int8 import onnx_layers, quantize_onnx
from models.quantization.openvino_int8 import (
    Judgement,
    quantize_controlled,
    quantize_plain,
    read_graph,
    save,
)
from models.quantization.options import QuantizeOptions
from models.quantization.report import BudgetError, FloatLayer, QuantizedForm, QuantizeReport
from models.reporting import Reporter
from models.runtimes import load_predictor
from models.runtimes.engines import library

OPENVINO = "openvino-int8/model"
ONNX = "model-int8.onnx"


@dataclass(frozen=True)
class _Made:
    """A form on disk, not yet judged."""

    runtime: str
    artifact: NewArtifact
    quantization: Quantization
    float_layers: tuple[FloatLayer, ...]

    @property
    def file(self) -> str:
        return next(iter(self.artifact.files))


def quantize(
    package: Path | str,
    target: Path | str,
    dataset: Path | str,
    options: QuantizeOptions,
    reporter: Reporter,
) -> QuantizeReport:
    """Write a new package that also holds INT8 forms.

    Ranges of values come from the training split. Each form is then compared with PyTorch in
    float32 on another split: result by result, and by the main metric, of whose loss the interval
    must lie inside the budget.

    Args:
        package: folder of a package with weights.
        target: folder to make.
        dataset: prepared dataset folder with the model's classes.
        options: what to write and what it may lose.
        reporter: takes progress and tables.

    Returns:
        The figures of every form.

    Raises:
        BudgetError: a form lost more than the budget, with the figures.
        ValueError: a damaged package, a dataset that doesn't fit, a library that isn't there, or a
            target that isn't empty.
    """
    source, target = ModelPackage.load(package), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} is not empty; quantise into a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        work = _Quantizer(source, room, Path(dataset), options, reporter)
        forms = [work.form(name) for name in options.forms]
        report = QuantizeReport(
            package=target,
            metric=work.kind.primary_metric,
            budget=options.budget,
            split=options.split,
            pictures=len(work.validation),
            reference=work.reference,
            forms=tuple(forms),
        )
        reporter.table("quantize", "forms", *report.table())
        reporter.table("quantize", "layers in float", *report.layer_table())
        refuse_losses(report, options, reporter)
        work.save(forms, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return report


class _Quantizer:
    """One run: the reference's results, and what is held against them."""

    def __init__(
        self,
        source: ModelPackage,
        room: Path,
        dataset: Path,
        options: QuantizeOptions,
        reporter: Reporter,
    ) -> None:
        card = source.card
        self.kind = family(card.family)
        self._source, self._room = source, room
        self._options, self._reporter = options, reporter
        self.validation: Validation = self.kind.validation(
            card, dataset, options.split, options.metric_pictures
        )
        self._calibration = Calibration(
            self.kind, card, dataset, options.calibration_pictures, options.seed
        )
        reporter.log(
            f"measuring PyTorch on {len(self.validation)} pictures of {options.split}; ranges come "
            f"from {len(self._calibration)} of {SPLIT}"
        )
        with load_predictor(source, "torch", "cpu", options.threads) as torch:
            self._comparison = Comparison(
                self.kind,
                torch,
                self.validation,
                ExportOptions(parity_pictures=options.parity_pictures, floor=options.floor),
            )
            measured = self.validation.measure_each(torch)
            self.reference: Latency | None = latency(
                torch, self._comparison.images, options.latency_calls
            )
        self._bootstrap = PairedBootstrap(
            measured, len(self.validation), options.resamples, options.seed
        )
        self._value = measured.values[self.kind.primary_metric]
        self._weights = source
        if options.method == "training":
            from models.quantization.training import train_quantized

            self._weights = train_quantized(
                self.kind,
                source,
                dataset,
                self._calibration,
                options,
                room / "training",
                reporter,
            )
        self._float_onnx = self._write_float()
        self._drafts: dict[str, NewArtifact] = {}

    def _write_float(self) -> Path:
        """Write the float ONNX graph that all forms are made from."""
        from models.export.onnx_format import write_onnx

        self._reporter.log("writing the graph in float")
        file = self._room / "float.onnx"
        write_onnx(self._weights, file)
        return file

    def form(self, name: str) -> QuantizedForm:
        """Make and judge one form."""
        if name == "onnx":
            return self._judge(self._onnx(), None)
        return self._openvino()

    def save(self, forms: Sequence[QuantizedForm], target: Path) -> ModelPackage:
        """Write the package with the forms that are kept."""
        kept = [form for form in forms if form.kept]
        artifacts = [
            replace(self._drafts[form.file], parity=form.parity, quantization=form.quantization)
            for form in kept
        ]
        figures = [
            Metric(
                name=name,
                value=value,
                split=self.validation.split,
                artifact=form.file,
                pictures=len(self.validation),
            )
            for form in kept
            for name, value in form.metrics.items()
        ]
        return self._source.with_artifacts(artifacts).with_metrics(figures).save(target)

    def _openvino(self) -> QuantizedForm:
        """Quantise plainly; where that loses too much, under accuracy control."""
        from models.export.openvino_format import write_openvino

        options, reporter = self._options, self._reporter
        xml = self._room / "float" / "model.xml"
        write_openvino(self._source.card, self._float_onnx, xml, "float32")
        graph = read_graph(xml)
        kept = float_names(graph, options.float_parts, options.float_layers)
        reporter.log("quantising OpenVINO")
        plain = quantize_plain(graph, self._calibration, self.kind, self._source, kept, options)
        done = self._judge(self._openvino_files(plain, kept, None), None)
        if done.loss.within(options.budget) or not options.control.enabled:
            return done
        reporter.log(f"plain INT8 has {self.kind.primary_metric} {done.loss}")
        reporter.log("putting layers back to float until the loss is inside the budget")
        judgement = Judgement(self._source, self.validation, self._bootstrap, self._value)
        controlled = quantize_controlled(
            graph,
            self._calibration,
            self.kind,
            judgement,
            kept,
            sum(layer.int8 for layer in layers(plain)),
            options,
            reporter,
        )
        return self._judge(self._openvino_files(controlled, kept, plain), done.loss)

    def _openvino_files(self, graph: object, kept: dict[str, str], plain: object | None) -> _Made:
        folder = "plain" if plain is None else "controlled"
        xml = self._room / folder / "model.xml"
        tool = save(graph, xml)
        found = layers(graph)
        before = layers(plain) if plain is not None else None
        explained = explain(found, kept, before)
        files = {f"{OPENVINO}.xml": xml, f"{OPENVINO}.bin": xml.with_suffix(".bin")}
        return _Made(
            "openvino",
            NewArtifact("openvino", files, "int8", tool=tool),
            Quantization(
                method="post-training" if plain is None else "accuracy-control",
                trained=self._options.method == "training",
                preset=self._options.preset,
                split=SPLIT,
                pictures=len(self._calibration),
                layers=sum(layer.int8 for layer in found),
                float_layers=tuple(name for name, _, _ in explained),
            ),
            tuple(FloatLayer(*one) for one in explained),
        )

    def _onnx(self) -> _Made:
        onnx = library("onnx", "export", "quantisation for ONNX")
        options = self._options
        file = self._room / ONNX
        self._reporter.log("quantising ONNX")
        tool, kept = quantize_onnx(
            self._float_onnx, file, self._source.card, self._calibration, options, self._reporter
        )
        found = onnx_layers(onnx.load(file))
        others = f"onnx_operators={','.join(options.onnx_operators)}"
        floats = tuple(
            FloatLayer(layer.name, layer.kind, kept.get(layer.name, others))
            for layer in found
            if not layer.int8
        )
        return _Made(
            "onnxruntime",
            NewArtifact("onnx", {ONNX: file}, "int8", tool=tool),
            Quantization(
                method="post-training",
                trained=self._options.method == "training",
                preset="performance",
                split=SPLIT,
                pictures=len(self._calibration),
                layers=sum(layer.int8 for layer in found),
                float_layers=tuple(layer.name for layer in floats),
            ),
            floats,
        )

    def _judge(self, made: _Made, plain: Loss | None) -> QuantizedForm:
        """Measure a form on the pictures that the reference was measured on."""
        options = self._options
        if not made.quantization.layers:
            raise BudgetError(
                f"nothing is left in INT8 in {made.file}: every layer stayed in float or was put "
                f"back to it; allow a larger budget or train with quantisation (method=training)"
            )
        draft = self._source.with_artifacts([made.artifact])
        self._drafts[made.file] = made.artifact
        with load_predictor(
            draft, made.runtime, "cpu", options.threads, precision="int8"
        ) as candidate:
            self._reporter.log(f"measuring {made.file} on {len(self.validation)} pictures")
            measured: Measurement = self.validation.measure_each(candidate)
            loss = self._bootstrap.loss(measured, options.confidence)
            # Recorded whatever it is: a form that lost too much may still be put right.
            parity = self._comparison.parity(
                candidate, options.tolerance.model_copy(update={"outside": 1.0})
            )
            took = latency(candidate, self._comparison.images, options.latency_calls)
        artifact = next(one for one in draft.card.artifacts if one.file == made.file)
        return QuantizedForm(
            runtime=made.runtime,
            file=made.file,
            bytes=artifact.bytes,
            quantization=made.quantization,
            metrics=measured.values,
            loss=loss,
            plain=plain,
            parity=parity,
            latency=took,
            float_layers=made.float_layers,
            kept=loss.within(options.budget) and not differs(parity, options),
        )


def differs(parity: Parity | None, options: QuantizeOptions) -> bool:
    """Say whether more results are outside the tolerance than may be."""
    return parity is not None and parity.outside > options.tolerance.outside * parity.compared


def refuse_losses(report: QuantizeReport, options: QuantizeOptions, reporter: Reporter) -> None:
    """Refuse forms that aren't kept, or say that they are left out.

    Raises:
        BudgetError: with the figures of each.
    """
    lines = []
    for form in report.forms:
        if form.kept:
            continue
        words = f"{form.file} under {form.runtime} has {report.metric} {form.loss}"
        if form.loss.within(options.budget) and form.parity is not None:
            words += (
                f", but {form.parity.outside} of {form.parity.compared} results are outside the "
                f"tolerance"
            )
        else:
            words += f": the budget is {options.budget:g}"
        lines.append(words)
    if lines and options.otherwise == "fail":
        raise BudgetError("; ".join(lines))
    for line in lines:
        reporter.log(f"warning: {line}; it is left out")
