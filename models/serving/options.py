"""Options of the service."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ServeOptions(BaseModel):
    """What the service takes in, and how it puts requests together."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    name: str = Field("model", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """Name of the model in addresses."""
    batch: int = Field(8, ge=1, le=1024)
    """Most pictures that go through the network together."""
    max_wait_ms: float = Field(2.0, ge=0.0, le=1000.0)
    """How long an incomplete batch waits for requests that are on their way, milliseconds. With
    none on its way it doesn't wait."""
    queue: int = Field(64, ge=1, le=100_000)
    """Most pictures that are decoded or wait for the network; a request beyond is answered with
    503 at once."""
    timeout: float = Field(30.0, gt=0.0, le=3600.0)
    """Time limit of a request, seconds: 408 if its body isn't there by then, else 504."""
    max_megabytes: float = Field(32.0, gt=0.0, le=1024.0)
    """Largest request, MiB; all requests together may hold 16 times as much."""
    max_megapixels: float = Field(50.0, gt=0.0, le=1000.0)
    """Largest picture, million pixels."""

    @property
    def max_bytes(self) -> int:
        """Largest request."""
        return int(self.max_megabytes * (1 << 20))
