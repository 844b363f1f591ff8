"""Real barcode symbols from zxing-cpp, and the payloads they carry.

A payload belongs to exactly one split: its split is a function of its text (see
`payload_split`), so no text of the test split can occur in training, whatever the seed or count.
"""

from __future__ import annotations

import string
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from models.synthetic.symbologies import Symbology

_ALPHANUMERIC = string.ascii_uppercase + string.digits
_UNLIKE_DIGITS = str.maketrans("IOQ", "JPR")
# Out of ten buckets of payloads; one bucket has one split.
_BUCKETS = ("train",) * 6 + ("val",) * 2 + ("test",) * 2


@dataclass(frozen=True)
class Kind:
    """What is to be known about a symbology."""

    name: str
    """Class name when there is one class per symbology."""
    format: Any
    """`zxingcpp.BarcodeFormat`."""
    linear: bool
    draw: Callable[[np.random.Generator], str]
    """Draws a payload as the encoder takes it."""
    quiet: int
    """Width of the quiet zone that the standard asks for, modules."""


@dataclass(frozen=True)
class Symbol:
    """One symbol, not drawn on anything yet."""

    symbology: Symbology
    text: str
    """What a decoder reads."""
    modules: NDArray[np.uint8]
    """0 for ink, 255 for paper, shape (rows, columns), no quiet zone. One row for linear ones."""

    @property
    def kind(self) -> Kind:
        """Facts about the symbology."""
        return KINDS[self.symbology]


def _digits(count: int) -> Callable[[np.random.Generator], str]:
    def draw(rng: np.random.Generator) -> str:
        return "".join(map(str, rng.integers(0, 10, count)))

    return draw


def _letters(low: int, high: int) -> Callable[[np.random.Generator], str]:
    def draw(rng: np.random.Generator) -> str:
        picks = rng.integers(0, len(_ALPHANUMERIC), int(rng.integers(low, high + 1)))
        return "".join(_ALPHANUMERIC[i] for i in picks)

    return draw


def _serial(rng: np.random.Generator) -> str:
    """What Code 128 carries on goods: mostly digits, which it packs in pairs."""
    if rng.random() < 0.6:
        return _digits(2 * int(rng.integers(4, 8)))(rng)
    return _letters(4, 8)(rng)


def _link(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return _letters(6, 24)(rng)
    host = _letters(4, 8)(rng).lower()
    return f"https://{host}.example/{_letters(4, 16)(rng).lower()}"


_F = zxingcpp.BarcodeFormat
KINDS: dict[Symbology, Kind] = {
    "ean13": Kind("EAN-13", _F.EAN13, True, _digits(12), 11),
    "ean8": Kind("EAN-8", _F.EAN8, True, _digits(7), 7),
    "upca": Kind("UPC-A", _F.UPCA, True, _digits(11), 9),
    "code128": Kind("Code 128", _F.Code128, True, _serial, 10),
    "code39": Kind("Code 39", _F.Code39, True, _letters(4, 7), 10),
    "itf": Kind("ITF", _F.ITF, True, _digits(14), 10),
    "qr": Kind("QR Code", _F.QRCode, False, _link, 4),
    "datamatrix": Kind("Data Matrix", _F.DataMatrix, False, _letters(4, 24), 2),
    "pdf417": Kind("PDF417", _F.PDF417, False, _letters(12, 40), 2),
    "aztec": Kind("Aztec", _F.Aztec, False, _letters(6, 30), 2),
}


def payload_split(text: str) -> str:
    """The one split, `train`, `val` or `test`, that may carry this payload."""
    return _BUCKETS[zlib.crc32(text.encode()) % len(_BUCKETS)]


def draw_symbol(
    rng: np.random.Generator, symbology: Symbology, split: str, legible: bool = False
) -> Symbol:
    """Make a symbol with a random payload that belongs to `split`.

    Args:
        rng: Source of every choice.
        symbology: Of the symbol.
        split: `train`, `val` or `test`.
        legible: Leave out the letters that people take for digits.
    """
    kind = KINDS[symbology]
    while True:
        payload = kind.draw(rng)
        if legible:
            payload = payload.translate(_UNLIKE_DIGITS)
        barcode = zxingcpp.create_barcode(payload, kind.format, **_options(rng, symbology))
        if payload_split(barcode.text) == split:
            return _symbol(symbology, barcode)


def make_symbol(symbology: Symbology, payload: str) -> Symbol:
    """Make the symbol of a payload, given as the encoder takes it: EAN without its check digit."""
    return _symbol(symbology, zxingcpp.create_barcode(payload, KINDS[symbology].format))


def printed_text(symbol: Symbol) -> str:
    """What stands under a symbol.

    UPC-A is read as an EAN-13 with a 0 in front, and printed without it.
    """
    return symbol.text[-12:] if symbol.symbology == "upca" else symbol.text


def _symbol(symbology: Symbology, barcode: Any) -> Symbol:
    image = zxingcpp.write_barcode_to_image(barcode, scale=1, add_quiet_zones=False)
    modules: NDArray[np.uint8] = np.array(image, np.uint8)
    if KINDS[symbology].linear:
        modules = modules[:1]
    return Symbol(symbology, barcode.text, np.ascontiguousarray(modules))


def _options(rng: np.random.Generator, symbology: Symbology) -> dict[str, Any]:
    if symbology == "qr":
        return {"ec_level": "LMQH"[int(rng.integers(4))]}
    if symbology == "datamatrix":
        # Rectangular ones exist but are rare on goods.
        return {"force_square": bool(rng.random() < 0.85)}
    return {}


def read(image: NDArray[np.uint8], symbologies: Collection[Symbology]) -> list[str]:
    """Texts of all symbols of these symbologies that zxing-cpp finds in a grey picture."""
    formats = [KINDS[name].format for name in symbologies]
    return [barcode.text for barcode in zxingcpp.read_barcodes(image, formats=formats)]
