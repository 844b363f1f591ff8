"""The service over HTTP: what it answers, whatever comes."""

from __future__ import annotations

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from models.runtimes import load_predictor
from models.serving import server
from models.serving.client import ModelClient
from models.serving.pictures import decode_picture
from tests.models.serving.conftest import Running, Start

PIXELS = 96


def zeros(pictures: int = 1, **more: Any) -> dict[str, Any]:
    """A JSON request with black pictures."""
    shape = [pictures, PIXELS, PIXELS, 3]
    data = [0] * int(np.prod(shape))
    image = {"name": "images", "datatype": "UINT8", "shape": shape, "data": data}
    return {"inputs": [image], **more}


def waiting(running: Running, pictures: int) -> None:
    """Wait until so many pictures are in the queue."""
    for _ in range(2000):
        if running.service.batcher.length == pictures:
            return
        time.sleep(0.01)
    raise AssertionError(f"{running.service.batcher.length} pictures wait, not {pictures}")


def test_tritonclient_gets_the_engines_tensors(served: Running, exported: Path) -> None:
    import tritonclient.http as triton

    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (11, PIXELS, PIXELS, 3), dtype=np.uint8)
    with load_predictor(exported, "onnxruntime", "cpu", 1) as local:
        expected = local.engine(pictures)
    client = triton.InferenceServerClient(served.url.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("model") and client.is_model_ready("model_pictures", "1")
    assert not client.is_model_ready("model", "2")
    assert client.get_model_metadata("model")["inputs"] == [
        {"name": "images", "datatype": "UINT8", "shape": [-1, PIXELS, PIXELS, 3]}
    ]
    names = {entry["name"] for entry in client.get_model_repository_index()}
    assert names == {"model", "model_pictures"}
    tensor = triton.InferInput("images", list(pictures.shape), "UINT8")
    for binary_in, binary_out in ((True, True), (True, False), (False, True), (False, False)):
        tensor.set_data_from_numpy(pictures, binary_data=binary_in)
        wanted = [
            triton.InferRequestedOutput(name, binary_data=binary_out)
            for name in ("boxes", "logits")
        ]
        found = client.infer("model", [tensor], outputs=wanted, request_id="seven")
        assert found.get_response()["id"] == "seven"
        assert [output["name"] for output in found.get_response()["outputs"]] == ["boxes", "logits"]
        # Batches of other sizes round otherwise.
        assert np.abs(found.as_numpy("logits") - expected[0]).max() < 1e-4
        assert np.abs(found.as_numpy("boxes") - expected[1]).max() < 1e-4


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_every_runtime_can_be_served(
    start_service: Start, exported: Path, runtime: str, recwarn: pytest.WarningsRecorder
) -> None:
    running = start_service(runtime, batch=2)
    about = requests.get(f"{running.url}/v2/models/model", timeout=60).json()
    assert about["platform"] == f"sightline_{runtime}"
    assert about["parameters"]["classes"] == ["red", "blue"]
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (3, PIXELS, PIXELS, 3), dtype=np.uint8)
    with load_predictor(exported, runtime, "cpu", 1) as local:
        expected = local.engine(pictures)
    found = ModelClient(f"{running.url}/v2/models/model").infer(
        {"images": pictures}, [output.name for output in local.package.card.outputs]
    )
    assert all(np.abs(a - b).max() < 1e-4 for a, b in zip(found, expected, strict=True))
    assert not [warning for warning in recwarn if "writ" in str(warning.message)]


