"""From output tensors to readings, as `model.json` describes it. Needs NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.ocr.alphabet import Alphabet
from models.ocr.decoding.alignment import character_scores
from models.ocr.decoding.beam import Hypotheses, beam_search
from models.ocr.decoding.checksums import LENGTHS, is_valid, substitutions
from models.ocr.decoding.greedy import collapse, greedy
from models.ocr.decoding.likelihood import log_likelihoods

Check = Literal["", "valid", "corrected", "unsure"]
"""What a symbology's checksum says: nothing was asked for; it is right; it is right after one
character was changed; it is wrong, and no change is clearly the likeliest."""


@dataclass(frozen=True)
class Settings:
    """How sequences become texts; `models.ocr.decoding.options` says what each is for."""

    method: str = "greedy"
    beam_width: int = 8
    beam_choices: int = 16
    symbology: str = "none"
    margin: float = 10.0
    plausible: float = 1e-3


@dataclass(frozen=True)
class Line:
    """A decoded line."""

    text: str
    confidence: float
    characters: NDArray[np.float32]
    """Confidence of each character."""
    check: Check = ""


class Decoder:
    """Decodes the output of one network."""

    def __init__(self, alphabet: Alphabet, settings: Settings) -> None:
        self.alphabet = alphabet
        self.settings = settings

    def __call__(self, log_probs: NDArray[np.float32]) -> list[Line]:
        """Decode some lines.

        Args:
            log_probs: logarithms of probabilities, shape (lines, steps, classes).
        """
        lines = self._greedy(log_probs)
        others: Hypotheses | None = None
        if self.settings.method == "beam" and len(log_probs):
            width, choices = self.settings.beam_width, self.settings.beam_choices
            others = beam_search(log_probs, self.alphabet.blank, width, choices)
            lines = [
                self._surest(line, log_probs[row], others, row) for row, line in enumerate(lines)
            ]
        if self.settings.symbology != "none":
            lines = [
                self._checked(line, log_probs[row], others, row) for row, line in enumerate(lines)
            ]
        return lines

    def from_best(self, best: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Line]:
        """Decode lines of which only the likeliest class of each step and its score are known."""
        return self._lines(*collapse(best, scores, self.alphabet.blank), scores)

    def _greedy(self, log_probs: NDArray[np.float32]) -> list[Line]:
        indices, scores, counts = greedy(log_probs, self.alphabet.blank)
        top = np.exp(log_probs.max(axis=2, initial=-np.inf))
        return self._lines(indices, scores, counts, top)

    def _lines(
        self,
        indices: NDArray[np.int64],
        scores: NDArray[np.float32],
        counts: NDArray[np.int64],
        top: NDArray[np.float32],
    ) -> list[Line]:
        """Put lines together; a text is as sure as all its characters together."""
        texts = self.alphabet.decode(indices, scores, counts)
        sure = _products(scores, counts)
        empty = top.prod(axis=1)
        return [
            Line(text, float(sure[row] if text else empty[row]), characters)
            for row, (text, characters) in enumerate(texts)
        ]

    def _surest(
        self, line: Line, log_probs: NDArray[np.float32], found: Hypotheses, row: int
    ) -> Line:
        """Take the likeliest hypothesis of a beam search."""
        indices = found.characters[row, 0, : found.counts[row, 0]]
        confidence = math.exp(min(0.0, float(found.log_probs[row, 0])))
        if np.array_equal(indices, self.alphabet.encode(line.text)):
            # As a rule it is what greedy decoding says, whose characters have their scores.
            return Line(line.text, confidence, line.characters)
        return self._line(indices, log_probs, confidence)

    def _line(
        self,
        indices: NDArray[np.int64],
        log_probs: NDArray[np.float32],
        confidence: float,
        check: Check = "",
    ) -> Line:
        scores = character_scores(log_probs, indices, self.alphabet.blank)
        ((text, characters),) = self.alphabet.decode(indices, scores, np.array([len(indices)]))
        return Line(text, confidence, characters, check)

    def _checked(
        self, line: Line, log_probs: NDArray[np.float32], found: Hypotheses | None, row: int
    ) -> Line:
        """Hold a line against its checksum, and correct it where that is clear."""
        wanted = self.settings.symbology
        if is_valid(line.text, wanted):
            return Line(line.text, line.confidence, line.characters, "valid")
        candidates = set(substitutions(line.text, wanted))
        if wanted == "gtin" and not candidates:
            return line  # it doesn't look like one
        if found is not None:
            candidates |= {text for text in self._texts(found, row) if is_valid(text, wanted)}
        known = [text for text in sorted(candidates) if self.alphabet.knows(text)]
        if known:
            encoded = [self.alphabet.encode(text) for text in known]
            own = self.alphabet.encode(line.text)
            values = log_likelihoods(log_probs, [*encoded, own], self.alphabet.blank)
            likely, said = values[:-1], values[-1]
            order = np.argsort(-likely, kind="stable")
            best = order[0]
            second = likely[order[1]] if len(order) > 1 else -np.inf
            clear = likely[best] - second >= math.log(self.settings.margin)
            if clear and likely[best] - said >= math.log(self.settings.plausible):
                share = 1.0 / float(np.exp(likely - likely[best]).sum())
                return self._line(encoded[best], log_probs, share, "corrected")
        return Line(line.text, line.confidence, line.characters, "unsure")

    def _texts(self, found: Hypotheses, row: int) -> Sequence[str]:
        counts, there = found.counts[row], found.log_probs[row] > -1e29
        kept = [found.characters[row, place, : counts[place]] for place in np.flatnonzero(there)]
        lengths = np.array([len(one) for one in kept], np.int64)
        whole = np.concatenate([np.zeros(0, np.int64), *kept])
        scores = np.zeros(len(whole), np.float32)
        return [text for text, _ in self.alphabet.decode(whole, scores, lengths)]


def _products(scores: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Multiply the scores of each line."""
    found = np.ones(len(counts))
    lines = np.repeat(np.arange(len(counts)), counts)
    np.multiply.at(found, lines, scores.astype(np.float64))
    return found


def check_lengths(symbology: str, steps: int) -> None:
    """Make sure that a sequence has room for a symbology's digits.

    Raises:
        ValueError: it hasn't.
    """
    if symbology != "none" and min(LENGTHS[symbology]) > steps:
        raise ValueError(
            f"decoding.symbology={symbology} has {min(LENGTHS[symbology])} digits, the network's "
            f"sequence {steps} steps"
        )
