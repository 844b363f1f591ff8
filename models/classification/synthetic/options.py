"""Options of the synthetic rice source."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RiceOptions(BaseModel):
    """What pictures of rice grains to make. The same options give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pictures: int = Field(default=400, ge=4, le=100_000)
    """Pictures of each of the five varieties; the Rice Image Dataset has 15,000."""
    side: int = Field(default=96, ge=32, le=1024)
    """Height and width of the pictures, pixels; the Rice Image Dataset has 250."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of every random choice. A picture depends on the seed, its variety and its number, and
    on none of the others."""
    overlap: float = Field(default=0.5, ge=0, le=3)
    """How far grains of one variety differ, as a multiple of what is usual: from 2 on even a
    perfect eye takes some for another variety."""
    light: float = Field(default=1.0, ge=0, le=1)
    """How much brightness, colour of the light and ground change from picture to picture, 0 to 1.
    Less makes it easier to tell varieties by brightness alone."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that draw; 0 means one a core. Has no influence on the pictures."""
