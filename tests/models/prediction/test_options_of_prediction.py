"""Options that decide how the network runs, and streams."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from models.package import ModelPackage
from models.prediction import PredictionOptions
from models.prediction.runtime import best_runtime, unused_int8
from models.runtimes import Predictor
from tests.models.prediction.conftest import Case, write_video


def test_the_fastest_form_that_is_there_is_taken(exported: Path, untrained_package: Path) -> None:
    assert best_runtime(ModelPackage.load(exported), "cpu") == "openvino"
    assert best_runtime(ModelPackage.load(untrained_package), "cpu") == "torch"
    assert best_runtime(ModelPackage.load(exported), "cuda") == "torch"


def test_a_form_in_int8_that_lies_unused_is_named(exported: Path) -> None:
    package = ModelPackage.load(exported)
    plain = package.artifact("openvino", "float32")
    assert unused_int8(package, "openvino", plain.file) == ""
    file = plain.files[0].model_copy(update={"file": "int8.xml"})
    other = plain.model_copy(update={"precision": "int8", "files": (file,)})
    card = package.card.model_copy(update={"artifacts": (*package.card.artifacts, other)})
    package = replace(package, card=card)
    assert unused_int8(package, "openvino", plain.file) == "int8"
    assert unused_int8(package, "openvino", other.file) == ""
    assert unused_int8(package, "onnxruntime", "model.onnx") == ""
    assert unused_int8(package, "remote", "http://host") == ""


def test_runtimes_find_the_same(run: Case, exported: Path, squares: Path) -> None:
    run.package = exported
    found = {}
    for runtime in ("torch", "onnxruntime", "openvino"):
        done = run(squares / "val" / "data", runtime=runtime, limit=9, threshold=0.3, batch=2)
        assert done.runtime == runtime and done.artifact.endswith((".safetensors", ".onnx", ".xml"))
        found[runtime] = (run.out / "predictions.jsonl").read_text()
    for runtime in ("onnxruntime", "openvino"):
        for one, other in zip(
            found["torch"].splitlines(), found[runtime].splitlines(), strict=True
        ):
            theirs = json.loads(other)["results"]
            for mine, its in zip(json.loads(one)["results"], theirs, strict=True):
                assert mine["class"] == its["class"]
                for key in ("left", "top", "right", "bottom"):
                    assert mine[key] == pytest.approx(its[key], abs=0.3)


def test_precision_picks_the_form(run: Case, photos: Path) -> None:
    assert run(photos, precision="float32").artifact == "weights.safetensors"
    with pytest.raises(ValueError, match="has no safetensors int8 artifact"):
        run(photos, precision="int8")


def test_threshold_cuts_results(run: Case, photos: Path) -> None:
    many = run(photos, threshold=0.0).results
    assert run(photos, threshold=1.0).results == 0 < many


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (8, [5])])
def test_batch_is_what_goes_through_the_network_at_once(
    run: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, sizes: list[int]
) -> None:
    video = write_video(tmp_path / "in" / "clip.avi", 5)
    seen: list[int] = []
    raw = Predictor.raw

    def watched(self: Predictor, images: list[np.ndarray]) -> object:
        seen.append(len(images))
        return raw(self, images)

    monkeypatch.setattr(Predictor, "raw", watched)
    run(video, batch=batch)
    assert seen == sizes


def test_threads_and_device_reach_the_runtime(
    run: Case, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from models.runtimes.shipped import ShippedNetwork

    seen: set[int] = set()
    forward = ShippedNetwork.forward

    def watched(self: ShippedNetwork, images: torch.Tensor) -> object:
        seen.add(torch.get_num_threads())
        return forward(self, images)

    monkeypatch.setattr(ShippedNetwork, "forward", watched)
    done = run(photos, threads=3)
    assert done.device == "cpu" and seen == {3}
    with pytest.raises(ValueError, match="device=cuda"):
        run(photos, device="cuda")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"save": ()}, "at least one output"),
        ({"save": ("csv", "csv")}, "none twice"),
        ({"save": ("xml",)}, "Input should be"),
        ({"crop": {"padding": "ten"}}, "expected pixels such as 8"),
        ({"crop": {"padding": "-3"}}, "expected pixels such as 8"),
        ({"threshold": 2}, "less than or equal to 1"),
        ({"every": 0}, "greater than or equal to 1"),
        ({"limit": 0}, "greater than or equal to 1"),
        ({"threads": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, object], line: str) -> None:
    with pytest.raises(ValidationError, match=line):
        PredictionOptions.model_validate(given)


def test_an_unknown_runtime_is_named(run: Case, photos: Path) -> None:
    with pytest.raises(ValueError, match="no runtime 'onnx'; there are"):
        run(photos, runtime="onnx")
    assert not run.out.exists()


class Camera(http.server.BaseHTTPRequestHandler):
    """Sends five JPEG pictures as a stream, as network cameras do."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(5):
            _, jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), number * 40, np.uint8))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/live.mjpg"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_stream_is_read_until_it_ends(run: Case, camera: str) -> None:
    done = run(camera, save=["videos", "jsonl"])
    assert done.pictures >= 4, done.problems
    assert [name for name in run.files() if name.startswith("videos/")]


def test_a_stream_and_a_camera_that_are_not_there_are_told(run: Case, photos: Path) -> None:
    done = run("http://127.0.0.1:9/none.mjpg", "camera:77", photos / "a.jpg")
    assert done.pictures == 1
    assert [one["reason"] for one in done.problems] == [
        "the stream doesn't answer",
        "there is no such camera, or it is in use",
    ]
