"""How a model was trained, for its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.model_card.blocks import Block, Heading, Paragraph
from models.model_card.terms import CardTerms
from models.package import ModelCard

_ALWAYS_TOLD = ("batch_size", "optimizer.lr", "precision", "seed")
_OF_THE_MACHINE = ("cache.", "checkpoint_", "device", "samples.", "threads", "workers")
"""Starts of options that change nothing in what is learned."""


def recipe(card: ModelCard, terms: CardTerms) -> Iterator[Block]:
    """Write the section."""
    network = terms.effective(card.network)
    options = {key: value for key, value in network.items() if isinstance(value, str | int)}
    yield Heading("Recipe")
    yield Paragraph("Network: " + ", ".join(f"{key} {v}" for key, v in options.items()) + ".")
    yield from _training(card)
    names = ("torch", "lightning", "timm", "transformers", "sightline")
    versions = [f"{name} {card.libraries[name]}" for name in names if name in card.libraries]
    if versions:
        yield Paragraph(f"Made with {', '.join(versions)}.")


def _training(card: ModelCard) -> Iterator[Block]:
    done, options = card.training, card.training.options
    if done.epochs is not None:
        took = f" in {_duration(done.seconds)}" if done.seconds else ""
        # Whole epochs are counted; a cap on steps or time may end one in its midst.
        part = " and a part of the next" if (done.best_epoch or 0) > done.epochs else ""
        best = f"; the weights are those of epoch {done.best_epoch}" if done.best_epoch else ""
        yield Paragraph(f"Trained for {count(done.epochs, 'epoch')}{part}{took}{best}.")
    shown = [name for name in dict.fromkeys((*_ALWAYS_TOLD, *done.chosen)) if name in options]
    shown = [name for name in shown if not name.startswith(_OF_THE_MACHINE)]
    if shown:
        told = ", ".join(f"{name} {_option(options[name])}" for name in shown)
        rest = len(options) - len(shown)
        yield Paragraph(
            f"Training: {told}. The other {rest} options are at their defaults or the machine's "
            f"matter; model.json has all."
        )


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "[" + ", ".join(map(_option, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"
