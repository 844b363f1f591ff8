"""Tensors of the Open Inference Protocol, REST form, with its binary extension.

See github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md) and
github.com/triton-inference-server/server (docs/protocol/extension_binary_data.md).
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.serving.refusal import Refusal, bad_request

DATATYPES: Final[Mapping[str, Any]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP32": np.float32,
    "BYTES": np.object_,
}
"""Those that models here use."""
_PARAMETERS = ("binary_data_output", "timeout", "threshold")
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class TensorSpec:
    """What a model says of an input or output."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 for any size."""

    def metadata(self) -> dict[str, Any]:
        """As the protocol writes it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class InferRequest:
    """An inference request, read and checked."""

    id: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[tuple[str, bool], ...]
    """Names wanted, and whether in binary form."""
    timeout: float | None
    """Seconds that the client gives it."""
    threshold: float | None


def read_request(
    body: bytes, header: int | None, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> InferRequest:
    """Read the body of an inference request.

    Args:
        body: JSON, with binary tensors behind it if there's a header length.
        header: length of the JSON part; None if it is all JSON.
        inputs: what the model takes.
        outputs: what the model gives.

    Raises:
        Refusal: 400, saying what is wrong.
    """
    if header is not None and not 0 < header <= len(body):
        raise bad_request(
            f"Inference-Header-Content-Length is {header}, expected 1 to {len(body)}, the length "
            f"of the body"
        )
    found = _json(body if header is None else body[:header])
    tail = memoryview(body)[len(body) if header is None else header :]
    identity = found.get("id", "")
    if not isinstance(identity, str):
        raise bad_request("id: expected text")
    parameters = _parameters(found, "parameters")
    if strange := sorted(set(parameters) - set(_PARAMETERS)):
        raise bad_request(
            f"parameters: no '{strange[0][:100]}' here; there are: {', '.join(_PARAMETERS)}"
        )
    tensors, rest = _inputs(found.get("inputs"), tail, inputs)
    if len(rest):
        raise bad_request(f"{len(rest)} bytes are left behind the last binary tensor")
    binary = _truth(parameters, "binary_data_output", False)
    return InferRequest(
        id=identity,
        inputs=tensors,
        outputs=_outputs(found.get("outputs"), binary, [spec.name for spec in outputs]),
        timeout=_timeout(parameters),
        threshold=_threshold(parameters.get("threshold")),
    )


def write_response(
    model: str, request: InferRequest, tensors: Mapping[str, NDArray[Any]]
) -> tuple[bytes, int | None]:
    """Write the body of an answer.

    Returns:
        The body, and the length of its JSON part if binary tensors follow it.

    Raises:
        Refusal: 500, a value that JSON has no word for.
    """
    described, blobs = [], []
    for name, binary in request.outputs:
        array = np.asarray(tensors[name])
        entry: dict[str, Any] = {
            "name": name,
            "datatype": datatype(array),
            "shape": list(array.shape),
        }
        if binary:
            blobs.append(_blob(array))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = array.ravel().tolist()
        described.append(entry)
    answer: dict[str, Any] = {"model_name": model, "model_version": VERSION, "outputs": described}
    if request.id:
        answer["id"] = request.id
    try:
        text = json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise Refusal(
            500, "an output holds infinity or NaN, which JSON can't say: ask for binary outputs"
        ) from None
    return (b"".join([text, *blobs]), len(text)) if blobs else (text, None)


VERSION: Final = "1"
"""The one version of every model here."""


def datatype(array: NDArray[Any]) -> str:
    """Name an array's type as the protocol does."""
    return next(name for name, kind in DATATYPES.items() if array.dtype == kind)


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the request is no JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise bad_request("the request: expected a JSON object")
    return found


def _parameters(of: Mapping[str, Any], where: str) -> dict[str, Any]:
    found = of.get("parameters", {})
    if not isinstance(found, dict):
        raise bad_request(f"{where}: expected an object")
    return found


