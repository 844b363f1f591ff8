"""Each kind of output, read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from models.data.pictures import plain_rgb
from models.detection.detections import Detections
from models.detection.presenting import DetectionPresenter
from models.package import ModelCard
from models.prediction.writing.drawn import Crops, encoded
from models.runtimes import load_predictor
from tests.models.prediction.conftest import Case, write_video


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_results_are_those_of_the_predictor(run: Case, photos: Path) -> None:
    done = run(photos, batch=2)
    with load_predictor(run.package, "torch", "cpu", 1, batch_size=2) as predictor:
        names = ["a.jpg", "a.png", "sub/a.jpg"]
        images = [np.asarray(plain_rgb(Image.open(photos / name))) for name in names]
        expected = predictor(images)
        presenter = DetectionPresenter(predictor.package.card)
    found = lines(run.out)
    assert [Path(one["source"]).relative_to(photos).as_posix() for one in found] == names
    assert [one["results"] for one in found] == [presenter.rows(one) for one in expected]
    assert done.pictures == 3 and done.results == sum(map(len, expected)) > 0
    assert [(one["height"], one["width"]) for one in found] == [(48, 64), (64, 48), (40, 40)]


@pytest.mark.parametrize(
    ("save", "files"),
    [
        ("pictures", ["pictures/a.jpg", "pictures/a_2.jpg", "pictures/sub/a.jpg"]),
        ("jsonl", ["predictions.jsonl"]),
        ("csv", ["predictions.csv"]),
        ("coco", ["coco.json"]),
        (
            "yolo",
            [
                "yolo/classes.txt",
                "yolo/labels/a.txt",
                "yolo/labels/a_2.txt",
                "yolo/labels/sub/a.txt",
            ],
        ),
        ("videos", []),
        ("frames", []),
    ],
)
def test_only_what_is_wanted_is_written_under_the_sources_names(
    run: Case, photos: Path, save: str, files: list[str]
) -> None:
    run(photos, save=[save])
    assert run.files() == sorted([*files, "result.json"])


def test_tables_say_the_same_as_json_lines(run: Case, photos: Path) -> None:
    run(photos, save=["jsonl", "csv", "coco", "yolo"], yolo={"scores": True})
    told = lines(run.out)
    with (run.out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    flat = [(one["source"], row) for one in told for row in one["results"]]
    assert [row["source"] for row in rows] == [source for source, _ in flat]
    assert [float(row["left"]) for row in rows] == [row["left"] for _, row in flat]
    assert [row["class"] for row in rows] == [row["class"] for _, row in flat]
    coco = json.loads((run.out / "coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["a.jpg", "a.png", "sub/a.jpg"]
    assert coco["categories"] == [{"id": 1, "name": "red"}, {"id": 3, "name": "blue"}]
    assert len(coco["annotations"]) == len(rows)
    for annotation, (_, row) in zip(coco["annotations"], flat, strict=True):
        left, top, width, height = annotation["bbox"]
        corners = [row[side] for side in ("left", "top", "right", "bottom")]
        assert [left, top, left + width, top + height] == pytest.approx(corners, abs=0.02)
        assert annotation["category_id"] == {"red": 1, "blue": 3}[row["class"]]
        assert annotation["score"] == row["score"]
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(rows) + 1))
    first = (run.out / "yolo/labels/a.txt").read_text().splitlines()
    assert len(first) == len(told[0]["results"])
    index, x, _, width, _, score = first[0].split()
    row = told[0]["results"][0]
    assert ["red", "blue"][int(index)] == row["class"] and float(score) == row["score"]
    assert float(x) * 64 == pytest.approx((row["left"] + row["right"]) / 2, abs=0.02)
    assert float(width) * 64 == pytest.approx(row["right"] - row["left"], abs=0.02)


def test_yolo_files_have_no_scores_unless_asked_for(run: Case, photos: Path) -> None:
    run(photos, save=["yolo"])
    assert len((run.out / "yolo/labels/a.txt").read_text().splitlines()[0].split()) == 5
    assert (run.out / "yolo/classes.txt").read_text() == "red\nblue\n"


def test_a_written_dataset_is_read_back_by_prepare(run: Case, photos: Path) -> None:
    from pycocotools.coco import COCO

    done = run(photos, save=["coco"])
    coco = COCO(str(run.out / "coco.json"))
    assert len(coco.getImgIds()) == 3 and len(coco.getAnnIds()) == done.results


def test_what_a_familys_results_have_no_form_for_is_refused(
    run: Case, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DetectionPresenter, "writes", ("crops",))
    for name in ("yolo", "coco"):
        with pytest.raises(ValueError, match=f"^save={name}: what models for detection find") as e:
            run(photos, save=("csv", name))
        assert "coco" not in str(e.value).partition("expected")[2]
        assert not run.out.exists()
    assert run(photos, save=("crops", "csv"), threshold=0.0).results


def test_names_are_counted_up_to_a_bound(
    run: Case, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(photos, threshold=0.0)
    monkeypatch.setattr("models.prediction.predict._LISTED", 1)
    done = run(photos, threshold=0.0)
    assert len(whole.by_class) == 2 and sum(whole.by_class.values()) == whole.results
    first, second = done.by_class
    assert second == "(others)" and done.by_class[first] == whole.by_class[first]
    assert sum(done.by_class.values()) == done.results == whole.results


def test_nothing_found_is_written_too(run: Case, photos: Path) -> None:
    done = run(photos, save=["jsonl", "csv", "coco", "yolo", "crops", "pictures"], threshold=1.0)
    assert done.results == 0 and done.pictures == 3
    assert [one["results"] for one in lines(run.out)] == [[], [], []]
    assert (run.out / "yolo/labels/sub/a.txt").read_text() == ""
    assert json.loads((run.out / "coco.json").read_text())["annotations"] == []
    assert not (run.out / "crops").exists()


def test_drawn_pictures_have_the_boxes_in_them(run: Case, photos: Path) -> None:
    run(photos, save=["pictures"])
    drawn = cv2.imread(str(run.out / "pictures/a.jpg"))
    plain = cv2.imread(str(photos / "a.jpg"))
    assert drawn.shape == plain.shape
    assert np.abs(drawn.astype(int) - plain).max() > 100
    run(photos, save=["pictures"], threshold=1.0)
    drawn = cv2.imread(str(run.out / "pictures/a.jpg"))
    assert np.abs(drawn.astype(int) - plain).mean() < 15


def test_videos_keep_frames_rate_and_size(run: Case, tmp_path: Path) -> None:
    video = write_video(tmp_path / "in" / "clip.avi", 12, (64, 48), rate=10)
    done = run(video, save=["videos", "frames", "jsonl"])
    assert done.pictures == 12 and not done.problems
    written = cv2.VideoCapture(str(run.out / "videos/clip.mp4"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert written.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert (written.get(3), written.get(4)) == (64, 48)
    written.release()
    frames = [f"frames/clip/frame_{number:06}.jpg" for number in range(1, 13)]
    assert [name for name in run.files() if name.startswith("frames")] == frames
    told = lines(run.out)
    assert [one["number"] for one in told] == list(range(1, 13))
    assert told[-1]["time"] == pytest.approx(1.1)


def test_every_nth_frame_and_a_slower_video(run: Case, tmp_path: Path) -> None:
    video = write_video(tmp_path / "in" / "clip.avi", 12, rate=10)
    assert run(video, save=["videos", "jsonl"], every=5).pictures == 3
    assert [one["number"] for one in lines(run.out)] == [1, 6, 11]
    written = cv2.VideoCapture(str(run.out / "videos/clip.mp4"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert written.get(cv2.CAP_PROP_FPS) == pytest.approx(2)
    written.release()


def test_limit_counts_pictures_and_frames(run: Case, photos: Path) -> None:
    write_video(photos / "b.mp4", 6)
    assert run(photos, limit=4, save=["jsonl", "videos"]).pictures == 4
    assert [one["number"] for one in lines(run.out)] == [None, None, 1, 2]
    written = cv2.VideoCapture(str(run.out / "videos/b.mp4"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == 2
    written.release()


@pytest.mark.parametrize("size", [(63, 47), (65, 2), (31, 33)])
def test_odd_sides_lose_nothing(run: Case, tmp_path: Path, size: tuple[int, int]) -> None:
    from models.families import family
    from models.package import ModelPackage
    from models.prediction.reading import Clip, Place
    from models.prediction.writing.folder import ResultsFolder
    from models.prediction.writing.sinks import Seen
    from models.prediction.writing.videos import DrawnVideos

    card = ModelPackage.load(run.package).card
    presenter = family("detection").presenter(card)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    with ResultsFolder(run.out) as folder:
        sink = DrawnVideos(folder)
        place = Place("s", "s", written_name(), clip=Clip(written_name(), 10.0))
        sink.write(place, sink.render(Seen(place, image, Detections.none(), presenter)))
        sink.close()
    video = cv2.VideoCapture(str(run.out / "videos/clip.mp4"))
    assert (video.get(3), video.get(4)) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    video.release()


def written_name() -> Any:
    from pathlib import PurePosixPath

    return PurePosixPath("clip")


@pytest.mark.parametrize(
    ("padding", "box", "shape"),
    [
        ("0", (10, 20, 30, 50), (30, 20)),
        ("5", (10, 20, 30, 50), (40, 30)),
        ("10%", (10, 20, 30, 50), (36, 24)),
        ("50", (10, 20, 30, 50), (100, 80)),
        ("0", (10.4, 20.6, 29.5, 49.5), (30, 20)),
        ("5", (10, 20, 10, 50), (0, 100)),
    ],
)
def test_crops_are_cut_with_padding(
    padding: str, box: tuple[float, float, float, float], shape: tuple[int, int]
) -> None:
    crops = Crops(None, padding)  # type: ignore[arg-type]  # nothing is written
    image = np.zeros((100, 100, 3), np.uint8)
    if padding == "50":
        shape = (100, 80)
    assert crops.cut(image, box).shape[:2] == shape


def test_crops_lie_in_a_folder_for_each_class(run: Case, photos: Path) -> None:
    done = run(photos, save=["crops", "jsonl"], crop={"padding": "25%"})
    crops = [name for name in run.files() if name.startswith("crops/")]
    assert crops and {name.split("/")[1] for name in crops} <= {"red", "blue"}
    real = [
        row
        for one in lines(run.out)
        for row in one["results"]
        if row["right"] > row["left"] and row["bottom"] > row["top"]
    ]
    assert len(crops) == len(real) <= done.results


def test_pictures_too_long_for_jpeg_become_png() -> None:
    suffix, content = encoded(np.zeros((1, 70_000, 3), np.uint8), 90)
    assert suffix == ".png"
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None and decoded.shape == (1, 70_000, 3)


def test_categories_without_ids_count_from_one(card: ModelCard) -> None:
    classes = tuple(one.model_copy(update={"id": None}) for one in card.classes)
    presenter = DetectionPresenter(card.model_copy(update={"classes": classes}))
    assert presenter.categories == [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]
