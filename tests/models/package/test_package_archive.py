"""Model packages as one zip."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from models.package import ModelPackage, unzip_package, zip_package


def test_there_and_back(package: ModelPackage, tmp_path: Path) -> None:
    (package.folder / "notes.txt").write_text("not part of it")
    archive = zip_package(package.folder, tmp_path / "out" / "model.zip")
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.namelist() == [
            "model.json",
            "openvino/model.bin",
            "openvino/model.xml",
            "weights.safetensors",
        ]
    back = unzip_package(archive, tmp_path / "back")
    assert back.card == package.card
    assert ModelPackage.load(tmp_path / "back").card == package.card


def test_the_same_package_gives_the_same_bytes(package: ModelPackage, tmp_path: Path) -> None:
    first = zip_package(package.folder, tmp_path / "1.zip").read_bytes()
    copy = package.save(tmp_path / "copy")
    for path in copy.folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert zip_package(copy.folder, tmp_path / "2.zip").read_bytes() == first
    changed = package.with_threshold(0.1).save(tmp_path / "changed")
    assert zip_package(changed.folder, tmp_path / "3.zip").read_bytes() != first


def test_a_damaged_package_is_not_zipped(package: ModelPackage, tmp_path: Path) -> None:
    (package.folder / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="damaged"):
        zip_package(package.folder, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.txt", "leads out of the archive"),
        ("/evil.txt", "leads out of the archive"),
        ("openvino/../../evil.txt", "leads out of the archive"),
    ],
)
def test_paths_that_lead_out_are_refused(
    package: ModelPackage, tmp_path: Path, name: str, words: str
) -> None:
    archive = zip_package(package.folder, tmp_path / "model.zip")
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr(name, "evil")
    room = tmp_path / "room"
    room.mkdir()
    with pytest.raises(ValueError, match=words):
        unzip_package(archive, room / "model")
    assert list(room.iterdir()) == []
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_link_is_refused(package: ModelPackage, tmp_path: Path) -> None:
    archive = zip_package(package.folder, tmp_path / "model.zip")
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="is a link"):
        unzip_package(archive, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("kind", ["not a zip", "no package", "cut off", "flipped bit"])
def test_a_bad_archive_is_refused(package: ModelPackage, tmp_path: Path, kind: str) -> None:
    archive = zip_package(package.folder, tmp_path / "model.zip")
    data = bytearray(archive.read_bytes())
    if kind == "not a zip":
        archive.write_bytes(b"hello")
    elif kind == "no package":
        archive.unlink()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("readme.txt", "hello")
    elif kind == "cut off":
        archive.write_bytes(data[: len(data) // 2])
    else:
        data[data.index(b"weightsweights") + 3] ^= 1
        archive.write_bytes(data)
    room = tmp_path / "room"
    with pytest.raises(ValueError) as caught:
        unzip_package(archive, room / "model")
    assert "\n" not in str(caught.value)
    assert "model.zip" in str(caught.value)
    assert not room.exists() or list(room.iterdir()) == []


def test_an_existing_folder_is_left_alone(package: ModelPackage, tmp_path: Path) -> None:
    archive = zip_package(package.folder, tmp_path / "model.zip")
    with pytest.raises(FileExistsError):
        unzip_package(archive, package.folder)
    assert ModelPackage.load(package.folder).card == package.card
