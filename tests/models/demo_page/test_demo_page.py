"""The page's real server, asked through its own client."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from models.demo_page.page import PageOptions, build_page, example_pictures, launch_settings
from models.demo_page.running import Runners, offered
from models.demo_page.video import predict_video
from models.detection.detections import Detections
from models.package import ModelPackage, NewArtifact
from models.runtimes import Predictor

CHOICE = "onnxruntime, float32"


@dataclass
class Served:
    url: str
    client: Client
    runners: Runners

    def picture(self, file: Path, threshold: float = 0.5, own: bool = False) -> Any:
        return self.client.predict(
            handle_file(str(file)), threshold, own, CHOICE, api_name="/predict"
        )


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    for split in ("train", "test"):
        for number in range(30):
            file = folder / split / "data" / f"{split}{number:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.full((40, 80, 3), 90, np.uint8))
    return folder


@pytest.fixture(scope="module")
def served(constant_detector: Path, examples: Path) -> Iterator[Served]:
    runners = Runners(ModelPackage.load(constant_detector), threads=1)
    page = build_page(runners, PageOptions(examples=example_pictures(examples), most_frames=7))
    settings = launch_settings()
    _, url, share = page.launch(prevent_thread_lock=True, allowed_paths=[str(examples)], **settings)
    assert share is None
    client = Client(url, verbose=False)
    try:
        yield Served(url, client, runners)
    finally:
        client.close()
        page.close(verbose=False)
        runners.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), np.full((60, 100, 3), 128, np.uint8))
    return file


def test_a_picture_gives_drawing_counts_times_and_table(served: Served, picture: Path) -> None:
    drawn, summary, table = served.picture(picture)
    assert table["headers"] == ["class", "score", "left", "top", "right", "bottom"]
    assert table["data"] == [
        ["red", 0.95257, 0, 0, 50, 60],
        ["<b>blue", 0.54983, 50, 15, 100, 45],
    ]
    assert "red 1" in summary and "&lt;b&gt;blue 1" in summary and "<b>blue" not in summary
    for step in ("decode", "network", "before and after it", "drawing", "together"):
        (value,) = re.findall(rf"{step} <b>([\d.]+) ms", summary)
        assert float(value) >= 0
    assert "100 × 60 pixels" in summary
    image = cv2.imread(drawn)
    assert image.shape == (60, 100, 3)
    assert (np.abs(image.astype(int) - 128) > 40).any()


@pytest.mark.parametrize(
    ("threshold", "own", "classes"),
    [
        (0.0, False, ["red", "<b>blue", "<b>blue", "red"]),
        (0.6, False, ["red"]),
        (0.99, False, []),
        (0.99, True, ["red", "<b>blue"]),  # the model's own: 0.6, and 0.5 for blue
    ],
)
def test_thresholds_cut(
    served: Served, picture: Path, threshold: float, own: bool, classes: list[str]
) -> None:
    _, summary, table = served.picture(picture, threshold, own)
    assert [row[0] for row in table["data"]] == classes
    assert ("nothing found" in summary) == (not classes)


def test_a_video_is_drawn_frame_by_frame_up_to_its_limit(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10, (1200, 64))
    for shade in range(10):
        writer.write(np.full((64, 1200, 3), 20 * shade, np.uint8))
    writer.release()
    found, times, table = served.client.predict(
        handle_file(str(file)), 0.6, False, CHOICE, api_name="/predict_video"
    )
    assert table["data"] == [["red", 7, 1]]
    assert "7 frames in" in times and "the first 7; the video goes on" in times
    result = cv2.VideoCapture(found["video"] if isinstance(found, dict) else found)
    assert result.get(cv2.CAP_PROP_FPS) == pytest.approx(10, abs=0.1)
    frames = []
    while (read := result.read())[0]:
        frames.append(read[1])
    result.release()
    assert len(frames) == 7
    assert frames[0].shape[1] == 960  # made smaller for the page


def hostile(name: str, folder: Path) -> Path:
    file = folder / name
    if name == "empty.png":
        file.write_bytes(b"")
    elif name == "playlist.mp4":
        file.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    else:
        file.write_bytes(b"neither picture nor video" * 50)
    return file


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("text.png", "text.png can't be decoded"),
        ("empty.png", "empty.png can't be decoded"),
        ("text.mp4", "is no video that can be read here"),
        ("playlist.mp4", "is a playlist"),
    ],
)
def test_a_bad_file_is_one_line(served: Served, tmp_path: Path, name: str, line: str) -> None:
    file = handle_file(str(hostile(name, tmp_path)))
    with pytest.raises(AppError) as caught:
        if name.endswith("mp4"):
            served.client.predict(file, 0.5, False, CHOICE, api_name="/predict_video")
        else:
            served.client.predict(file, 0.5, False, CHOICE, api_name="/predict")
    assert line in str(caught.value) and "/" not in str(caught.value)
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)


def test_a_bad_file_after_an_example_is_one_line_too(served: Served, tmp_path: Path) -> None:
    """Gradio makes a session's components anew once one of them was set, as an example does."""
    client = Client(served.url, verbose=False)
    (number,) = [
        function["id"]
        for function in client.config["dependencies"]
        if "load_example" in str(function["api_name"])
    ]
    loaded = client.predict(3, fn_index=number)
    assert "test" in str(loaded)
    with pytest.raises(AppError, match=r"^text.png can't be decoded: it is no picture"):
        file = handle_file(str(hostile("text.png", tmp_path)))
        client.predict(file, 0.5, False, CHOICE, api_name="/predict")
    client.close()