def test_pictures_get_the_predictors_results(
    served: Running, exported: Path, jpegs: list[bytes]
) -> None:
    import tritonclient.http as triton

    with load_predictor(exported, "onnxruntime", "cpu", 1) as local:
        images = [decode_picture(file, 1e6) for file in jpegs]
        uncut, expected = local(images, 0.0), local(images)
    assert sum(map(len, expected)) > 3
    client = triton.InferenceServerClient(served.url.removeprefix("http://"))
    tensor = triton.InferInput("picture", [len(jpegs)], "BYTES")
    tensor.set_data_from_numpy(np.array(jpegs, np.object_))
    for results, parameters in ((uncut, {"threshold": 0.0}), (expected, None)):
        found = client.infer("model_pictures", [tensor], parameters=parameters)
        assert found.as_numpy("count").tolist() == [len(one) for one in results]
        scores = np.concatenate([one.scores for one in results])
        assert found.as_numpy("scores") == pytest.approx(scores, abs=1e-4)
    names = [("red", "blue")[index].encode() for one in expected for index in one.classes]
    assert found.as_numpy("names").tolist() == names
    boxes = np.concatenate([one.boxes for one in expected])
    assert found.as_numpy("boxes") == pytest.approx(boxes, abs=0.05)
    answer = served.predict(jpegs[0]).json()
    assert answer["scores"] == pytest.approx(expected[0].scores.tolist(), abs=1e-4)
    assert set(answer) == {"boxes", "scores", "classes", "names"}
    everything = served.predict(jpegs[0], params={"threshold": 0}).json()
    assert len(everything["scores"]) == len(uncut[0]) > len(expected[0])


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v2/health/live", 200, ""),
        ("GET", "/v2/health/ready", 200, ""),
        ("GET", "/v2", 200, "binary_tensor_data"),
        ("GET", "/v2/models/model/versions/1", 200, "UINT8"),
        ("GET", "/v2/models/model/versions/1/ready", 200, ""),
        ("GET", "/v2/models/model/versions/2", 404, "it has: 1"),
        ("GET", "/v2/models/cat/ready", 404, "there are: model, model_pictures"),
        ("POST", "/v2/models/cat/infer", 404, "no model 'cat'"),
        ("GET", "/v2/models/model/infer", 405, "another method"),
        ("GET", "/cat", 404, "nothing is served"),
        ("GET", "/metrics", 200, "sightline_queue_pictures 0.0"),
        ("POST", "/predict", 400, "the picture is empty"),
        ("POST", "/predict?threshold=2", 400, "a number from 0 to 1"),
        ("POST", "/predict?treshold=1", 400, "no parameter 'treshold'"),
        ("POST", "/v2/models/model/versions/1/infer", 400, "no JSON"),
    ],
)
def test_addresses(served: Running, method: str, path: str, status: int, words: str) -> None:
    answer = requests.request(method, served.url + path, timeout=60)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    if status >= 400:
        assert list(answer.json()) == ["error"]
        assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({}, b"x" * 2_097_153, 413, "larger than 2 MiB"),
        ({"Content-Length": "1000000000000"}, b"", 413, "larger than 2 MiB"),
        ({"Content-Encoding": "gzip"}, b"x", 415, "uncompressed"),
        ({"Inference-Header-Content-Length": "-1"}, b"{}", 400, "a number of bytes"),
        ({"Inference-Header-Content-Length": "3"}, b"{}", 400, "expected 1 to 2"),
        ({}, b"[" * 100_000, 400, "no JSON"),
    ],
)
def test_bodies_that_are_refused(
    served: Running, headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    host = served.url.removeprefix("http://")
    lines = {"Host": host, "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((host.split(":")[0], int(host.split(":")[1])), 60) as connection:
        connection.sendall(f"POST /v2/models/model/infer HTTP/1.1\r\n{head}\r\n".encode())
        if len(body) < 2_000_000:  # the service doesn't wait for what it refuses by its head
            connection.sendall(body)
        answer = connection.recv(65536).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert words in answer


def test_a_body_without_a_length_is_limited_too(served: Running) -> None:
    chunks = (b"x" * 100_000 for _ in range(30))
    try:
        status = requests.post(f"{served.url}/predict", data=chunks, timeout=60).status_code
    except requests.ConnectionError:  # it was closed while we were still sending
        status = 413
    assert status == 413
    assert served.metric('sightline_requests_total{code="413",model="model_pictures"}') >= 1


def test_a_client_alone_does_not_wait_for_others(start_service: Start) -> None:
    running = start_service(max_wait_ms=1000)
    start = running.metric("sightline_batch_pictures_count")
    seconds = time.perf_counter()
    assert all(running.infer(zeros()).status_code == 200 for _ in range(10))
    assert time.perf_counter() - seconds < 8  # ten waits would be ten seconds
    assert running.metric("sightline_batch_pictures_count") - start == 10


def test_requests_go_through_the_network_together(start_service: Start) -> None:
    running = start_service(batch=4)
    running.gate.open.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(running.infer, zeros())
        assert running.gate.entered.wait(60)
        others = [pool.submit(running.infer, zeros()) for _ in range(6)]
        waiting(running, 6)
        assert running.metric("sightline_queue_pictures") == 6
        running.gate.open.set()
        assert {future.result().status_code for future in (first, *others)} == {200}
    assert running.gate.batches == [1, 4, 2]
    assert running.metric('sightline_batch_pictures_bucket{le="2.0"}') == 2
    assert running.metric("sightline_network_seconds_count") == 3
    assert running.metric('sightline_request_seconds_count{model="model"}') == 7
    # More pictures than a batch holds, in one request.
    answer = running.infer(zeros(9)).json()
    assert answer["outputs"][0]["shape"][0] == 9
    assert running.gate.batches[3:] == [4, 4, 1]


def test_overload_is_said_at_once_and_nothing_is_lost(
    start_service: Start, jpegs: list[bytes]
) -> None:
    """64 clients, ten times what the queue holds; each gets exactly one answer."""
    running = start_service(batch=2, queue=6)
    running.gate.open.clear()
    with ThreadPoolExecutor(1) as one:
        first = one.submit(running.predict, jpegs[0])
        assert running.gate.entered.wait(60)
        with ThreadPoolExecutor(64) as pool:
            futures = [pool.submit(running.predict, jpegs[i % 6]) for i in range(64)]
            # While the network is held, all but those in the queue get their answer.
            for _ in range(6000):
                done = [future for future in futures if future.done()]
                if len(done) == 58:
                    break
                time.sleep(0.01)
            assert {future.result().status_code for future in done} == {503}
            assert len(done) == 58
            assert "overloaded" in done[0].result().json()["error"]
            assert done[0].result().headers["Retry-After"] == "1"
            running.gate.open.set()
            codes = [future.result().status_code for future in futures]
        assert first.result().status_code == 200
    assert (codes.count(200), codes.count(503)) == (6, 58)
    counted = 'sightline_requests_total{code="%d",model="model_pictures"}'
    assert (running.metric(counted % 200), running.metric(counted % 503)) == (7, 58)
    assert running.metric('sightline_errors_total{model="model_pictures"}') == 58
    assert running.metric("sightline_queue_pictures") == 0
    with ThreadPoolExecutor(64) as pool:  # and now with the network running
        answers = list(pool.map(running.predict, jpegs * 40))
    assert len(answers) == 240
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all("scores" in answer.json() for answer in answers if answer.status_code == 200)
    served = running.metric(counted % 200) + running.metric(counted % 503)
    assert served == 1 + 64 + 240
    assert running.service.batcher.length == 0


def test_more_than_the_queue_holds_in_one_request(start_service: Start) -> None:
    answer = start_service(queue=2).infer(zeros(3))
    assert (answer.status_code, "this service takes 2" in answer.text) == (400, True)


def test_the_time_limit(start_service: Start) -> None:
    running = start_service(timeout=0.5)
    running.gate.open.clear()
    slow = running.infer(zeros())  # runs, and takes too long
    late = running.infer(zeros())  # waits too long
    assert (slow.status_code, late.status_code) == (504, 504)
    assert running.service.batcher.length == 0
    running.gate.open.set()
    assert running.infer(zeros()).status_code == 200
    assert running.gate.batches == [1, 1]  # the one that waited was never run


def test_a_clients_own_time_limit(served: Running) -> None:
    served.gate.open.clear()
    try:
        answer = served.infer(zeros(parameters={"timeout": 1000}))
    finally:
        served.gate.open.set()
    assert answer.status_code == 504


def test_a_body_that_does_not_come(start_service: Start) -> None:
    running = start_service(timeout=0.3)
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_goes_away_costs_nothing(start_service: Start, jpegs: list[bytes]) -> None:
    running = start_service()
    host, port = running.url.removeprefix("http://").split(":")
    running.gate.open.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.infer, zeros())
        assert running.gate.entered.wait(60)
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(jpegs[0])}\r\n\r\n"
        for _ in range(5):
            connection = socket.create_connection((host, int(port)), 60)
            connection.sendall(head.encode() + jpegs[0])
            waiting(running, 1)
            # Closed with a reset, as by a client that was killed.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            waiting(running, 0)
        running.gate.open.set()
        assert first.result().status_code == 200
    assert running.infer(zeros()).status_code == 200
    assert running.gate.batches == [1, 1]
    line = 'sightline_requests_total{code="499",model="model_pictures"}'
    assert running.metric(line) == 5


