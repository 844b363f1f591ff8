"""Options of the synthetic barcode scenes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.synthetic.symbologies import Symbology

Side = Annotated[int, Field(ge=160, le=4096)]


class BarcodeOptions(BaseModel):
    """What barcode scenes to make. The same options give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    train: int = Field(default=400, ge=1, le=1_000_000)
    """Pictures to train on, 1 or more."""
    val: int = Field(default=80, ge=1, le=1_000_000)
    """Pictures to validate on, 1 or more."""
    test: int = Field(default=120, ge=1, le=1_000_000)
    """Pictures to test on, 1 or more; their payloads and kinds of background occur in no other
    split."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of every random choice. A picture depends on the seed, its split and its number, and
    on none of the other pictures."""
    classes: Literal["family", "symbology"] = "family"
    """`family`: two classes, `linear` (bars side by side) and `matrix` (cells in two dimensions,
    PDF417 included). `symbology`: one class for each of `symbologies`."""
    symbologies: tuple[Symbology, ...] = ("ean13", "code128", "qr", "datamatrix")
    """Symbologies to draw from, each as likely as the others."""
    sizes: tuple[tuple[Side, Side], ...] = ((640, 480), (480, 640), (800, 600), (640, 640))
    """Picture sizes, (width, height) in pixels, each as likely as the others; 160 to 4096."""
    symbols: int = Field(default=6, ge=1, le=20)
    """Most symbols in a picture; few are likelier than many."""
    empty: float = Field(default=0.1, ge=0, le=1)
    """Share of pictures with no symbol, which hold clutter only, 0 to 1."""
    smallest: float = Field(default=0.08, ge=0.02, le=0.6)
    """Length of the smallest symbol as a share of the picture's width, 0.02 to 0.6."""
    largest: float = Field(default=0.5, ge=0.02, le=0.6)
    """Length of the largest symbol as a share of the picture's width, 0.02 to 0.6."""
    difficulty: float = Field(default=0.5, ge=0, le=1)
    """How strong blur, noise, perspective, shadows and wear may get: 0 (a clean scan) to 1 (hardly
    ever readable)."""
    turn: float = Field(default=180, ge=0, le=180)
    """Most that symbols are turned in the picture, degrees, 0 to 180; beside that, they tilt in
    space."""
    lines: bool = False
    """Set what linear symbols say under their bars, as the standards do, in fonts that each split
    has for itself (needs the extra `fonts`); annotations then hold `text`, `text_bbox` and
    `text_segmentation` wherever digits are 9 pixels high or more."""
    clutter: int = Field(default=4, ge=0, le=20)
    """Most things in a picture that look like a symbol but aren't."""
    quality: int = Field(default=92, ge=50, le=100)
    """JPEG quality of the files, 50 to 100."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that draw; 0 means one a core. Has no influence on the pictures."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.smallest > self.largest:
            raise ValueError(f"smallest ({self.smallest}) is greater than largest ({self.largest})")
        if not self.symbologies:
            raise ValueError("symbologies is empty: name at least one, such as 'qr'")
        if len(set(self.symbologies)) != len(self.symbologies):
            raise ValueError("symbologies names one twice")
        if not self.sizes:
            raise ValueError("sizes is empty: name at least one, such as [640, 480]")
        return self
