"""`sightline predict` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.package import zip_package
from pipelines.cli import main
from tests.models.prediction.conftest import write_video

ROOT = Path(__file__).resolve().parents[2]
TORCH = ("--runtime", "torch", "--device", "cpu", "--threads", "1")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures, and one that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / name), random.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    (folder / "c.jpg").write_text("no picture")
    return folder


def predict(*arguments: Path | str, typed: bytes | None = None) -> Result:
    words = [str(one) for one in arguments]
    return CliRunner().invoke(main, ["predict", *words], input=typed)


def test_a_folder_with_something_broken(
    untrained_package: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = predict(untrained_package, photos, "--out", out, *TORCH)
    assert done.exit_code == 0, done.output
    assert f"{photos}/c.jpg: the content isn't a picture" in done.stderr.splitlines()
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{out}: 2 pictures, ") and "1 could not be read" in line
    assert json.loads((out / "result.json").read_text())["pictures"] == 2
    assert (out / "pictures" / "a.jpg").is_file() and (out / "predictions.jsonl").is_file()


def test_exit_codes(untrained_package: Path, photos: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", "--save", "jsonl", *TORCH)
    assert predict(untrained_package, photos, *out).exit_code == 0
    assert predict(untrained_package, photos, *out, "--strict").exit_code == 1
    assert predict(untrained_package, photos / "a.jpg", *out, "--strict").exit_code == 0
    assert predict(untrained_package, photos / "c.jpg", *out).exit_code == 1
    assert predict(untrained_package, photos / "nothing.jpg", *out).exit_code == 1


def test_quiet_says_only_what_went_wrong(
    untrained_package: Path, photos: Path, tmp_path: Path
) -> None:
    done = predict(untrained_package, photos, "--out", tmp_path / "out", "--quiet", *TORCH)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"{photos}/c.jpg: the content isn't a picture"]


def test_a_zip_standard_input_and_all_options(
    untrained_package: Path, photos: Path, tmp_path: Path
) -> None:
    write_video(photos / "clip.avi", 6)
    archive = zip_package(untrained_package, tmp_path / "model.zip")
    out = tmp_path / "out"
    options = "--save frames,crops,yolo,coco,csv --every 2 --limit 4 --batch 2 --threshold 0.0"
    more = "--crop-padding 10% --yolo-scores --dpi 72"
    typed = f"{photos}/a.jpg\n{photos}/gone.jpg\n{photos}/clip.avi\n".encode()
    words = [*options.split(), *more.split(), *TORCH]
    done = predict(archive, "-", "--out", out, *words, typed=typed)
    assert done.exit_code == 0, done.output
    assert "gone.jpg: there is no such file or folder" in done.stderr
    assert json.loads((out / "result.json").read_text())["pictures"] == 4
    assert len(list(out.glob("frames/**/*.jpg"))) == 3
    labels = next(out.glob("yolo/labels/**/a.txt")).read_text().splitlines()
    assert labels and len(labels[0].split()) == 6
    assert (out / "coco.json").is_file() and list(out.glob("crops/*/**/*.jpg"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["MODEL"], "name a picture, video, PDF"),
        (["none.zip", "PHOTOS"], "none.zip: there is no such file or folder on this machine"),
        (["PHOTOS", "PHOTOS"], "model.json"),
        (["MODEL", "PHOTOS", "--save", "xml"], "--save: Input should be"),
        (
            ["MODEL", "PHOTOS", "--crop-padding", "x", "--save", "crops"],
            "--crop-padding: 'x': expected pixels",
        ),
        (["MODEL", "PHOTOS", "--crop-padding", "8"], "no effect without --save crops"),
        (["MODEL", "PHOTOS", "--yolo-scores"], "no effect without --save yolo"),
        (["MODEL", "PHOTOS", "--read-turns", "all"], "--read-turns has no effect without --read"),
        (["MODEL", "PHOTOS", "--runtime", "onnxruntime"], "has no onnx artifact"),
        (["MODEL", "PHOTOS", "--precision", "int8"], "has no safetensors int8 artifact"),
        (["MODEL", "PHOTOS", "--runtime", "x"], "no runtime 'x'; there are: torch"),
        (["MODEL", "PHOTOS", "--cut-padding"], "cut_padding: dfine finds other boxes"),
        (["MODEL", "PHOTOS", "--out", "PHOTOS"], "lies in the folder of results"),
        (["MODEL", "PHOTOS/a.jpg", "--out", "FULL"], "holds what no earlier predict has written"),
    ],
)
def test_a_mistake_is_one_line(
    untrained_package: Path, photos: Path, tmp_path: Path, arguments: list[str], line: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    places = {"MODEL": untrained_package, "PHOTOS": photos, "FULL": tmp_path / "full"}
    words = []
    for word in arguments:
        for name, place in places.items():
            word = word.replace(name, str(place))
        words.append(word)
    default = [] if "--out" in words else ["--out", tmp_path / "out"]
    done = predict(*words, *default)
    assert done.exit_code == 1
    assert line in done.stderr and done.stderr.count("\n") == 1, done.output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom pipelines.cli import main\n"
        "try: main(['predict', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'openvino', 'onnxruntime', 'clearml', 'PIL', 'pydantic'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "\n  sightline predict model.zip photos/ --save pictures,csv\n" in done.stdout
    assert "SOURCE..." in done.stdout and done.stdout.splitlines()[-1] == "HEAVY []"


def test_ctrl_c_keeps_what_was_written(untrained_package: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "in" / "long.avi", 3000, (320, 240))
    out = tmp_path / "out"
    words = [untrained_package, video, "--out", out, "--save", "videos,jsonl,coco", *TORCH]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "predict", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = out / "predictions.jsonl"
    deadline = time.monotonic() + 120
    while not (lines.is_file() and lines.stat().st_size > 5000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped early" in said and "Traceback" not in errors
    result = json.loads((out / "result.json").read_text())
    assert result["stopped"] and 0 < result["pictures"] < 3000
    assert len(lines.read_text().splitlines()) == result["pictures"]
    assert len(json.loads((out / "coco.json").read_text())["images"]) == result["pictures"]
    written = cv2.VideoCapture(str(out / "videos" / "long.mp4"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == result["pictures"]
    written.release()


def test_progress_has_a_rate() -> None:
    from rich.progress import Task

    from pipelines.terminal import Terminal

    terminal = Terminal(rate=True)
    terminal.progress("predicting", 1, 0)
    task: Task = terminal._progress.tasks[0]
    assert task.total is None
    terminal.progress("predicting", 5, 10)
    assert terminal._progress.tasks[0].total == 10
    columns = [type(column).__name__ for column in terminal._progress.columns]
    assert "_Rate" in columns and "TimeRemainingColumn" in columns
    assert "_Rate" not in [type(c).__name__ for c in Terminal()._progress.columns]