def test_gradio_writes_no_files_beside_ours() -> None:
    import models.demo_page

    home = Path(models.demo_page.__file__).parent
    assert not list(home.glob("*.pyi"))


def test_no_video_and_no_picture_are_no_faults(served: Served) -> None:
    _, summary, table = served.client.predict(None, 0.5, False, CHOICE, api_name="/predict")
    assert not summary and not table["data"]
    with pytest.raises(AppError, match="choose a video first"):
        served.client.predict(None, 0.5, False, CHOICE, api_name="/predict_video")


def test_the_page_asks_no_other_server_for_anything(served: Served) -> None:
    """Links in descriptions (og:image, example values of components) are never fetched."""
    for path in ("", "theme.css"):
        with urllib.request.urlopen(f"{served.url}{path}") as answer:
            text = answer.read().decode()
        loads = re.findall(r"""(?:src|href)=["'](https?:)?//([^"'/]+)""", text)
        assert not [host for _, host in loads if not host.startswith("127.0.0.1")]
        assert not re.findall(r"url\(['\"]?https?:", text)
        assert "fonts.g" not in text and "cdnjs" not in text
    config = served.client.config
    assert config["analytics_enabled"] is False
    assert not [sheet for sheet in config["stylesheets"] if sheet.startswith("http")]


def test_a_predictor_is_asked_by_one_thread_at_a_time(
    served: Served, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, overlaps, calls = threading.Semaphore(1), [], []
    ask = Predictor.__call__

    def watched(self: Predictor, *arguments: Any) -> Any:
        alone = inside.acquire(blocking=False)
        overlaps.append(not alone)
        threading.Event().wait(0.02)
        try:
            return ask(self, *arguments)
        finally:
            if alone:
                inside.release()

    served.runners.load(CHOICE)  # which asks once by itself
    monkeypatch.setattr(Predictor, "__call__", watched)
    image = np.zeros((40, 40, 3), np.uint8)

    def call() -> None:
        calls.append(len(served.runners(CHOICE, image, 0.6)[0]))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1] * 8
    assert len(overlaps) == 8 and not any(overlaps)


def test_what_is_offered_is_what_package_and_machine_have(constant_detector: Path) -> None:
    package = ModelPackage.load(constant_detector)
    assert offered(package) == {CHOICE: ("onnxruntime", "float32")}
    file = package.path(package.artifact("onnx"))
    more = package.with_artifacts(
        [
            NewArtifact("onnx", {"half.onnx": file}, "float16"),
            NewArtifact("openvino", {"model.xml": file}, "int8"),
            NewArtifact("safetensors", {"weights.safetensors": file}),
        ]
    )
    assert list(offered(more)) == [
        "onnxruntime, float32",
        "onnxruntime, float16",
        "openvino, int8",
        "torch, float32",
    ]
    bare = package.with_artifacts([])
    bare = type(bare)(bare.card.model_copy(update={"artifacts": ()}), bare.folder, {})
    with pytest.raises(ValueError, match="no runtime for them is installed"):
        Runners(bare)


def test_a_choice_that_is_none_is_named(served: Served) -> None:
    with pytest.raises(ValueError, match="runtime 'tpu': expected one of onnxruntime, float32"):
        served.runners("tpu", np.zeros((8, 8, 3), np.uint8), None)
    with pytest.raises(ValueError, match="runtime 'tpu'"):
        build_page(served.runners, PageOptions(runtime="tpu"))


def test_examples_are_spread_over_the_test_split(served: Served, examples: Path) -> None:
    found = example_pictures(examples)
    assert len(found) == 12
    assert {path.parent.parent.name for path in found} == {"test"}
    assert found[-1].name > "test20"
    datasets = [c for c in served.client.config["components"] if c["type"] == "dataset"]
    assert len(datasets[0]["props"]["samples"]) == 12
    with pytest.raises(ValueError, match="holds no pictures"):
        example_pictures(examples / "train" / "nothing")


def test_progress_counts_frames(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for _ in range(4):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    steps: list[tuple[int, int]] = []
    from models.demo_page.running import Times

    report = predict_video(
        file,
        tmp_path / "out.webm",
        lambda image: (Detections.none(), Times(0, 2.0, 1.0)),
        served.runners.presenter,
        10,
        lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (report.frames, report.cut, report.rows) == (4, False, [])
    assert (report.times.network, report.times.around) == (2.0, 1.0)
