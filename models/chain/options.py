"""Options of looking at regions with a second model. Nothing heavy in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.training.options import Options


class ReadOptions(Options):
    """How the second model looks at what the first one has found."""

    padding: float = Field(0.1, ge=0.0, le=2.0)
    """Added on each side of a region, as a share of its shorter side: as much as the second model
    had around its pictures when it learned."""
    turns: Literal["none", "tall", "all"] = "tall"
    """Ways in which a region is turned before it is looked at, of which the surest counts. `tall`:
    one that is higher than wide, to the left and to the right; `all`: every one also upside down;
    `none`: as it is."""
    threshold: float | None = Field(None, ge=0.0, le=1.0)
    """Least confidence of the second model; null takes its own."""
    runtime: str | None = None
    """What runs the second model; null takes the fastest there is."""
    precision: Literal["float32", "float16", "bfloat16", "int8", "mixed"] | None = None
    """Which of its forms runs; null takes the first."""
    batch: int = Field(16, ge=1, le=1024)
    """Regions that go through it at once."""
