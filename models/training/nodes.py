"""One of several machines that train one model together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A machine's place among those that train one model together.

    Attributes:
        rank: 0 for the first one, which reports and keeps the results.
        count: How many there are.
        address: Where the others meet the first one.
        port: Likewise.
    """

    rank: int = 0
    count: int = 1
    address: str = ""
    port: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the one that reports and keeps the results."""
        return self.rank == 0


ALONE = Node()
"""The only one."""
