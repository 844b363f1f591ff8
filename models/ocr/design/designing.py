"""Look at a dataset and at the networks that could read it, and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.ocr.design.candidates import candidates
from models.ocr.design.measuring import Measured, measure
from models.ocr.design.options import DesignOptions
from models.ocr.design.recommending import objections, recommend
from models.ocr.design.survey import Survey, survey
from models.reporting import Reporter

COLUMNS = (
    *("network", "input", "stride", "steps", "room", "pixels/char", "sees", "chars seen", "map"),
    *("params M", "ms", "against it"),
)


@dataclass(frozen=True)
class Design:
    """What was found out."""

    found: Survey
    measured: Sequence[Measured]
    """The recommended one first, then those that fit, the fastest first."""
    refused: Sequence[tuple[str, str]]
    """Networks that can't be built, and why."""
    recommended: Measured | None

    def rows(self) -> list[list[object]]:
        """A row of `COLUMNS` for each network."""
        return [_row(one, self.found) for one in self.measured]


def design(folder: Path, options: DesignOptions, reporter: Reporter) -> Design:
    """Choose a network for the lines of a dataset.

    Args:
        folder: a prepared dataset or raw OCR data.
        options: which networks to look at.
        reporter: told progress.

    Raises:
        ValueError: no lines in the folder, or no network that can be built.
    """
    found = survey(folder, reporter)
    wanted = candidates(found, options)
    measured: list[Measured] = []
    refused: list[tuple[str, str]] = []
    for done, one in enumerate(wanted):
        reporter.progress("measuring networks", done, len(wanted))
        try:
            measured.append(measure(one, found, options.calls))
        except ValueError as error:
            if str(error) not in (told for _, told in refused):
                refused.append((one.backbone if one.name == "crnn" else one.name, str(error)))
    reporter.progress("measuring networks", len(wanted), len(wanted))
    if not measured:
        raise ValueError(f"none of {len(wanted)} networks can be built; the first: {refused[0][1]}")
    best = recommend(measured, found, options.latency)

    def order(one: Measured) -> tuple[bool, bool, float]:
        return one is not best, bool(objections(one, found)), one.milliseconds or one.parameters

    return Design(found, sorted(measured, key=order), refused, best)


def _row(one: Measured, found: Survey) -> list[object]:
    size = one.options
    return [
        one.title,
        f"{size.height}x{size.width}",
        one.sizes.stride,
        f"{one.sizes.steps} ({int(found.steps.max())})",
        f"{one.comfortable:.0%}",
        f"{one.pitch[0]:.1f}",
        f"{one.sees[0]}x{one.sees[1]} of {one.reach[0]}x{one.reach[1]}",
        f"{one.characters:.1f}",
        f"{one.sizes.channels}x{one.sizes.rows}x{one.sizes.steps}",
        f"{one.parameters:.2f}",
        "-" if one.milliseconds is None else f"{one.milliseconds:.1f}",
        "; ".join(objections(one, found)) or "nothing",
    ]
