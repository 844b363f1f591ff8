"""Every form of a model measured on one machine: accuracy, latency, memory, size, start time."""

from models.benchmark.options import BenchmarkOptions, GateOptions
from models.benchmark.record import BenchmarkRecord, Latency, Row, Throughput, read_record

__all__ = [
    "BenchmarkOptions",
    "BenchmarkRecord",
    "GateOptions",
    "Latency",
    "Row",
    "Throughput",
    "read_record",
]
