import json
import string
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from models.ocr.synthetic.payloads import LETTERS
from models.synthetic.fonts import FAMILIES, faces, font_files
from models.synthetic.fonts.faces import TALL

FREE = {"OFL-1.1", "Apache-2.0"}


def test_enough_families_and_each_in_one_split() -> None:
    counts = {s: sum(f.split == s for f in FAMILIES.values()) for s in ("train", "val", "test")}
    assert counts["train"] >= 6
    assert counts["val"] >= 2
    assert counts["test"] >= 3


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_free_and_has_every_character(name: str) -> None:
    family = FAMILIES[name]
    assert family.licence in FREE
    if family.package:
        found = find_spec(family.package)
        assert found is not None
        assert found.submodule_search_locations
        about = Path(found.submodule_search_locations[0]) / "metadata.json"
        assert json.loads(about.read_text())["license"] == family.licence
    for face in faces(name):
        assert 400 <= face.weight <= 700
        assert [c for c in string.digits + LETTERS + "-./" if not face.has(c)] == []
        assert face.glyph("8").cover.shape[0] == pytest.approx(TALL, abs=2)
        assert not face.glyph(" ").cover.any()


@pytest.mark.parametrize("name", ["Arimo", "Roboto Slab"])
def test_bolder_weights_have_more_ink(name: str) -> None:
    ink = [int(face.glyph("8").cover.sum()) for face in faces(name)]
    assert ink == sorted(ink)
    assert ink[-1] > 1.2 * ink[0]


def test_families_differ_in_the_shape_of_their_digits() -> None:
    shapes = {}
    for name in FAMILIES:
        glyphs = [faces(name)[0].glyph(digit).cover for digit in "0123456789"]
        shapes[name] = [(g.shape[1], int(g.sum()) // 2000) for g in glyphs]
    assert len({str(shape) for shape in shapes.values()}) == len(FAMILIES)


def test_a_file_of_ones_own() -> None:
    path = font_files("OCR-B")[0].path
    (face,) = faces(str(path))
    assert np.array_equal(face.glyph("5").cover, faces("OCR-B")[0].glyph("5").cover)


@pytest.mark.parametrize(
    ("font", "told"),
    [("Comic", "no font 'Comic'.*Arimo"), ("/none/such.ttf", "no font")],
)
def test_a_font_that_is_not_there(font: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        faces(font)


def test_a_font_whose_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"fontpkg-arimo.*pip install 'sightline\[fonts\]'"):
        font_files("Arimo")


def test_a_file_that_is_no_font(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"no font")
    with pytest.raises(ValueError, match="can't be read as a font"):
        faces(str(tmp_path / "x.ttf"))
