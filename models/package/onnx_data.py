"""Which files beside an ONNX file hold its weights, told without loading it.

An ONNX file may keep tensors in other files, by paths of its own. A hostile one names files
outside its folder, or a link beside it. Only the places of those names are read here, so it
takes milliseconds and needs no library. Format: https://protobuf.dev/programming-guides/encoding
and https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from models.package.card import Artifact

_DEPTH = 64
"""Of messages within messages; graphs in nodes are rarely deeper than 3."""

_TENSOR = "tensor"
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {13: "entry"},
    "entry": {},
}
"""Messages in which a tensor can lie, by the field's number."""


def check_onnx_data(file: Path, artifact: Artifact) -> None:
    """Refuse an ONNX file whose weights lie in files that its package doesn't name.

    What the package names has been checked: its hash, and that it is no link that leads out.

    Args:
        file: the ONNX file.
        artifact: what `model.json` says about it.

    Raises:
        ValueError: it names another file, or it is no ONNX file.
    """
    folder = PurePosixPath(artifact.file).parent
    named = {one.file for one in artifact.files[1:]}
    for location in external_files(file):
        if (folder / location).as_posix() not in named:
            raise ValueError(
                f"{file} wants weights from '{location[:100]}', which is no file of the model "
                f"package: it is not loaded"
            )


def external_files(file: Path) -> list[str]:
    """List the places outside an ONNX file that its tensors are to be read from.

    Raises:
        ValueError: it is no ONNX file.
    """
    if not file.stat().st_size:
        raise ValueError(f"{file} is no ONNX file: it is empty")
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return sorted(set(_locations(data, 0, len(data), "model", 0)))
        except (IndexError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise ValueError(f"{file} is no ONNX file: its parts don't fit together") from error


def _locations(data: mmap.mmap, start: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        raise RecursionError
    inside = _INSIDE[kind]
    for number, begin, stop in _fields(data, start, end):
        if number not in inside:
            continue
        if inside[number] != "entry":
            yield from _locations(data, begin, stop, inside[number], depth + 1)
            continue
        texts = {n: data[b:s].decode() for n, b, s in _fields(data, begin, stop)}
        if texts.get(1) == "location":
            yield texts.get(2, "")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field that holds bytes."""
    place = start
    while place < end:
        key, place = _number(data, place, end)
        kind = key & 7
        if kind == 0:
            _, place = _number(data, place, end)
        elif kind == 1:
            place += 8
        elif kind == 5:
            place += 4
        elif kind == 2:
            size, place = _number(data, place, end)
            if size > end - place:
                raise IndexError
            yield key >> 3, place, place + size
            place += size
        else:
            raise IndexError
    if place != end:
        raise IndexError


def _number(data: mmap.mmap, place: int, end: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte; returns it and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            raise IndexError
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise IndexError
