"""Export of trained models to ONNX, OpenVINO and TensorRT, each checked on real pictures."""

from models.export.exporter import export
from models.export.options import ExportOptions, ToleranceOptions
from models.export.report import ExportError, ExportReport, FormReport, Latency

__all__ = [
    "ExportError",
    "ExportOptions",
    "ExportReport",
    "FormReport",
    "Latency",
    "ToleranceOptions",
    "export",
]
