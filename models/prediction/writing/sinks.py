"""What every kind of output does, and the picture with its result that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from models.families import Presenter
from models.prediction.reading import Place
from models.reporting import Image


@dataclass(frozen=True)
class Seen:
    """A picture that the network has looked at."""

    place: Place
    image: Image
    result: Any
    """The family's."""
    presenter: Presenter

    @cached_property
    def drawn(self) -> Image:
        """The picture with the result drawn in."""
        return self.presenter.draw(self.image, self.result)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture, pixels."""
        return self.image.shape[0], self.image.shape[1]


class Sink(Protocol):
    """One kind of output."""

    def render(self, seen: Seen) -> Any:
        """Do what needs no order; several threads do it at once.

        Returns:
            What `write` needs; not more than that, since it waits in memory.
        """

    def write(self, place: Place, rendered: Any) -> None:
        """Do what needs order; called for one picture after another by one thread."""

    def close(self) -> None:
        """Make what was written whole."""
