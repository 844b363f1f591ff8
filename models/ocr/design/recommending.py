"""Recommend a network, say why, and write it as a recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from models.ocr.design.measuring import Measured
from models.ocr.design.survey import Survey
from models.ocr.networks.options import NetworkOptions

SHORT = 0.001
"""Share of lines that may lack steps."""
COMFORTABLE = 0.98
"""Share of lines that should have a quarter more steps than they need."""
NARROW = 8.0
"""Pixels of the input that the characters of a narrow line should be wide."""
SEES = 1.0
"""Characters that the convolutions under a step should see."""


def objections(one: Measured, found: Survey) -> list[str]:
    """Say what speaks against a network; nothing if it fits."""
    needed, steps = int(found.steps.max()), one.sizes.steps
    told = []
    if steps < needed:
        told.append(f"{steps} steps, the longest text needs {needed}")
    elif one.short > SHORT:
        told.append(f"{one.short:.1%} of the lines have too few steps")
    elif one.comfortable < COMFORTABLE:
        told.append(f"{1 - one.comfortable:.0%} of the lines have hardly enough steps")
    if one.pitch[1] < NARROW:
        told.append(f"narrow characters are {one.pitch[1]:.1f} pixels wide")
    if one.characters < SEES:
        told.append(f"a step sees {one.characters:.1f} characters")
    return told


def recommend(
    measured: Sequence[Measured], found: Survey, latency: float | None = None
) -> Measured | None:
    """Choose among networks that nothing speaks against; None if there is none.

    Args:
        measured: the networks.
        found: what the lines need.
        latency: most milliseconds for a line; then the network with the most parameters is chosen.
            Without it, of the default network at its default size the fastest, or of any other if
            that never fits.
    """
    fitting = [one for one in measured if not objections(one, found)]
    if latency is not None:
        fast = [one for one in fitting if one.milliseconds and one.milliseconds <= latency]
        return max(fast, key=lambda one: (one.parameters, -_cost(one)), default=None)
    plain = NetworkOptions()
    usual = [
        one
        for one in fitting
        if one.options.name == plain.name and one.options.widths == plain.widths
    ]
    return min(usual or fitting, key=_cost, default=None)


def _cost(one: Measured) -> float:
    """Milliseconds, or where they weren't measured, what they grow with."""
    if one.milliseconds is not None:
        return one.milliseconds
    return one.parameters * one.options.width * one.options.height / one.sizes.stride


def reasons(one: Measured, found: Survey) -> list[str]:
    """Say why a network fits, one line each."""
    size = one.options
    lines = [
        f"{one.sizes.steps} steps of {one.sizes.stride} pixels; the longest text, {found.longest}, "
        f"needs {int(found.steps.max())}",
        f"{one.comfortable:.1%} of the lines have a quarter more steps than they need",
        f"a character is {one.pitch[0]:.0f} pixels wide, narrow ones {one.pitch[1]:.0f}; "
        f"{one.squeezed:.0%} of the lines are squeezed to {size.width} pixels",
        f"the convolutions under a step see {one.sees[1]} pixels of width, "
        f"{one.characters:.1f} characters of the median line",
        f"{one.parameters:.2f} M parameters",
    ]
    if one.milliseconds is not None:
        lines[-1] += f", {one.milliseconds:.1f} ms a line in PyTorch on this machine"
    return lines


def recipe(one: Measured, found: Survey) -> str:
    """Write a recipe that `sightline run` takes, with the reasons as comments."""
    network = one.options.model_dump(mode="json", exclude_defaults=True)
    name = _name(found.source.resolve())
    content: dict[str, object] = {"pipeline": "ocr", "name": name}
    content |= {"data": {"source": str(found.source.resolve())}}
    if found.prepared:
        content = {"pipeline": "train-eval", "family": "ocr", "name": name}
        content |= {"dataset": str(found.source.resolve())}
    kept = ("name", "height", "width", "stride")
    shown = {key: getattr(one.options, key) for key in kept} | network
    train: dict[str, object] = {"network": shown}
    if not found.flat:
        train["resize"] = "stretch"
    content |= {"train": train}
    comments = [f"# {line}" for line in (f"{one.title}:", *reasons(one, found))]
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return "\n".join(comments) + "\n" + str(body)


def _name(folder: Path) -> str:
    """Name a dataset by its folder; the folder of a version by what it is a version of."""
    version = re.fullmatch(r"v?\d+(\.\d+)*", folder.name)
    return folder.parent.name if version and folder.parent.name else folder.name


def write_recipe(one: Measured, found: Survey, path: Path) -> None:
    """Write the recipe into a file, over an earlier one of the same design."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(recipe(one, found), encoding="utf-8")
