"""The stage `predict` into a local folder: dataset in, dataset or artifact of results out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from components.options import OptionError
from components.registry import STAGES, stage
from components.run import LocalRun
from tests.models.prediction.conftest import write_video


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with pictures, a video and something broken."""
    folder = tmp_path / "data"
    (folder / "test" / "data").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "test" / "data" / f"{number}.png"), pixels)
    write_video(folder / "clip.avi", 3)
    (folder / "broken.jpg").write_text("no picture")
    (folder / "labels.json").write_text("{}")
    return folder


def predict(folder: Path, package: Path, data: Path, **more: Any) -> dict[str, Any]:
    one = stage("predict")
    given = {"runtime": "torch", "device": "cpu", "threads": "1", **more}
    given |= {"model": str(package), "dataset": str(data)}
    run = LocalRun(folder, "predict", quiet=True)
    run.begin(given)
    try:
        result: dict[str, Any] = one.function(one.configure(given), run).model_dump(mode="json")
    except ValueError:
        run.finish({})
        raise
    run.finish(result)
    return result


def test_results_become_a_dataset(tmp_path: Path, untrained_package: Path, data: Path) -> None:
    root = tmp_path / "run"
    done = predict(root, untrained_package, data, save="pictures,videos,coco,jsonl", previews="3")
    assert done["pictures"] == 7 and done["problems"] == 1 and done["results"] > 0
    assert (done["runtime"], done["artifact"]) == ("torch", "weights.safetensors")
    saved = Path(done["predictions"])
    assert saved.parent.name == "data-predictions"
    names = {p.relative_to(saved).as_posix() for p in saved.rglob("*") if p.is_file()}
    assert names == {
        ".sightline.json",
        "videos/clip.mp4",
        "coco.json",
        "predictions.jsonl",
        *(f"pictures/test/data/{number}.jpg" for number in range(4)),
    }
    sources = [json.loads(line)["source"] for line in (saved / "predictions.jsonl").open()]
    assert sources == ["clip.avi"] * 3 + [f"test/data/{number}.png" for number in range(4)]
    shown = {p.name for p in (root / "predict" / "images" / "predictions").iterdir()}
    assert shown == {f"clip_frame_{number:06}_000000.jpg" for number in (1, 2, 3)}
    summary = json.loads((root / "predict" / "artifacts" / "summary.json").read_text())
    assert summary["problems"] == [
        {"source": "broken.jpg", "reason": "the content isn't a picture"}
    ]
    assert "broken.jpg" in (root / "predict" / "tables" / "Not_read.csv").read_text()
    values = json.loads((root / "predict" / "values.json").read_text())
    assert (values["pictures"], values["not read"]) == (7, 1)


def test_a_repeated_run_finds_its_dataset_again(
    tmp_path: Path, untrained_package: Path, data: Path
) -> None:
    one = predict(tmp_path / "run", untrained_package, data, name="found")
    other = predict(tmp_path / "run", untrained_package, data, name="found")
    assert one["predictions"] == other["predictions"]
    assert Path(one["predictions"]).parent.name == "found"


def test_a_part_of_the_dataset_as_an_artifact(
    tmp_path: Path, untrained_package: Path, data: Path
) -> None:
    done = predict(
        tmp_path / "run", untrained_package, data, part="test/data", keep="artifact", save="csv"
    )
    assert done["pictures"] == 4 and done["problems"] == 0
    assert (Path(done["predictions"]) / "predictions.csv").is_file()
    assert not (tmp_path / "run" / "datasets").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"part": "../data"}, "expected a path inside the dataset"),
        ({"part": "train"}, "no such folder or file"),
        ({"part": "broken.jpg"}, "nothing in it could be read, such as broken.jpg"),
        ({"strict": "true"}, "1 could not be read, and strict is set, such as broken.jpg"),
        ({"runtime": "onnxruntime"}, "has no onnx artifact"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, untrained_package: Path, data: Path, options: dict[str, str], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        predict(tmp_path / "run", untrained_package, data, **options)


def test_it_is_listed_and_takes_dotted_names() -> None:
    assert "predict" in STAGES
    config = stage("predict").configure(
        {"model": "m", "dataset": "d", "crop.padding": "10%", "yolo.scores": "true", "save": "yolo"}
    )
    assert config.crop.padding == "10%" and config.yolo.scores and config.save == ("yolo",)
    with pytest.raises(OptionError, match="expected pixels such as 8"):
        stage("predict").configure({"model": "m", "dataset": "d", "crop.padding": "x"})
