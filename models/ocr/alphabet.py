"""The characters that a network tells apart, and the way from text to indices and back.

Needs NumPy alone: predicting without this project installed runs this very file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.ocr.direction import Direction, reorder


class Alphabet:
    """Characters by class index; the index behind the last one is CTC's blank."""

    def __init__(self, characters: Sequence[str], direction: Direction = "left-to-right") -> None:
        """Take the characters.

        Args:
            characters: one code point each, none twice.
            direction: in which the texts run.

        Raises:
            ValueError: they aren't that.
        """
        for character in characters:
            if len(character) != 1:
                raise ValueError(
                    f"vocabulary: expected single characters, got '{character}' of {len(character)}"
                )
        if not characters or len(set(characters)) != len(characters):
            raise ValueError("vocabulary: expected at least one character and none twice")
        self.characters = tuple(characters)
        self.direction = direction
        self._indices = {character: index for index, character in enumerate(characters)}
        self._table = np.array(self.characters, "<U1")

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def blank(self) -> int:
        """Index of CTC's blank."""
        return len(self.characters)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn a text into class indices in the order in which the picture shows them.

        Raises:
            ValueError: it has a character that isn't among them.
        """
        if self.direction == "right-to-left":
            text = "".join(text[place] for place in reorder(text))
        try:
            return np.array([self._indices[character] for character in text], np.int64)
        except KeyError as error:
            raise ValueError(
                f"'{text}' has the character '{error.args[0]}', which isn't in the vocabulary"
            ) from None

    def knows(self, text: str) -> bool:
        """Say whether all characters of a text are among them."""
        return all(character in self._indices for character in text)

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """List the characters of some texts that aren't among them, by code point."""
        return sorted({character for text in texts for character in text} - set(self.characters))

    def decode(
        self,
        indices: NDArray[np.int64],
        scores: NDArray[np.float32],
        counts: NDArray[np.int64],
    ) -> list[tuple[str, NDArray[np.float32]]]:
        """Turn class indices of many lines, end to end, into texts in their logical order.

        Args:
            indices: of all lines, shape (N,).
            scores: of each character, shape (N,).
            counts: characters of each line.

        Returns:
            Each line's text and the scores of its characters.
        """
        whole = self._table[indices].tobytes().decode("utf-32-le", "surrogatepass")
        ends = np.cumsum(counts).tolist()
        found = []
        start = 0
        for end in ends:
            text, part = whole[start:end], scores[start:end]
            if self.direction == "right-to-left":
                order = reorder(text)
                text, part = "".join(text[place] for place in order), part[order]
            found.append((text, part))
            start = end
        return found