def test_a_broken_batch_does_not_end_the_service(start_service: Start) -> None:
    running = start_service()
    running.gate.error = RuntimeError("the device fell off\nand more")
    answer = running.infer(zeros())
    running.gate.error = None
    assert answer.status_code == 500
    assert answer.json() == {"error": "the network failed: the device fell off"}
    assert running.infer(zeros()).status_code == 200


def test_memory_for_bodies_is_bounded(start_service: Start) -> None:
    """Clients that send much and never end are refused once they hold too much together."""
    running = start_service(max_megabytes=0.25, timeout=20)
    host, port = running.url.removeprefix("http://").split(":")
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n"
    connections = [socket.create_connection((host, int(port)), 60) for _ in range(17)]
    try:
        for connection in connections:
            connection.sendall(head + b"x" * 262_100)
        line = 'sightline_requests_total{code="503",model="model_pictures"}'
        for _ in range(1000):
            if running.metric(line):
                break
            time.sleep(0.01)
        assert running.metric(line) == 1
    finally:
        for connection in connections:
            connection.close()


def test_a_picture_that_is_too_large_is_refused_by_its_head(served: Running) -> None:
    import cv2

    large = cv2.imencode(".png", np.zeros((1001, 1000, 3), np.uint8))[1].tobytes()
    answer = served.predict(large)
    expected = "picture 0: the picture has 1000 x 1001 pixels, more than 1 million"
    assert (answer.status_code, answer.json()["error"]) == (400, expected)


def test_a_connection_that_says_nothing_is_closed(
    start_service: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_IDLE", 0.2)
    running = start_service()
    host, port = running.url.removeprefix("http://").split(":")
    for words in (b"", b"GET /v2 HTT"):
        with socket.create_connection((host, int(port)), 60) as connection:
            connection.sendall(words)
            assert connection.recv(100) == b""


def test_a_network_that_hangs_does_not_keep_the_service_from_ending(
    start_service: Start,
) -> None:
    running = start_service(timeout=0.2)
    running.gate.open.clear()
    assert running.infer(zeros()).status_code == 504
    running.service.close()
    assert running.gate.engine._session is not None  # still in use, so it wasn't freed
