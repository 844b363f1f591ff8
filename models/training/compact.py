"""Sequences of many small things held in a few arrays.

A Python object for each picture costs some hundred bytes, and processes that were forked copy its
memory page by page as soon as they count a reference to it. Arrays do neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class Rows(Sequence[NDArray[Any]]):
    """Arrays of different lengths, end to end in one array."""

    def __init__(self, values: NDArray[Any], counts: NDArray[np.int64]) -> None:
        """Take the arrays.

        Args:
            values: all rows, one below the other.
            counts: rows of each array.
        """
        assert int(counts.sum()) == len(values)
        self.values = values
        self.counts = counts
        self._ends = np.cumsum(counts, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        end = self._ends[index]
        found: NDArray[Any] = self.values[end - self.counts[index] : end]
        return found


class Texts(Sequence[str]):
    """Texts as UTF-8, end to end."""

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        self._ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
        self._bytes = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        start = int(self._ends[place - 1]) if place else 0
        return self._bytes[start : int(self._ends[place])].decode("utf-8", "surrogatepass")


class Pairs(Sequence[tuple[int, int]]):
    """Pairs of whole numbers, such as heights and widths."""

    def __init__(self, values: NDArray[np.int32]) -> None:
        """Take an array of shape (N, 2)."""
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[int, int]]: ...
    def __getitem__(self, index: int | slice) -> tuple[int, int] | list[tuple[int, int]]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        first, second = self.values[index]
        return int(first), int(second)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in range(len(self)):
            yield self[index]
