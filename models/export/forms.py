"""Write the forms of a model that the options name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from models.export.options import ExportOptions, Form
from models.families import family
from models.package import Artifact, ModelPackage, NewArtifact
from models.package.card import Format
from models.package.onnx_data import check_onnx_data
from models.reporting import Reporter
from models.runtimes import RUNTIMES
from models.runtimes.engines import library

RUNTIME_OF: dict[Format, str] = {
    entry.format: name for name, entry in RUNTIMES.items() if entry.format is not None
}
"""What runs a format."""


def check_possible(source: ModelPackage, options: ExportOptions) -> None:
    """Find out what can't be written before the long work starts.

    Raises:
        ValueError: a library or GPU isn't there, or the package lacks what a form is made from.
    """
    formats = {form.format for form in options.forms}
    if "openvino" in formats:
        library("openvino", "export", "export to OpenVINO")
    if "onnx-fused" in formats:
        family(source.card.family).fused(source.card)
    if "tensorrt" in formats:
        from models.export.tensorrt_format import check_tensorrt

        check_tensorrt()
    if Form("tensorrt", "int8") in options.forms:
        _int8_onnx(source)


def write_forms(
    source: ModelPackage, room: Path, options: ExportOptions, reporter: Reporter
) -> dict[str, NewArtifact]:
    """Write the forms into a scratch folder.

    Args:
        source: the trained package.
        room: an empty folder.
        options: which forms.
        reporter: told what is written.

    Returns:
        What to add to the package, by the file to open.

    Raises:
        ValueError: a library isn't there.
        ExportError: a form isn't what `model.json` says.
    """
    writer = _Writer(source, room, options, reporter)
    return {new.file: new for new in (writer.write(form) for form in options.forms)}


def _int8_onnx(source: ModelPackage) -> Artifact:
    try:
        return source.artifact("onnx", "int8")
    except ValueError as error:
        raise ValueError(
            f"tensorrt-int8 is built from the model's int8 ONNX: {error}; run the quantize stage "
            f"first"
        ) from error


class _Writer:
    def __init__(
        self, source: ModelPackage, room: Path, options: ExportOptions, reporter: Reporter
    ) -> None:
        self._source = source
        self._room = room
        self._options = options
        self._reporter = reporter
        self._onnx: dict[Form, tuple[Path, str]] = {}

    def write(self, form: Form) -> NewArtifact:
        if form.format == "openvino":
            return self._openvino(form)
        if form.format == "tensorrt":
            return self._tensorrt(form)
        file, tool = self._onnx_file(form)
        return NewArtifact(
            form.format, {file.name: file}, form.precision, tool=tool, batch=self._options.batch
        )

    def _onnx_file(self, form: Form) -> tuple[Path, str]:
        """Write an ONNX file once, though several forms may be made from it."""
        if form not in self._onnx:
            name = "model" + form.format.removeprefix("onnx") + _suffix(form)
            file = self._room / f"{name}.onnx"
            self._onnx[form] = file, self._write_onnx(form, file)
        return self._onnx[form]

    def _write_onnx(self, form: Form, file: Path) -> str:
        from models.export.onnx_format import check_shapes, describe, save_onnx, write_onnx

        batch, card = self._options.batch, self._source.card
        if form == Form("onnx", "float32"):
            self._reporter.log(f"writing {file.name}")
            return write_onnx(self._source, file, batch, self._options.simplify)
        import onnx

        if form.format == "onnx-fused":
            from models.export.fusing import fuse

            base, tool = self._onnx_file(Form("onnx", form.precision))
            self._reporter.log(f"writing {file.name}")
            fused = family(card.family).fused(card)
            graph = fuse(onnx.load(base), card, fused)
            outputs = fused.outputs
        else:
            from models.export.float16 import to_float16

            base, tool = self._onnx_file(Form("onnx", "float32"))
            self._reporter.log(f"writing {file.name}")
            graph, share = to_float16(onnx.load(base))
            self._reporter.log(f"{share:.0%} of the matrix products compute in float16")
            outputs = None
        check_shapes(graph, card, batch, outputs)
        describe(graph, card, form.precision, batch, outputs)
        save_onnx(graph, file)
        return tool

    def _openvino(self, form: Form) -> NewArtifact:
        from models.export.openvino_format import write_openvino

        onnx, _ = self._onnx_file(Form("onnx", "float32"))
        name = f"model{_suffix(form)}"
        xml = self._room / "openvino" / f"{name}.xml"
        self._reporter.log(f"writing openvino/{xml.name}")
        batch = self._options.batch
        precision: Literal["float32", "float16"]
        precision = "float16" if form.precision == "float16" else "float32"
        tool = write_openvino(self._source.card, onnx, xml, precision, batch)
        files = {f"openvino/{file.name}": file for file in (xml, xml.with_suffix(".bin"))}
        return NewArtifact("openvino", files, form.precision, tool=tool, batch=batch)

    def _tensorrt(self, form: Form) -> NewArtifact:
        from models.export.tensorrt_format import write_tensorrt

        batch, options = self._options.batch, self._options.tensorrt
        if form.precision == "int8":
            artifact = _int8_onnx(self._source)
            onnx, batch = self._source.path(artifact), artifact.batch
            check_onnx_data(onnx, artifact)
        else:
            onnx, _ = self._onnx_file(Form("onnx", form.precision))
        plan = self._room / "tensorrt" / f"model{_suffix(form)}.plan"
        self._reporter.log(f"building tensorrt/{plan.name}")
        device = write_tensorrt(
            self._source.card, onnx, plan, form.precision, options, batch, self._reporter
        )
        return NewArtifact(
            "tensorrt",
            {f"tensorrt/{plan.name}": plan},
            form.precision,
            tool=f"tensorrt {device.tensorrt}",
            batch=batch,
            device=device,
        )


def _suffix(form: Form) -> str:
    return "" if form.precision == "float32" else f"-{form.precision}"
