"""Checksums of symbologies: what is right, what is corrected, what is left in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.ocr.alphabet import Alphabet
from models.ocr.decoding.checksums import is_valid, substitutions
from models.ocr.decoding.decoder import Decoder, Settings

GOOD = "4006381333931"


@pytest.mark.parametrize(
    ("text", "symbology", "valid"),
    [
        (GOOD, "ean13", True),
        ("4006381333932", "ean13", False),
        ("96385074", "ean8", True),
        ("036000291452", "upca", True),
        ("0036000291452", "ean13", True),
        ("00012345600012", "itf14", True),
        ("96385074", "gtin", True),
        ("96385074", "ean13", False),
        ("400638133393x", "ean13", False),
        ("", "gtin", False),
        ("\u0664006381333931", "ean13", False),
    ],
)
def test_check_digits(text: str, symbology: str, valid: bool) -> None:
    assert is_valid(text, symbology) is valid


def test_one_substitution_a_place_mends_a_text() -> None:
    found = substitutions("4006381333932", "ean13")
    assert GOOD in found
    assert len(found) == 13
    assert all(is_valid(text, "ean13") for text in found)
    assert substitutions("400638133393x", "ean13") == [GOOD]
    assert substitutions("123", "ean13") == []
    assert substitutions("40063813339xx", "ean13") == []


def _line(text: str, doubts: dict[int, tuple[str, float]], sure: float = 0.97) -> NDArray:
    """A line read as `text`; at the places of `doubts` another digit has that probability."""
    steps = np.full((2 * len(text) + 1, 11), 1e-4)
    steps[::2, 10] = sure
    for place, digit in enumerate(text):
        steps[2 * place + 1, int(digit)] = sure
        if place in doubts:
            other, share = doubts[place]
            steps[2 * place + 1, int(digit)] = sure - share
            steps[2 * place + 1, int(other)] = share
    steps /= steps.sum(axis=1, keepdims=True)
    return np.log(steps)[None].astype(np.float32)


def _read(log_probs: NDArray, method: str = "greedy", **settings: object) -> object:
    decoder = Decoder(
        Alphabet("0123456789"),
        Settings(method=method, symbology="ean13", **settings),  # type: ignore[arg-type]
    )
    return decoder(log_probs)[0]


@pytest.mark.parametrize("method", ["greedy", "beam"])
@pytest.mark.parametrize(
    ("text", "doubts", "settings", "expected"),
    [
        (GOOD, {}, {}, (GOOD, "valid")),
        # The eighth digit was 3 and is read as 8, not very surely.
        ("4006381833931", {7: ("3", 0.3)}, {}, (GOOD, "corrected")),
        # Nothing else was seen: no change is likelier than another.
        ("4006381833931", {}, {}, ("4006381833931", "unsure")),
        # Two changes are about as likely.
        ("4006381833931", {7: ("3", 0.2), 1: ("5", 0.2)}, {}, ("4006381833931", "unsure")),
        # Likelier than any other change, and yet not likely enough.
        ("4006381833931", {7: ("3", 0.3)}, {"plausible": 0.9}, ("4006381833931", "unsure")),
        ("400638133393", {}, {}, ("400638133393", "unsure")),
    ],
)
def test_corrections(
    method: str,
    text: str,
    doubts: dict[int, tuple[str, float]],
    settings: dict[str, float],
    expected: tuple[str, str],
) -> None:
    line = _read(_line(text, doubts), method, **settings)
    assert (line.text, line.check) == expected  # type: ignore[attr-defined]


def test_what_does_not_look_like_one_is_left_alone() -> None:
    decoder = Decoder(Alphabet("0123456789"), Settings(symbology="gtin"))
    lines = decoder(np.concatenate([_line("12345", {}, 0.97)]))
    assert (lines[0].text, lines[0].check) == ("12345", "")


def test_a_correction_is_as_sure_as_its_share_among_the_valid_texts() -> None:
    line = _read(_line("4006381833931", {7: ("3", 0.3)}))
    assert 0.9 < line.confidence <= 1.0  # type: ignore[attr-defined]
    assert len(line.characters) == 13  # type: ignore[attr-defined]
    assert line.characters[7] == pytest.approx(0.3, abs=0.02)  # type: ignore[attr-defined]
