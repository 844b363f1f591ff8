import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from models.data.archive import (
    ArchiveError,
    Limits,
    has_archive_name,
    is_archive,
    unpack,
)


def make_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def special_tar(path: Path, kind: bytes, name: str = "evil", link: str = "/etc/passwd") -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = link
        tar.addfile(info)
        after = tarfile.TarInfo(f"{name}/after")
        after.size = 1
        tar.addfile(after, io.BytesIO(b"x"))
    return path


def zip_with_link(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        zipped.writestr(info, "/etc/passwd")
    return path


FILES = {"a.txt": b"one", "deep/er/b.bin": bytes(range(256)) * 40, "deep/empty": b""}


@pytest.mark.parametrize("kind", ["zip", "stored", "w", "w:gz", "w:bz2", "w:xz"])
def test_unpacks_every_kind(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "archive"
    if kind in ("zip", "stored"):
        make_zip(archive, FILES, zipfile.ZIP_DEFLATED if kind == "zip" else zipfile.ZIP_STORED)
    else:
        make_tar(archive, FILES, kind)
    assert is_archive(archive)
    target = unpack(archive, tmp_path / "new" / "folder")
    found = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*.*")}
    assert found == {name: FILES[name] for name in ("a.txt", "deep/er/b.bin")}
    assert (target / "deep" / "empty").read_bytes() == b""
    assert list((tmp_path / "new").iterdir()) == [target]


HOSTILE = {
    "parent": lambda p: make_zip(p, {"../evil": b"x"}),
    "deep parent": lambda p: make_zip(p, {"a/../../evil": b"x"}),
    "absolute": lambda p: make_zip(p, {"/tmp/evil": b"x"}),
    "backslash": lambda p: make_zip(p, {"..\\evil": b"x"}),
    "drive": lambda p: make_zip(p, {"C:\\evil": b"x"}),
    "tar parent": lambda p: make_tar(p, {"../evil": b"x"}),
    "tar absolute": lambda p: make_tar(p, {"/evil": b"x"}),
    "symlink": lambda p: special_tar(p, tarfile.SYMTYPE),
    "link to a folder": lambda p: special_tar(p, tarfile.SYMTYPE, link=".."),
    "hard link": lambda p: special_tar(p, tarfile.LNKTYPE),
    "device": lambda p: special_tar(p, tarfile.CHRTYPE),
    "pipe": lambda p: special_tar(p, tarfile.FIFOTYPE),
    "zip symlink": zip_with_link,
    "twice": lambda p: make_tar(p, {"a": b"1", "./a": b"2"}),
    "file as folder": lambda p: make_tar(p, {"a": b"1", "a/b": b"2"}),
    "long name": lambda p: make_tar(p, {"n" * 300: b"1"}),
    "empty": lambda p: make_zip(p, {}),
    "text": lambda p: p.write_text("no archive at all"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_refuses_hostile_archives_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    archive = tmp_path / "archive"
    HOSTILE[case](archive)
    room = tmp_path / "room"
    with pytest.raises(ArchiveError, match="archive"):
        unpack(archive, room / "target")
    assert list(room.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        (Limits(files=2), "more than 2 files"),
        (Limits(bytes=5000), "more than"),
    ],
)
def test_holds_limits(tmp_path: Path, limits: Limits, match: str) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    with pytest.raises(ArchiveError, match=match):
        unpack(archive, tmp_path / "target", limits)
    assert not (tmp_path / "target").exists()


def test_refuses_a_zip_bomb(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "bomb.zip", {"zeros": bytes(64 << 20)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(ArchiveError, match="zip bomb"):
        unpack(archive, tmp_path / "target")


def test_counts_what_comes_out_not_what_the_header_says(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"zeros": bytes(1 << 20)})
    raw = bytearray(archive.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 10)  # the size in the central directory
    archive.write_bytes(raw)
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "target", Limits(bytes=1000))


@pytest.mark.parametrize("mode", ["zip", "w:gz", "w:bz2", "w:xz", "w"])
@pytest.mark.parametrize("share", [0.3, 0.65, 0.8])
def test_truncated_archives_are_refused(tmp_path: Path, mode: str, share: float) -> None:
    files = {f"{i}.bin": os.urandom(3000) for i in range(10)}
    archive = tmp_path / "archive"
    make_zip(archive, files) if mode == "zip" else make_tar(archive, files, mode)
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("mode", ["zip", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("size", [4, 12, 20])
def test_what_breaks_off_at_once_is_no_archive(tmp_path: Path, mode: str, size: int) -> None:
    archive = tmp_path / "archive"
    files = {"a": os.urandom(50_000)}
    make_zip(archive, files) if mode == "zip" else make_tar(archive, files, mode)
    archive.write_bytes(archive.read_bytes()[:size])
    assert not is_archive(archive)


@pytest.mark.parametrize("mode", ["zip", "w:gz"])
def test_a_flipped_bit_is_found(tmp_path: Path, mode: str) -> None:
    archive = tmp_path / "archive"
    files = {"a": os.urandom(50_000)}
    make_zip(archive, files) if mode == "zip" else make_tar(archive, files, mode)
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 1
    archive.write_bytes(raw)
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "target")


def test_an_existing_target_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(FileExistsError):
        unpack(make_zip(tmp_path / "a.zip", FILES), tmp_path / "target")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.zip", True), ("a.TAR.GZ", True), ("a.jpg", False), ("zip", False)]
)
def test_archive_names(name: str, expected: bool) -> None:
    assert has_archive_name(name) is expected
