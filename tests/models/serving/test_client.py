"""The client, and the runtime that has a server run the network."""

from __future__ import annotations

import csv
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from models.detection.dataset import read_labels, read_picture
from models.families import family
from models.package import ModelPackage
from models.reporting import Image
from models.runtimes import load_predictor
from models.serving.client import ModelClient
from pipelines.cli import main
from tests.models.serving.conftest import Running, Start


@pytest.fixture(scope="module")
def images(squares: Path) -> list[Image]:
    labels = read_labels(squares, "val")
    return [read_picture(labels.folder / name) for name in labels.files[:7]]


def test_the_remote_runtime_says_the_same(
    served: Running, exported: Path, images: list[Image]
) -> None:
    with load_predictor(exported, "onnxruntime", "cpu", 1) as local:
        expected = local(images, 0.0)
    url = f"{served.url}/v2/models/model"
    with load_predictor(exported, "remote", url=url, batch_size=3) as predictor:
        found = predictor(images, 0.0)
        assert (predictor.engine.artifact, predictor.engine.device) == (url, "remote")
    off = family("detection").differences(expected, found, 0.05)
    assert len(off["score"]) > 20
    assert off["score"].max() < 1e-4
    assert off["position"].max() < 0.05


def test_predict_may_leave_the_network_to_a_server(
    served: Running, exported: Path, squares: Path, tmp_path: Path
) -> None:
    pictures = squares / "val" / "data"
    rows = {}
    for name, options in (
        ("here", ["--runtime", "onnxruntime", "--threads", "1"]),
        ("there", ["--url", f"{served.url}/v2/models/model"]),
    ):
        out = tmp_path / name
        words = ["predict", str(exported), str(pictures), "--out", str(out), "--save", "csv"]
        done = CliRunner().invoke(main, [*words, "--threshold", "0.1", *options])
        assert done.exit_code == 0, done.output
        with next(out.glob("*.csv")).open() as file:
            rows[name] = list(csv.DictReader(file))
    assert len(rows["here"]) == len(rows["there"]) > 20
    for one, other in zip(rows["here"], rows["there"], strict=True):
        assert one.keys() == other.keys()
        assert float(one["score"]) == pytest.approx(float(other["score"]), abs=1e-3)


def test_results_are_the_callers_own(served: Running, exported: Path) -> None:
    with load_predictor(exported, "remote", url=f"{served.url}/v2/models/model") as predictor:
        inputs = np.zeros((1, 96, 96, 3), np.uint8)
        first = predictor.engine(inputs)
        kept = first[0].copy()
        predictor.engine(255 - inputs)
        assert (first[0] == kept).all()
        first[0][:] = 0  # and may be written to


def test_it_may_be_used_from_several_threads(served: Running) -> None:
    client = ModelClient(f"{served.url}/v2/models/model/versions/1")
    inputs = {"images": np.zeros((1, 96, 96, 3), np.uint8)}
    expected = client.infer(inputs, ["logits"])[0]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: client.infer(inputs, ["logits"])[0], range(16)))
    assert all(np.abs(one - expected).max() < 1e-4 for one in found)
    client.close()


def test_pictures(served: Running, exported: Path, jpegs: list[bytes]) -> None:
    client = ModelClient(f"{served.url}/v2/models/model_pictures")
    found = client.pictures(jpegs, 0.0)
    alone = client.pictures(jpegs[3:4], 0.0)[0]
    assert len(found) == len(jpegs)
    assert found[3]["scores"] == pytest.approx(alone["scores"], abs=1e-4)
    assert found[0]["boxes"].shape == (len(found[0]["scores"]), 4)
    assert set(found[0]["names"]) <= {"red", "blue"}
    assert client.pictures([]) == []
    assert max(one["scores"].min(initial=1.0) for one in client.pictures(jpegs, 0.5)) >= 0.5
    with pytest.raises(ValueError, match=r"picture 1: this is no JPEG or PNG picture"):
        client.pictures([jpegs[0], b"cat"])
    with pytest.raises(ValueError, match="takes no encoded pictures"):
        ModelClient(f"{served.url}/v2/models/model").pictures(jpegs)


