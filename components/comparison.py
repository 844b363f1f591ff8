"""Holding a model against another one on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from components.run import Run
from models.families import Family
from models.outcomes import Evaluation
from models.reporting import Silence

if TYPE_CHECKING:
    from models.bootstrap import Loss

_ALL = 10**9


@dataclass(frozen=True)
class Comparison:
    """What another model is worth on the same splits."""

    model: str
    """Its id."""
    metric: str
    other: Sequence[Evaluation]
    losses: Mapping[str, Loss]
    """By split, what is lost of the main metric by taking the other one instead."""

    def lines(self) -> list[str]:
        """Say for each split whether the model is better."""
        return [f"{split}: {self._verdict(loss)}" for split, loss in self.losses.items()]

    def _verdict(self, loss: Loss) -> str:
        if loss.low > 0:
            verdict = "the model is better than the other one"
        elif loss.high < 0:
            verdict = "THE OTHER MODEL IS BETTER"
        else:
            verdict = "THE OTHER MODEL IS AS GOOD: the difference may be chance"
        return (
            f"{verdict}: {self.metric} {loss.reference:.4f} against {loss.candidate:.4f}, the "
            f"difference with {loss.confidence:.0%} confidence between {loss.low:+.4f} and "
            f"{loss.high:+.4f} ({loss.pictures} pictures)"
        )

    def record(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        return {
            "model": self.model,
            "metric": self.metric,
            "figures": {one.split: dict(one.values) for one in self.other},
            "losses": {split: loss.record() for split, loss in self.losses.items()},
            "verdict": self.lines(),
        }


def compare(
    reference: str,
    package: Path,
    dataset: Path,
    found: Family,
    options: BaseModel,
    splits: Sequence[str],
    run: Run,
) -> Comparison:
    """Measure another model as the first one was measured.

    Args:
        reference: of the other model.
        package: folder of the first.
        dataset: prepared dataset folder.
        found: the family of both.
        options: of its evaluation.
        splits: to measure on.
        run: fetches the model.

    Raises:
        ValueError: there is no such model, or it tells other classes apart.
    """
    from models.bootstrap import PairedBootstrap
    from models.package import ModelPackage
    from models.runtimes import load_predictor

    model = run.model(reference)
    # It has no other form than PyTorch's, whatever the first is run by.
    plain = type(options).model_validate({**options.model_dump(), **_plain(options)})
    other = [found.evaluate(model.folder, dataset, one, plain, Silence()) for one in splits]
    losses = {}
    for split in splits:
        measured = []
        for folder in (package, model.folder):
            opened = ModelPackage.load(folder)
            validation = found.validation(opened.card, dataset, split, _ALL)
            with load_predictor(opened) as predictor:
                measured.append(validation.measure_each(predictor))
        losses[split] = PairedBootstrap(measured[0], len(validation)).loss(measured[1])
    return Comparison(model.id, found.primary_metric, other, losses)


def _plain(options: BaseModel) -> dict[str, Any]:
    wanted = {"runtime": "torch", "precision": None}
    return {name: value for name, value in wanted.items() if name in type(options).model_fields}
