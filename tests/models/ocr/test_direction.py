"""Logical and visual order, and the way from text to indices and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ocr.alphabet import Alphabet
from models.ocr.direction import direction_of, reorder

SHIN, ALEF, BET, FATHA = "\u05e9", "\u05d0", "\u05d1", "\u064e"


def _other(text: str) -> str:
    return "".join(text[place] for place in reorder(text))


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("", ""),
        (SHIN, SHIN),
        (ALEF + BET + SHIN, SHIN + BET + ALEF),
        (f"{ALEF}{BET} 12.50", f"12.50 {BET}{ALEF}"),
        (f"{ALEF} abc de {BET}", f"{BET} abc de {ALEF}"),
        (f"{ALEF}{FATHA}{BET}", f"{BET}{ALEF}{FATHA}"),
        ("4006381", "4006381"),
    ],
)
def test_what_a_picture_shows_from_left_to_right(logical: str, visual: str) -> None:
    assert _other(logical) == visual


@given(st.text(alphabet=f"{SHIN}{ALEF}{BET}{FATHA}ab 1290.,-()", max_size=24))
@settings(max_examples=300, deadline=None)
def test_reordering_twice_gives_the_text_again(text: str) -> None:
    assert sorted(reorder(text)) == list(range(len(text)))
    assert _other(_other(text)) == text


@pytest.mark.parametrize(
    ("texts", "direction"),
    [
        (["4006381"], "left-to-right"),
        ([], "left-to-right"),
        (["abc", ALEF], "left-to-right"),
        ([f"{ALEF}{BET} 12345678", "a"], "right-to-left"),
    ],
)
def test_direction_of_most_letters(texts: list[str], direction: str) -> None:
    assert direction_of(texts) == direction


@pytest.mark.parametrize("direction", ["left-to-right", "right-to-left"])
def test_texts_come_back_with_their_scores(direction: str) -> None:
    texts = ["", f"{ALEF}{BET}12", "2", "\U0001f600\u4e2d"]
    letters = sorted({letter for text in texts for letter in text})
    alphabet = Alphabet(letters, direction)  # type: ignore[arg-type]
    encoded = [alphabet.encode(text) for text in texts]
    indices = np.concatenate(encoded)
    scores = np.linspace(0.1, 0.9, len(indices)).astype(np.float32)
    found = alphabet.decode(indices, scores, np.array([len(one) for one in encoded]))
    assert [text for text, _ in found] == texts
    # Each letter keeps the score of its own index.
    expected = dict(zip(indices.tolist(), scores.tolist(), strict=True))
    for text, values in found:
        for letter, value in zip(text, values.tolist(), strict=True):
            if (indices == letters.index(letter)).sum() == 1:
                assert value == pytest.approx(expected[letters.index(letter)])


@pytest.mark.parametrize("letters", [[], ["a", "a"], ["ab"], [""]])
def test_refused_vocabularies(letters: list[str]) -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        Alphabet(letters)


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(ValueError, match="'12x' has the character 'x'"):
        Alphabet("0123456789").encode("12x")