def test_an_overloaded_server_is_asked_again(start_service: Start) -> None:
    running = start_service(queue=1, batch=1)
    url = f"{running.url}/v2/models/model"
    inputs = {"images": np.zeros((1, 96, 96, 3), np.uint8)}
    running.gate.open.clear()
    refused = 'sightline_requests_total{code="503",model="model"}'
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(ModelClient(url).infer, inputs, ["logits"]) for _ in range(4)]
        for _ in range(1000):
            if running.metric(refused) >= 2:
                break
        impatient = ModelClient(url, timeout=0.2)
        with pytest.raises(ValueError, match=r"overloaded.*, for 0\.2 s"):
            impatient.infer(inputs, ["logits"])
        running.gate.open.set()
        assert [len(future.result()[0]) for future in futures] == [1, 1, 1, 1]
    assert running.metric(refused) >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs the address of a model: url=http://HOST:PORT/v2/models/NAME"),
        ({"url": "localhost:8000"}, "url=localhost:8000: expected http://HOST:PORT"),
        ({"url": "{server}/v2/models/cat"}, "no model 'cat' here; there are: model"),
        ({"url": "{server}/v2/models/model/versions/7"}, "has no version '7'"),
        ({"url": "{server}/v2/models/model_pictures"}, "has no tensor 'images'"),
        ({"url": "{server}/nothing/v2/models/model"}, "nothing is served at this address"),
        ({"url": "{server}/v2/models/model", "device": "cpu"}, "device: with the runtime remote"),
        ({"url": "{server}/v2/models/model", "threads": 2}, "threads: with the runtime remote"),
        ({"url": "{server}/v2/models/model", "precision": "int8"}, "precision: with the runtime"),
        (
            {"url": "http://127.0.0.1:1/v2/models/model"},
            "no answer (",
        ),
        ({"runtime": "torch", "url": "{server}/v2/models/model"}, "runs here; use remote"),
    ],
)
def test_wrong_wishes_get_one_line(
    served: Running, exported: Path, arguments: dict[str, Any], words: str
) -> None:
    given = {"runtime": "remote", **arguments}
    if "url" in given:
        given["url"] = given["url"].format(server=served.url)
    with pytest.raises(ValueError) as caught:
        load_predictor(exported, **given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_model_is_refused(served: Running, package: ModelPackage) -> None:
    url = f"{served.url}/v2/models/model"
    with pytest.raises(ValueError, match=r"'images' is UINT8 \[-1, 96, 96, 3\] there and UINT8"):
        load_predictor(package, "remote", url=url)


def test_what_is_no_such_server_gives_one_line(exported: Path) -> None:
    """Something else that listens: it answers nonsense, or nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def nonsense() -> None:
        for _ in range(4):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-nonsense\r\n")

    threading.Thread(target=nonsense, daemon=True).start()
    with pytest.raises(ValueError) as caught:
        ModelClient(f"http://127.0.0.1:{listener.getsockname()[1]}/v2/models/model", timeout=5)
    listener.close()
    assert "no answer" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_https(start_service: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is trusted, and the same one when it isn't."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True
    )
    running = start_service(tls=(str(certificate), str(key)))
    url = f"https://localhost:{running.url.rsplit(':', 1)[1]}/v2/models/model"
    with pytest.raises(ValueError, match=r"no answer .*certificate verify failed"):
        ModelClient(url, timeout=5)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ModelClient(url).ready()


def test_it_rides_over_a_restart(start_service: Start) -> None:
    """The connection it has is dead and the port closed for a while."""
    first = start_service()
    address = first.url.removeprefix("http://").split(":")
    client = ModelClient(f"{first.url}/v2/models/model")
    inputs = {"images": np.zeros((1, 96, 96, 3), np.uint8)}
    expected = client.infer(inputs, ["logits"])[0]
    first.server.should_exit = True
    for _ in range(1000):
        try:
            socket.create_connection((address[0], int(address[1])), 60).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.01)
    assert not client.ready()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.infer, inputs, ["logits"])
        time.sleep(0.1)
        assert not asked.done()
        start_service(port=int(address[1]))
        assert (asked.result()[0] == expected).all()
