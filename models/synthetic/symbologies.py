"""Names of the symbologies that are drawn."""

from __future__ import annotations

from typing import Literal

Symbology = Literal[
    "ean13",
    "ean8",
    "upca",
    "code128",
    "code39",
    "itf",
    "qr",
    "datamatrix",
    "pdf417",
    "aztec",
]
