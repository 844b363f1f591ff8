"""Open a second model behind a first one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.chain.options import ReadOptions
from models.chain.predictor import Chain, Look
from models.chain.presenting import ChainPresenter
from models.families import Presenter, family
from models.package import ModelPackage

__all__ = ["Look", "chain_presenter", "open_chain"]


def chain_presenter(first: Presenter, second: ModelPackage) -> ChainPresenter:
    """Make what shows the results of both.

    Raises:
        ValueError: the second model can't stand behind another.
    """
    return ChainPresenter(first, family(second.card.family).presenter(second.card))


@contextmanager
def open_chain(
    first: Look, presenter: Presenter, second: ModelPackage, options: ReadOptions, device: str
) -> Iterator[Chain]:
    """Load the second model and join both.

    Args:
        first: the first one, its threshold settled.
        presenter: of the first one.
        second: package of the second one.
        options: how it looks.
        device: where it runs, as for the first one.

    Raises:
        ValueError: it doesn't load.
    """
    from models.prediction.runtime import best_runtime
    from models.runtimes import load_predictor

    runtime = options.runtime or best_runtime(second, device)
    with load_predictor(
        second, runtime, device, precision=options.precision, batch_size=options.batch
    ) as predictor:
        judge = family(second.card.family).presenter(second.card)
        yield Chain(first, presenter, predictor, judge, options)
