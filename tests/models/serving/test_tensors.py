"""Requests of the Open Inference Protocol, whole and broken."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import (
    DataObject,
    data,
    integers,
    none,
    one_of,
    sampled_from,
)
from hypothesis.strategies import (
    binary as binaries,
)

from models.serving.refusal import Refusal
from models.serving.tensors import TensorSpec, read_request, write_response

IMAGES = [TensorSpec("images", "UINT8", (-1, 2, 2))]
PICTURE = [TensorSpec("picture", "BYTES", (-1,))]
OUTPUTS = [TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "BYTES", (-1,))]


def image(**changes: Any) -> dict[str, Any]:
    """A JSON tensor that is in order but for the changes; None takes a key away."""
    whole = {"name": "images", "datatype": "UINT8", "shape": [1, 2, 2], "data": [1, 2, 3, 255]}
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def binary(size: Any, **changes: Any) -> dict[str, Any]:
    return image(data=None, parameters={"binary_data_size": size}, **changes)


def ask(body: Any, blob: bytes = b"", inputs: list[TensorSpec] = IMAGES) -> Any:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(text + blob, len(text) if blob else None, inputs, OUTPUTS)


@pytest.mark.parametrize("data", [[1, 2, 3, 255], [[[1, 2], [3, 255]]]])
def test_json_tensors_flat_and_nested(data: Any) -> None:
    found = ask({"inputs": [image(data=data)], "id": "x"})
    assert found.inputs["images"].tolist() == [[[1, 2], [3, 255]]]
    assert found.inputs["images"].dtype == np.uint8
    assert (found.id, found.timeout, found.threshold) == ("x", None, None)
    assert found.outputs == (("a", False), ("b", False))


def test_binary_tensors() -> None:
    found = ask({"inputs": [binary(8, shape=[2, 2, 2])]}, bytes(range(8)))
    assert found.inputs["images"].ravel().tolist() == list(range(8))
    blob = b"".join(struct.pack("<I", len(text)) + text for text in (b"", b"\x00\xff"))
    picture = {"name": "picture", "datatype": "BYTES", "shape": [2]}
    picture["parameters"] = {"binary_data_size": len(blob)}
    assert ask({"inputs": [picture]}, blob, PICTURE).inputs["picture"].tolist() == [b"", b"\0\xff"]


def test_texts_in_json_are_base64() -> None:
    data = [base64.b64encode(b"\xff\xd8").decode()]
    picture = {"name": "picture", "datatype": "BYTES", "shape": [1], "data": data}
    assert ask({"inputs": [picture]}, inputs=PICTURE).inputs["picture"].tolist() == [b"\xff\xd8"]


def test_parameters() -> None:
    given = {"binary_data_output": True, "timeout": 1500, "threshold": 0.25}
    found = ask({"inputs": [image()], "parameters": given})
    assert (found.timeout, found.threshold) == (0.0015, 0.25)
    assert found.outputs == (("a", True), ("b", True))
    wanted = [{"name": "b", "parameters": {"binary_data": False}}]
    assert ask({"inputs": [image()], "parameters": given, "outputs": wanted}).outputs == (
        ("b", False),
    )


BAD: list[tuple[Any, bytes, str]] = [
    (b"", b"", "no JSON"),
    (b"{", b"", "no JSON"),
    (b"\xff\xfe", b"", "no JSON"),
    (b"[" * 5000 + b"]" * 5000, b"", "no JSON"),
    ([], b"", "expected a JSON object"),
    ({}, b"", "inputs: expected a list"),
    ({"inputs": []}, b"", "inputs: expected a list"),
    ({"inputs": [3]}, b"", "inputs: expected objects"),
    ({"inputs": [image(name="cat")]}, b"", "no 'cat' here; there are: images"),
    ({"inputs": [image(name=["images"])]}, b"", "there are: images"),
    ({"inputs": [image(), image()]}, b"", "'images' is there twice"),
    ({"inputs": [image(datatype="FP32")]}, b"", "datatype: expected UINT8, got FP32"),
    ({"inputs": [image(shape=None)]}, b"", "shape: expected [-1, 2, 2]"),
    ({"inputs": [image(shape=[1, 2])]}, b"", "shape: expected [-1, 2, 2]"),
    ({"inputs": [image(shape=[1, 2, 3])]}, b"", "shape: expected [-1, 2, 2]"),
    ({"inputs": [image(shape=[0, 2, 2])]}, b"", "any size from 1"),
    ({"inputs": [image(shape=[-1, 2, 2])]}, b"", "any size from 1"),
    ({"inputs": [image(shape=[True, 2, 2])]}, b"", "any size from 1"),
    ({"inputs": [image(shape=[1.0, 2, 2])]}, b"", "any size from 1"),
    ({"inputs": [image(data=None)]}, b"", "data: expected a list"),
    ({"inputs": [image(data="1234")]}, b"", "data: expected a list"),
    ({"inputs": [image(data=[1, 2, 3])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, 256])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, -1])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, 10**30])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, 0.5])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, "4"])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[[1, 2], [3]])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[1, 2, 3, None])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(data=[])]}, b"", "expected 4 values of UINT8"),
    ({"inputs": [image(shape=[10**15, 2, 2])]}, b"", "values of UINT8"),
    ({"inputs": [binary(4)]}, b"", "expected 0 to 0, the bytes that follow"),
    ({"inputs": [binary(5)]}, b"1234", "expected 0 to 4, the bytes that follow"),
    ({"inputs": [binary(-1)]}, b"1234", "expected 0 to 4"),
    ({"inputs": [binary("4")]}, b"1234", "expected 0 to 4"),
    ({"inputs": [binary(3)]}, b"1234", "binary_data_size is 3, expected 4"),
    ({"inputs": [binary(4)]}, b"12345", "1 bytes are left"),
    ({"inputs": [binary(4, shape=[10**15, 2, 2])]}, b"1234", "expected 4000000000000000"),
    ({"inputs": [{**image(), **binary(4), "data": [1]}]}, b"1234", "both data and binary"),
    ({"inputs": [image(parameters=3)]}, b"", "parameters: expected an object"),
    ({"inputs": [image()], "id": 3}, b"", "id: expected text"),
    ({"inputs": [image()], "parameters": {"treshold": 1}}, b"", "no 'treshold' here"),
    ({"inputs": [image()], "parameters": {"threshold": 2}}, b"", "a number from 0 to 1"),
    ({"inputs": [image()], "parameters": {"threshold": True}}, b"", "a number from 0 to 1"),
    ({"inputs": [image()], "parameters": {"timeout": 0}}, b"", "microseconds"),
    ({"inputs": [image()], "parameters": {"binary_data_output": 1}}, b"", "true or false"),
    ({"inputs": [image()], "outputs": 3}, b"", "outputs: expected a list"),
    ({"inputs": [image()], "outputs": [{"name": "cat"}]}, b"", "no 'cat' here; there are: a, b"),
    ({"inputs": [image()], "outputs": [{"name": []}]}, b"", "there are: a, b"),
    (
        {"inputs": [image()], "outputs": [{"name": "a", "parameters": {"classification": 1}}]},
        b"",
        "'classification' isn't served here",
    ),
]


@pytest.mark.parametrize(("body", "blob", "words"), BAD)
def test_bad_requests_get_one_clear_line(body: Any, blob: bytes, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask(body, blob)
    assert caught.value.status == 400
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"\1\0\0", "element 0 reaches beyond"),
        (b"\5\0\0\0abc", "element 0 reaches beyond"),
        (b"\xff\xff\xff\xffabc", "element 0 reaches beyond"),
        (b"\0\0\0\0\0\0\0\0", "expected 1 elements"),
        (b"\0\0\0\0" * 9, "expected 1 elements"),
    ],
)
def test_bad_binary_texts(blob: bytes, words: str) -> None:
    picture = {"name": "picture", "datatype": "BYTES", "shape": [1]}
    picture["parameters"] = {"binary_data_size": len(blob)}
    with pytest.raises(Refusal, match=words):
        ask({"inputs": [picture]}, blob, PICTURE)


@pytest.mark.parametrize("data", [[3], ["%%%"], ["é"], ["aGk=", "aGk="], [], [None]])
def test_bad_texts_in_json(data: Any) -> None:
    picture = {"name": "picture", "datatype": "BYTES", "shape": [1], "data": data}
    with pytest.raises(Refusal, match="each as base64 text"):
        ask({"inputs": [picture]}, inputs=PICTURE)


def test_answers() -> None:
    asked = ask({"inputs": [image()], "id": "seven", "outputs": [{"name": "b"}, {"name": "a"}]})
    tensors = {"a": np.array([[0.5, 2]], np.float32), "b": np.array(["é"], np.object_)}
    text, header = write_response("m", asked, tensors)
    assert header is None
    assert json.loads(text) == {
        "model_name": "m",
        "model_version": "1",
        "id": "seven",
        "outputs": [
            {"name": "b", "datatype": "BYTES", "shape": [1], "data": ["é"]},
            {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 2.0]},
        ],
    }
    endless = {**tensors, "a": np.array([[np.inf, 2]], np.float32)}
    with pytest.raises(Refusal, match="ask for binary outputs") as caught:
        write_response("m", asked, endless)
    assert caught.value.status == 500
    asked = ask({"inputs": [image()], "parameters": {"binary_data_output": True}})
    body, length = write_response("m", asked, endless)
    assert body[length:] == struct.pack("<ff", np.inf, 2) + b"\2\0\0\0" + "é".encode()
    sizes = [one["parameters"]["binary_data_size"] for one in json.loads(body[:length])["outputs"]]
    assert sizes == [8, 6]


@settings(max_examples=300, deadline=None)
@given(data())
def test_whatever_comes_is_read_or_refused(draw: DataObject) -> None:
    """A request in order, with a piece of it replaced; never another error than a refusal."""
    blob = b"\0\1\2\3"
    text = json.dumps({"inputs": [binary(4)], "id": "x", "parameters": {"threshold": 0.5}}).encode()
    body = text + blob
    start = draw.draw(integers(0, len(body)))
    end = draw.draw(integers(start, min(len(body), start + 30)))
    junk = draw.draw(one_of(binaries(max_size=12), sampled_from(JUNK)))
    header = draw.draw(one_of(none(), integers(-3, 2 * len(body))))
    changed = body[:start] + junk + body[end:]
    with contextlib.suppress(Refusal):
        found = read_request(changed, len(text) if header is None else header, IMAGES, OUTPUTS)
        assert found.inputs["images"].shape[1:] == (2, 2)


JUNK = [b"NaN", b"1e999", b"-1", b"null", b"{}", b"[]", b"[[", b'"\\ud800"', b"true", b"1" * 400]