def _truth(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise bad_request(f"{name}: expected true or false")
    return value


def _timeout(parameters: Mapping[str, Any]) -> float | None:
    value = parameters.get("timeout")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise bad_request("parameters.timeout: expected a whole number of microseconds")
    return min(value, 10**12) / 1e6


def _threshold(value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 <= value <= 1.0:
        raise bad_request("parameters.threshold: expected a number from 0 to 1")
    return float(value)


def _inputs(
    found: Any, tail: memoryview, wanted: Sequence[TensorSpec]
) -> tuple[dict[str, NDArray[Any]], memoryview]:
    if not isinstance(found, list) or not found:
        raise bad_request("inputs: expected a list of tensors")
    by_name = {spec.name: spec for spec in wanted}
    tensors: dict[str, NDArray[Any]] = {}
    for entry in found:
        if not isinstance(entry, dict):
            raise bad_request("inputs: expected objects")
        name = entry.get("name")
        spec = by_name.get(name) if isinstance(name, str) else None
        if spec is None:
            raise bad_request(
                f"inputs: no '{str(name)[:100]}' here; there are: {', '.join(by_name)}"
            )
        if spec.name in tensors:
            raise bad_request(f"inputs: '{spec.name}' is there twice")
        if entry.get("datatype") != spec.datatype:
            got = str(entry.get("datatype"))[:100]
            raise bad_request(f"{spec.name}: datatype: expected {spec.datatype}, got {got}")
        shape = _shape(entry.get("shape"), spec)
        size = _parameters(entry, f"{spec.name}: parameters").get("binary_data_size")
        if size is None:
            tensors[spec.name] = _from_json(entry.get("data"), spec, shape)
            continue
        if "data" in entry:
            raise bad_request(f"{spec.name}: both data and binary_data_size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail):
            raise bad_request(
                f"{spec.name}: binary_data_size: expected 0 to {len(tail)}, the bytes that follow; "
                f"is the header Inference-Header-Content-Length there?"
            )
        tensors[spec.name] = _from_binary(tail[:size], spec, shape)
        tail = tail[size:]
    if missing := [name for name in by_name if name not in tensors]:
        raise bad_request(f"inputs: '{missing[0]}' is missing")
    return tensors, tail


def _shape(found: Any, spec: TensorSpec) -> tuple[int, ...]:
    whole = isinstance(found, list) and all(type(size) is int for size in found)
    fits = whole and len(found) == len(spec.shape)
    if not fits or any(
        size < 1 or wanted not in (-1, size) for size, wanted in zip(found, spec.shape, strict=True)
    ):
        raise bad_request(
            f"{spec.name}: shape: expected {list(spec.shape)}, where -1 is any size from 1, got "
            f"{str(found)[:100]}"
        )
    return tuple(found)


def _from_json(data: Any, spec: TensorSpec, shape: tuple[int, ...]) -> NDArray[Any]:
    if not isinstance(data, list):
        raise bad_request(f"{spec.name}: data: expected a list")
    wrong = bad_request(
        f"{spec.name}: data: expected {math.prod(shape)} values of {spec.datatype} for shape "
        f"{list(shape)}" + (", each as base64 text" if spec.datatype == "BYTES" else "")
    )
    if spec.datatype == "BYTES":
        if len(data) != math.prod(shape) or not all(isinstance(text, str) for text in data):
            raise wrong
        try:
            return _texts([base64.b64decode(text, validate=True) for text in data], shape)
        except ValueError:
            raise wrong from None
    try:
        array = np.asarray(data)
    except (ValueError, OverflowError, RecursionError):
        raise wrong from None
    kind = DATATYPES[spec.datatype]
    if array.size != math.prod(shape) or array.dtype.kind not in "iu":
        raise wrong
    limits = np.iinfo(kind)
    if array.min() < limits.min or array.max() > limits.max:
        raise wrong
    return array.astype(kind).reshape(shape)


def _from_binary(data: memoryview, spec: TensorSpec, shape: tuple[int, ...]) -> NDArray[Any]:
    if spec.datatype == "BYTES":
        return _texts(_elements(data, spec.name, math.prod(shape)), shape)
    kind = np.dtype(DATATYPES[spec.datatype]).newbyteorder("<")
    expected = math.prod(shape) * kind.itemsize
    if len(data) != expected:
        raise bad_request(
            f"{spec.name}: binary_data_size is {len(data)}, expected {expected} for shape "
            f"{list(shape)}"
        )
    return np.frombuffer(data, kind).reshape(shape)


def _elements(data: memoryview, name: str, count: int) -> list[bytes]:
    elements: list[bytes] = []
    start = 0
    while start < len(data) and len(elements) <= count:
        end = start + _LENGTH.size
        if end <= len(data):
            (length,) = _LENGTH.unpack_from(data, start)
            start, end = end, end + length
        if end > len(data):
            raise bad_request(f"{name}: element {len(elements)} reaches beyond the data")
        elements.append(bytes(data[start:end]))
        start = end
    if len(elements) != count:
        raise bad_request(f"{name}: expected {count} elements")
    return elements


def _texts(elements: Sequence[bytes], shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.empty(len(elements), np.object_)
    array[:] = elements
    return array.reshape(shape)


def _blob(array: NDArray[Any]) -> bytes:
    if array.dtype == np.object_:
        texts = [str(text).encode() for text in array.ravel()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _outputs(found: Any, binary: bool, names: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    if found is None or found == []:
        return tuple((name, binary) for name in names)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise bad_request("outputs: expected a list of objects")
    wanted: dict[str, bool] = {}
    for entry in found:
        name = entry.get("name")
        if name not in names:
            raise bad_request(
                f"outputs: no '{str(name)[:100]}' here; there are: {', '.join(names)}"
            )
        parameters = _parameters(entry, f"{name}: parameters")
        if strange := sorted(set(parameters) - {"binary_data"}):
            raise bad_request(f"{name}: parameters: '{strange[0][:100]}' isn't served here")
        wanted[name] = _truth(parameters, "binary_data", binary)
    return tuple(wanted.items())
