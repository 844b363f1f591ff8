"""Names of pictures in a prepared dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.data.raw import CheckedPicture
from models.data.writing import place_picture


class Uncounted(set[str]):
    """Names that are taken. Who counts them for each picture takes hours for a hundred thousand."""

    def __len__(self) -> int:
        raise AssertionError("counted")

    def __iter__(self) -> Any:
        raise AssertionError("walked through")


def picture(file: Path, digest: str) -> Any:
    """As much of a checked picture as a name takes."""

    class Facts:
        plain = True

    class Listed:
        pass

    facts, listed = Facts(), Listed()
    facts.digest, listed.file = digest, file  # type: ignore[attr-defined]
    return CheckedPicture(listed, facts)  # type: ignore[arg-type]


def test_names_are_unique_and_cost_nothing_however_many_are_taken(tmp_path: Path) -> None:
    taken, put = Uncounted(), lambda source, target: None
    wanted = [("a.jpg", "1" * 16), ("A.jpg", "2" * 16), ("a.jpg", "2" * 16), ("a.jpg", "2" * 16)]
    names = [place_picture(picture(Path(n), d), tmp_path, taken, put) for n, d in wanted]
    assert names == ["a.jpg", "A-22222222.jpg", "a-22222222-2.jpg", "a-22222222-3.jpg"]
    stems = Uncounted()
    pair = [picture(Path(name), "3" * 16) for name in ("b.jpg", "b.png")]
    names = [place_picture(one, tmp_path, stems, put, stems=True) for one in pair]
    assert names == ["b.jpg", "b-33333333.png"]
