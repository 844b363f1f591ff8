"""Options of teaching a reader. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.ocr.augmentation_options import AugmentationOptions
from models.ocr.decoding.options import DecodingOptions
from models.ocr.networks.options import NetworkOptions
from models.training.options import Options, TrainingOptions

Figure = Literal["exact_match", "character_accuracy"]
"""A validation figure."""


class SampleOptions(Options):
    """Debug pictures during training."""

    count: int = Field(16, ge=0, le=64)
    """Lines in each picture: augmented training lines, and the worst validation readings."""
    every: int = Field(5, ge=1)
    """Epochs between them; the first and the last epoch always have them."""


class TrainOptions(TrainingOptions):
    """How a reader is trained."""

    epochs: int = Field(30, ge=1)
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 32
    """Pictures in one forward pass, on each device; `auto` as in `models.training.options`: on a
    GPU what fits, on a CPU 8. The learning rate isn't scaled with it."""
    network: NetworkOptions = NetworkOptions()
    """The network."""
    resize: Literal["line", "letterbox", "stretch"] = "line"
    """How a picture is brought to the input size. `line` fills the height and keeps the shape, but
    for lines that would be too wide, which are squeezed; `letterbox` keeps the shape of those too,
    and they get lower; `stretch` fills the input."""
    vocabulary: str = ""
    """The characters to tell apart; those of the dataset unless given. More than the dataset has
    does no harm; a text with another one is refused."""
    direction: Literal["auto", "left-to-right", "right-to-left"] = "auto"
    """In which the texts run; `auto` goes by most of the training texts' letters."""
    decoding: DecodingOptions = DecodingOptions()
    """How the output sequence becomes a text."""
    augmentation: AugmentationOptions = AugmentationOptions()
    """Random changes to training pictures."""
    best_metric: Figure = "exact_match"
    """The validation figure that picks the best epoch: lines read without a mistake as a share of
    all lines, or 1 - CER."""
    samples: SampleOptions = SampleOptions()
    """Debug pictures."""

    @field_validator("vocabulary")
    @classmethod
    def _no_letter_twice(cls, value: str) -> str:
        import unicodedata

        plain = unicodedata.normalize("NFC", value)
        if len(set(plain)) != len(plain):
            twice = sorted({letter for letter in plain if plain.count(letter) > 1})
            raise ValueError(f"has '{twice[0]}' twice")
        return plain
