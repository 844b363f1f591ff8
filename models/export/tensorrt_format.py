"""TensorRT engines, built on the machine whose GPU is to run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.export.options import TensorRtOptions
from models.export.report import ExportError
from models.export.tensorrt_precision import check_precision, wanted
from models.package import Device, ModelCard
from models.package.card import Precision
from models.reporting import Reporter
from models.runtimes.tensorrt_library import major_of, tensorrt_library, this_device


@dataclass(frozen=True)
class BuildPlan:
    """All that the builder is told beside the graph."""

    input: str
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    """Of the input: least, preferred and most."""
    strongly_typed: bool
    """Whether the network must be told to keep the graph's types; TensorRT 11 always does."""
    tf32: bool
    """Whether float32 products may be rounded to 10 bits."""
    workspace: int | None
    """Bytes of scratch memory; None for all of it."""


def plan_build(
    card: ModelCard,
    version: str,
    precision: Precision,
    options: TensorRtOptions,
    batch: int | None,
) -> BuildPlan:
    """Decide how to build.

    Args:
        card: gives the input.
        version: of TensorRT.
        precision: of the engine.
        options: the user's.
        batch: the fixed batch size of the graph; None for any.

    Raises:
        ValueError: a version that isn't supported.
    """
    height, width, channels = card.input.shape[1:]
    least, most = (1, options.max_batch) if batch is None else (batch, batch)
    # One picture at a time is what the engine is tuned for, as detectors are mostly used.
    shapes = tuple((count, height, width, channels) for count in (least, least, most))
    return BuildPlan(
        input=card.input.name,
        shapes=(shapes[0], shapes[1], shapes[2]),
        strongly_typed=major_of(version) == 10,
        tf32=precision != "float32",
        workspace=None if options.workspace_mb is None else options.workspace_mb << 20,
    )


def check_tensorrt() -> None:
    """Find out whether engines can be built here.

    Raises:
        ValueError: TensorRT, its libraries or a GPU is missing.
    """
    this_device(tensorrt_library())


def write_tensorrt(
    card: ModelCard,
    onnx: Path,
    file: Path,
    precision: Precision,
    options: TensorRtOptions,
    batch: int | None,
    reporter: Reporter,
) -> Device:
    """Build an engine for the first GPU of this machine.

    Args:
        card: of the model.
        onnx: the graph at the wanted precision.
        file: to write.
        precision: float32, float16 (from a mixed graph) or int8 (from a quantised one).
        options: the user's.
        batch: pictures that the graph takes at once; None for any number.
        reporter: told which layers came out.

    Returns:
        What it was built for.

    Raises:
        ValueError: TensorRT, its libraries or a GPU is missing.
        ExportError: the graph isn't of this precision, the build failed, or the engine has another
            precision than was asked for.
    """
    import onnx as onnx_library

    trt = tensorrt_library()
    device = this_device(trt)
    graph = cast_first(onnx_library.load(onnx))
    asked = wanted(graph, precision)
    plan = plan_build(card, device.tensorrt, precision, options, batch)
    built, information = build(trt, plan, graph.SerializeToString())
    counts = check_precision(information, asked)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    reporter.log(f"layers of {file.name}: {said}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(built)
    return device


def cast_first(graph: Any) -> Any:
    """Let the pixels become float32 before all else: TensorRT moves no uint8 about.

    Args:
        graph: ONNX, as `onnx.ModelProto`, which transposes the pixels first; changed in place.
    """
    name = graph.graph.input[0].name
    first = [node for node in graph.graph.node if name in node.input]
    if len(first) == 1 and first[0].op_type == "Transpose":
        moved = first[0].output[0]
        casts = [node for node in graph.graph.node if moved in node.input]
        if len(casts) == 1 and casts[0].op_type == "Cast":
            transpose, cast = first[0], casts[0]
            result = cast.output[0]
            cast.input[0], cast.output[0] = name, f"{name}.float"
            transpose.input[0], transpose.output[0] = cast.output[0], result
            place = {id(node): index for index, node in enumerate(graph.graph.node)}
            nodes = list(graph.graph.node)
            one, other = place[id(transpose)], place[id(cast)]
            nodes[one], nodes[other] = cast, transpose
            copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
            del graph.graph.node[:], graph.graph.value_info[:]
            graph.graph.node.extend(copies)
    return graph


def build(trt: Any, plan: BuildPlan, graph: bytes) -> tuple[bytes, str]:
    """Build an engine: the one place that speaks to TensorRT's builder.

    Args:
        trt: the module `tensorrt`.
        plan: what to tell the builder.
        graph: an ONNX file.

    Returns:
        The engine, and its layers as JSON.

    Raises:
        ExportError: it could not be built.
    """
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flags = 0
    if plan.strongly_typed:
        flags |= 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        found = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        reason = " ".join(str(found[0] if found else "no reason given").split())[:300]
        raise ExportError(f"TensorRT {trt.__version__} can't read the ONNX graph: {reason}")
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not plan.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if plan.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, plan.workspace)
    profile = builder.create_optimization_profile()
    profile.set_shape(plan.input, *plan.shapes)
    config.add_optimization_profile(profile)
    made = builder.build_serialized_network(network, config)
    if made is None:
        raise ExportError(
            f"TensorRT {trt.__version__} could not build the engine; its reason is on the error "
            f"stream, and often it is too little GPU memory (tensorrt.workspace_mb, "
            f"tensorrt.max_batch)"
        )
    content = bytes(made)
    engine = trt.Runtime(logger).deserialize_cuda_engine(content)
    if engine is None:
        raise ExportError(f"TensorRT {trt.__version__} can't load the engine that it built")
    inspector = engine.create_engine_inspector()
    return content, str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
