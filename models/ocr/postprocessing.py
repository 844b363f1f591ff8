"""The `postprocessing` part of a reader's `model.json`, and what it does. No torch in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError

from models.families import Postprocessor
from models.ocr.alphabet import Alphabet
from models.ocr.decoding.decoder import Decoder
from models.ocr.decoding.options import DecodingOptions
from models.ocr.direction import Direction
from models.ocr.readings import Reading, readings
from models.package import ModelCard
from models.preprocessing import Placement

OUTPUTS = ("log_probs",)


class Steps(DecodingOptions):
    """How output tensors become texts. The characters are the package's classes by index."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["ctc"] = "ctc"
    activation: Literal["log_softmax"] = "log_softmax"
    """The output `log_probs` (batch, steps, classes) holds logarithms of probabilities."""
    blank: int
    """Class index of CTC's blank: the one behind the last character."""
    direction: Direction = "left-to-right"
    """In which the texts run. Steps go from left to right in any case: texts from right to left
    come in visual order, and are put into their logical order."""

    @classmethod
    def of(cls, alphabet: Alphabet, options: DecodingOptions) -> Self:
        """Describe how a network's output is decoded."""
        return cls(blank=alphabet.blank, direction=alphabet.direction, **options.model_dump())

    def decoder(self, characters: Sequence[str]) -> Decoder:
        """Make the decoder for a vocabulary."""
        return Decoder(Alphabet(characters, self.direction), self.settings())


def steps_of(card: ModelCard) -> Steps:
    """Read what a package says about its postprocessing.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    try:
        steps = Steps.model_validate(card.postprocessing)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["postprocessing", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error
    names = tuple(output.name for output in card.outputs)
    if names != OUTPUTS:
        raise ValueError(f"model.json: outputs: expected {OUTPUTS}, got {names}")
    if steps.blank != len(card.classes):
        raise ValueError(
            f"model.json: postprocessing.blank: expected {len(card.classes)}, the index behind the "
            f"last class, got {steps.blank}"
        )
    return steps


def postprocessor(card: ModelCard) -> Postprocessor:
    """Make what turns a package's output tensors into readings.

    Raises:
        ValueError: `model.json` asks for something else than this code does.
    """
    decoder = steps_of(card).decoder(card.class_names)

    def process(
        outputs: Sequence[NDArray[np.float32]],
        placements: Sequence[Placement],
        threshold: float | None,
    ) -> list[Reading]:
        limit = card.threshold.value if threshold is None else threshold
        return readings(decoder(outputs[0]), placements, limit)

    return process
