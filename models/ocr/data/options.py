"""Options of preparing OCR data."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from models.data.split_options import DuplicateChoice, SplitOptions


class TextSplitOptions(SplitOptions):
    """How lines are divided."""

    group: Literal["text", "picture"] = "text"
    """What stays in one split when splits are drawn: all lines of the same `text`, so that no text
    of val or test was learned by heart, or only pictures that show nearly the same (`picture`)."""


class CropOptions(BaseModel):
    """How lines are cut out of pictures with boxes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    of: Literal["line", "object"] = "line"
    """`line`: the annotation's frame around its text (`text_bbox`) where it has one, else its box.
    `object`: the box, and the text's frame with it, so that a barcode keeps its bars."""
    attribute: str = ""
    """Name of the attribute that holds the text; found by its usual names unless given (text,
    utf8_string, transcription, value, ..., also under `attributes`)."""
    padding: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Room around the frame as a share of its shorter side, 0 to 2."""
    straighten: bool = True
    """Turn a line upright whose outline has four corners. A detector gives no corners: for a reader
    that works behind one, say false."""
    tall: Literal["keep", "left", "right"] = "keep"
    """What becomes of crops that are taller than wide: turned by 90 degrees to the `left` or the
    `right`, or kept."""
    smallest: Annotated[float, Field(gt=0, le=1000)] = 8
    """Frames narrower or lower than this are set aside, pixels."""


class PrepareOptions(BaseModel):
    """How raw OCR data becomes a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: TextSplitOptions = TextSplitOptions()
    """How lines are divided into train, val and test."""
    vocabulary: str = ""
    """Characters that texts may have, as in 0123456789; lines with others are set aside. All that
    occur unless given."""
    max_length: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Lines whose text takes more steps of the network's output than this are set aside: one for
    each character, and one between equal neighbours. 0 keeps all."""
    file_column: str = ""
    """Column of a table that names the pictures; found by its usual names unless given."""
    text_column: str = ""
    """Column of a table that holds the texts; likewise."""
    encoding: str = ""
    """Encoding of tables, such as cp1251; UTF-8, UTF-16 with its mark, or else cp1252 unless
    given."""
    pattern: str = ""
    """How file names hold the text where no table does, without the suffix: `<text>` is the text,
    `<n>` a number, `<any>` anything. `<text>_<n>`, and `<text>` alone, unless given."""
    crops: CropOptions = CropOptions()
    """How lines are cut out of pictures with boxes."""
    duplicates: DuplicateChoice = "remove"
    """What becomes of pictures that show nearly the same and say the same: `remove` takes them out
    of val and test where train, or the same split, has them too, and keeps them together when
    splits are drawn; `report` lists them; `ignore` looks for files with the same bytes only."""
    previews: Annotated[int, Field(ge=0, le=100)] = 12
    """Lines to show with their texts as previews, 0 to 100."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Threads that check pictures; 0 means one a core. Has no influence on the result."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        import codecs

        try:
            return codecs.lookup(value).name if value else ""
        except LookupError:
            raise ValueError(f"no encoding is called '{value}', as utf-8 or cp1251 are") from None

    @model_validator(mode="after")
    def _pattern(self) -> Self:
        if self.pattern and self.pattern.count("<text>") != 1:
            raise ValueError(f"pattern '{self.pattern}' needs <text> in it, once")
        return self
