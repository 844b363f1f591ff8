"""Prepared datasets and model packages as stages take them in: checked for their task family."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.run import DatasetCopy, Run


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset that `prepare` made, on this disk."""

    copy: DatasetCopy
    family: str
    classes: Sequence[str]
    splits: Sequence[str]
    """The splits that hold pictures."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.copy.folder

    def need(self, split: str) -> None:
        """Make sure that a split holds pictures.

        Raises:
            ValueError: it doesn't.
        """
        if split not in self.splits:
            there = ", ".join(self.splits) or "none"
            raise ValueError(
                f"dataset {self.copy.name or self.copy.id} has no pictures in '{split}' "
                f"(it has: {there}); prepare it with another split"
            )


def prepared_dataset(run: Run, reference: str, family: str, keep: bool = True) -> PreparedDataset:
    """Fetch a prepared dataset.

    Raises:
        ValueError: there is none, it is raw, or it is another family's.
    """
    copy = run.dataset(reference, keep=keep)
    path = copy.folder / "dataset.json"
    if not path.is_file():
        raise ValueError(
            f"dataset '{reference}' isn't a prepared one (no dataset.json in it): "
            "run the prepare stage on it and give its result"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = str(content["family"])
        pictures = {str(split): int(count) for split, count in content["pictures"].items()}
        classes = [str(name) for name in content["classes"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"dataset '{reference}': dataset.json is broken ({error!r})") from None
    if found != family:
        raise ValueError(f"dataset '{reference}' is for {found}: set family={found}")
    return PreparedDataset(copy, found, classes, [s for s, count in pictures.items() if count])
