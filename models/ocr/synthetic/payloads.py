"""What the lines say: payloads in which every digit is as frequent as the others.

Random digits would do for many lines; for few, some would be rare. So ten lines of a symbology
that follow each other share one shuffled row of the ten digits for each place.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.ocr.synthetic.options import Linear
from models.synthetic.symbols import Symbol, make_symbol, payload_split

_DIGITS = string.digits
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Capital letters that no digit is taken for."""
_MARKS = "-./"
_PLACES = {"ean13": 12, "ean8": 7, "upca": 11, "code128": 16}
_SHORTEST = 5
_BLOCK = len(_DIGITS)
_TRIES = 400


@dataclass(frozen=True)
class Place:
    """Where a line stands: its symbology, and its number among those of it."""

    symbology: Linear
    number: int


def place(symbologies: Sequence[Linear], index: int) -> Place:
    """Find the place of line `index` of a split; the symbologies take turns."""
    return Place(symbologies[index % len(symbologies)], index // len(symbologies))


def draw_payload(where: Place, split: str, seed: Sequence[int]) -> Symbol:
    """Make the symbol of a line, with a payload that belongs to `split`.

    Args:
        where: of the line.
        split: `train`, `val` or `test`; see `payload_split`.
        seed: of the set and the split.
    """
    kind = list(_PLACES).index(where.symbology)
    block, row = divmod(where.number, _BLOCK)
    shared = np.random.default_rng([*seed, 1, kind, block])
    rows = np.stack([shared.permutation(_BLOCK) for _ in range(_PLACES[where.symbology])])
    digits = [_DIGITS[i] for i in rows[:, row]]
    own = np.random.default_rng([*seed, 2, kind, where.number])
    if where.symbology == "code128":
        digits = _serial(own, digits)
    for _ in range(_TRIES):
        symbol = make_symbol(where.symbology, "".join(digits))
        if payload_split(symbol.text) == split:
            return symbol
        # Another order keeps the count of each digit.
        digits = [digits[i] for i in own.permutation(len(digits))]
    raise AssertionError(f"no payload for {split} among the orders of {digits}")


def _serial(rng: np.random.Generator, digits: list[str]) -> list[str]:
    """Make what Code 128 carries on goods and parcels: numbers, or numbers with letters."""
    length = int(rng.integers(_SHORTEST, len(digits) + 1))
    kept = digits[:length]
    if rng.random() < 0.5:
        return kept
    share = rng.uniform(0.2, 0.7)
    mixed = [
        LETTERS[int(rng.integers(len(LETTERS)))] if rng.random() < share else digit
        for digit in kept
    ]
    if length > _SHORTEST + 2 and rng.random() < 0.3:
        mixed[int(rng.integers(1, length - 1))] = _MARKS[int(rng.integers(len(_MARKS)))]
    return mixed
