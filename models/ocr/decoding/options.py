"""Options of decoding. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.ocr.decoding.checksums import Symbology
from models.ocr.decoding.decoder import Settings
from models.training.options import Options


class DecodingOptions(Options):
    """How the network's output sequence becomes a text; it travels with the model."""

    method: Literal["greedy", "beam"] = "greedy"
    """`greedy` takes the likeliest character of each step; `beam` the likeliest text, all its
    alignments counted together (prefix beam search, without a language model)."""
    beam_width: int = Field(8, ge=1, le=256)
    """Texts that `beam` keeps at each step."""
    beam_choices: int = Field(16, ge=1, le=1024)
    """Characters that `beam` tries at each step, the likeliest ones."""
    symbology: Symbology = "none"
    """What every text must be: `ean13`, `ean8`, `upca`, `itf14`, or `gtin` for any of these where
    a text looks like one. A text that breaks its checksum is corrected if one changed digit is
    clearly likelier than any other, else marked unsure and never accepted. `none` checks nothing.
    """
    margin: float = Field(10.0, ge=1.0)
    """How many times likelier than the next one a correction must be."""
    plausible: float = Field(1e-3, gt=0.0, le=1.0)
    """How likely a correction must be as a share of the likelihood of what was read."""

    def settings(self) -> Settings:
        """Give what the decoder takes."""
        return Settings(**{name: getattr(self, name) for name in DecodingOptions.model_fields})
