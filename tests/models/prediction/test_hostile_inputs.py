"""Broken and hostile inputs are told in one line each, and the rest goes on."""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.models.prediction.conftest import Case, write_video


def bomb_png(path: Path, side: int) -> None:
    """Write a PNG that says it is `side` pixels high and wide, with hardly any data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def bomb_gif(path: Path) -> None:
    """Write a GIF of 60,000 x 60,000 pixels in some tens of bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x4c\x01\x00;"
    path.write_bytes(head + frame)


def test_each_broken_file_is_one_line_and_the_rest_goes_on(run: Case, photos: Path) -> None:
    bomb_png(photos / "huge.png", 20_000)
    bomb_gif(photos / "bomb.gif")
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("no picture")
    content = (photos / "a.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(content[: len(content) // 2])
    (photos / "text.pdf").write_text("no PDF")
    (photos / "text.mp4").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    (photos / "empty.mp4").touch()
    whole = write_video(photos / "whole.mp4", 5)
    (photos / "cut.mp4").write_bytes(whole.read_bytes()[:-400])
    longer = write_video(photos / "longer.avi", 40)
    (photos / "half.avi").write_bytes(longer.read_bytes()[: longer.stat().st_size // 2])
    (photos / "loop").symlink_to(photos)
    done = run(photos, save=["jsonl", "videos"])
    told = {Path(one["source"]).name: one["reason"] for one in done.problems}
    assert set(told) == {
        *("huge.png", "bomb.gif", "empty.jpg", "text.jpg", "cut.jpg", "text.pdf", "text.mp4"),
        *("empty.mp4", "cut.mp4", "half.avi", "loop"),
    }
    assert told["huge.png"] == told["bomb.gif"] == "the picture has too many pixels"
    assert told["cut.jpg"].startswith("the picture is broken or cut off")
    assert told["half.avi"].startswith("it is broken or cut off after frame")
    assert len(run.lines) == len(told) == done.problem_count
    assert all(line.isprintable() for line in run.lines)
    frames = 5 + 40 + int(told["half.avi"].split()[-3])
    assert done.pictures == 3 + frames
    assert {"videos/whole.mp4", "videos/longer.mp4", "videos/half.mp4"} <= set(run.files())
    assert json.loads((run.out / "result.json").read_text())["problem_count"] == len(told)


def test_names_of_any_bytes(run: Case, photos: Path) -> None:
    odd = [b"new\nline.jpg", b"\xff\xfe.jpg", b"tab\t.jpg", b"-rf.jpg", "字🎈.jpg".encode()]
    for name in odd:
        (photos / os.fsdecode(name)).write_bytes((photos / "a.jpg").read_bytes())
    video = write_video(photos / "v.avi", 3)
    video.rename(photos / os.fsdecode(b"\xff.avi"))
    done = run(photos, save=["jsonl", "pictures", "videos", "csv", "coco", "yolo", "crops"])
    assert done.pictures == 3 + len(odd) + 3 and not done.problems
    pictures = [name for name in run.files() if name.startswith("pictures/")]
    assert len(pictures) == 3 + len(odd)
    assert all(name.isprintable() for name in run.files())
    told = (run.out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert any(json.loads(line)["source"].endswith(r"new\nline.jpg") for line in told)


def test_names_of_results_stay_in_their_folder(run: Case, photos: Path) -> None:
    run("-", listed=[f"{photos}/sub/../../photos/a.jpg"], save=["pictures"])
    (picture,) = (name for name in run.files() if name.startswith("pictures/"))
    assert ".." not in picture and picture.endswith("photos/a.jpg")


def test_a_password_and_a_broken_page_of_a_pdf(run: Case, tmp_path: Path) -> None:
    pages = pypdfium2.PdfDocument.new()
    pages.new_page(100, 80)
    pages.new_page(50_000, 50_000)
    pages.new_page(100, 80)
    pages.save(tmp_path / "doc.pdf")
    done = run(tmp_path / "doc.pdf", save=["pictures", "jsonl"], dpi=72)
    assert done.pictures == 2
    assert done.problems[0]["reason"].startswith("page 2 would have 50000 x 50000 pixels")
    assert [n for n in run.files() if "pictures" in n] == [
        "pictures/doc-001.jpg",
        "pictures/doc-003.jpg",
    ]
    assert cv2.imread(str(run.out / "pictures/doc-001.jpg")).shape == (80, 100, 3)


def test_dpi_of_pages(run: Case, tmp_path: Path) -> None:
    pages = pypdfium2.PdfDocument.new()
    pages.new_page(72, 36)
    pages.save(tmp_path / "doc.pdf")
    run(tmp_path / "doc.pdf", save=["pictures"], dpi=144)
    assert cv2.imread(str(run.out / "pictures/doc.jpg")).shape == (72, 144, 3)


def test_odd_kinds_of_pictures_are_read_upright(run: Case, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    base = Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3) % 251)
    exif = base.getexif()
    exif[0x0112] = 6
    base.save(folder / "turned.jpg", exif=exif)
    base.convert("CMYK").save(folder / "cmyk.jpg")
    base.convert("RGBA").save(folder / "alpha.png")
    base.convert("P").save(folder / "palette.gif", save_all=True, append_images=[base, base])
    Image.fromarray(np.full((40, 60), 40_000, np.uint16)).save(folder / "deep.png")
    base.save(folder / "pages.tiff", save_all=True, append_images=[base.rotate(90, expand=True)])
    base.save(folder / "modern.webp")
    done = run(folder)
    lines = (run.out / "predictions.jsonl").read_text().splitlines()
    sizes = {
        (Path(one["source"]).name, one["number"]): (one["width"], one["height"])
        for one in map(json.loads, lines)
    }
    assert not done.problems
    assert sizes == {
        ("turned.jpg", None): (40, 60),
        ("cmyk.jpg", None): (60, 40),
        ("alpha.png", None): (60, 40),
        ("palette.gif", None): (60, 40),
        ("deep.png", None): (60, 40),
        ("pages.tiff", 1): (60, 40),
        ("pages.tiff", 2): (40, 60),
        ("modern.webp", None): (60, 40),
    }


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from pathlib import Path
from models.prediction import PredictionOptions
from models.prediction.predict import predict
from models.reporting import Silence
options = PredictionOptions(runtime="torch", device="cpu", threads=1, save=tuple(sys.argv[5:]))
try:
    predict(Path(sys.argv[2]), [sys.argv[3]], Path(sys.argv[4]), options, Silence())
except ValueError as error:
    print("ValueError:", error)
"""


@pytest.mark.parametrize("save", ["pictures", "videos"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(
    run: Case, tmp_path: Path, save: str
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    cv2.imwrite(str(source / "b.png"), noise)
    cv2.imwrite(str(source / "a.png"), noise[:40, :40])
    writer = cv2.VideoWriter(
        str(source / "c.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, (400, 300)
    )
    for _ in range(12):
        writer.write(noise)
    writer.release()
    command = [sys.executable, "-c", FULL, "40000", str(run.package), str(source), str(run.out)]
    done = subprocess.run([*command, save], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("ValueError:") and ("no room" in line or "disk full" in line)
    for name in run.files():
        if name.endswith(".jpg"):
            assert cv2.imread(str(run.out / name)) is not None
    assert not [n for n in run.files() if n.endswith(".mp4")]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
