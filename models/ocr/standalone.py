"""The reader that is shipped to predict without this project installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from models.deployment.standalone.description import Description, one_of
from models.deployment.standalone.model import StandaloneModel, Tensors
from models.images import Image
from models.ocr.alphabet import Alphabet
from models.ocr.decoding.decoder import Decoder, Settings
from models.ocr.direction import Direction
from models.ocr.readings import Reading, readings
from models.placement import Placement

_DIRECTIONS: tuple[Direction, ...] = ("left-to-right", "right-to-left")


class TextReader(StandaloneModel[Reading]):
    """A reader of single lines, ready to predict. Not to be called from two threads at once."""

    family: ClassVar[str] = "ocr"
    about: ClassVar[str] = "Read the text of pictures of single lines."
    columns: ClassVar[Sequence[str]] = ("text", "score", "accepted", "check", "characters")

    def prepare(self, about: Description) -> None:
        """Make the decoder that `model.json` describes."""
        steps = about.postprocessing
        one_of(steps["kind"], ("ctc",))
        method = one_of(steps["method"], ("greedy", "beam"))
        place = _DIRECTIONS.index(one_of(steps["direction"], _DIRECTIONS))
        settings = Settings(
            method=method,
            beam_width=int(steps["beam_width"]),
            beam_choices=int(steps["beam_choices"]),
            symbology=str(steps["symbology"]),
            margin=float(steps["margin"]),
            plausible=float(steps["plausible"]),
        )
        self._decoder = Decoder(Alphabet(about.classes, _DIRECTIONS[place]), settings)

    def results(
        self, outputs: Tensors, placements: Sequence[Placement], threshold: float | None
    ) -> list[Reading]:
        """One reading for each picture; `accepted` says whether the threshold lets it through."""
        limit = self.threshold if threshold is None else threshold
        return readings(self._decoder(outputs[0]), placements, limit)

    def rows(self, result: Reading) -> list[dict[str, Any]]:
        """Make one row for the picture, accepted or not."""
        return [
            {
                "text": result.text,
                "score": round(result.confidence, 6),
                "accepted": result.accepted,
                "check": result.check,
                "characters": [round(float(score), 4) for score in result.characters],
            }
        ]

    def tally(self, result: Reading) -> Mapping[str, int]:
        """Name the text; with a question mark if it isn't accepted."""
        return {result.text if result.accepted else f"{result.text}?": 1}

    def draw(self, image: Image, result: Reading) -> Image:
        """Put the text below the picture."""
        from models.ocr.captions import read_below

        return read_below(image, result)
