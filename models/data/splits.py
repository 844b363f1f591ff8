"""Divide items into train, val and test: by ratio and seed, whatever their order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

SPLITS = ("train", "val", "test")
_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_WORDS = {**_NAMES, "dev": "val"}


def split_name(name: str) -> str | None:
    """`train`, `val` or `test` for a folder or file that is called like one; else None."""
    return _NAMES.get(name.lower())


def split_in(name: str) -> str | None:
    """The one split that a name speaks of: `train2017`, `instances_val`, `test images`; else None.

    Looser than `split_name`, for places where a split's name is expected to stand.
    """
    words = re.findall(r"[a-z]+", name.lower())
    found = {_WORDS[word] for word in words if word in _WORDS}
    return found.pop() if len(found) == 1 else None


def draw_splits(keys: Sequence[str], ratios: Mapping[str, float], seed: int) -> list[str]:
    """Give each item a split, so that equal keys share one and the ratios come out.

    Items are ordered by a hash of seed and key and then cut into runs. With a hash of the content
    as key, neither names nor order matter, and exact duplicates never lie in two splits.

    Args:
        keys: One for each item.
        ratios: Relative weight of each split that is to be drawn; those with 0 stay empty.
        seed: Any whole number.

    Returns:
        The split of each item, in the order of `keys`.

    Raises:
        ValueError: fewer different items than splits.
    """
    wanted = [name for name in SPLITS if ratios.get(name, 0) > 0]
    groups: dict[str, int] = {}
    for key in keys:
        groups[key] = groups.get(key, 0) + 1
    if len(groups) < len(wanted):
        raise ValueError(
            f"{len(groups)} different pictures are too few for the splits {', '.join(wanted)}"
        )
    ordered = sorted(groups, key=lambda key: (_rank(seed, key), key))
    total = sum(ratios[name] for name in wanted)
    chosen: dict[str, str] = {}
    start = 0
    reached = taken = 0.0
    for place, name in enumerate(wanted):
        reached += ratios[name] / total * len(keys)
        # Each split gets one group at least, and leaves one for each of those that follow.
        last = len(ordered) - (len(wanted) - place - 1)
        first = start
        while start < last:
            size = groups[ordered[start]]
            if start > first and place < len(wanted) - 1 and taken + size / 2 > reached:
                break
            chosen[ordered[start]] = name
            taken += size
            start += 1
    return [chosen[key] for key in keys]


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=16).digest()


def nearest(name: str, names: Sequence[str]) -> str:
    """` (did you mean 'x'?)` for the name that is nearest to a wrong one, or nothing."""
    found = get_close_matches(name, names, n=1)
    return f" (did you mean '{found[0]}'?)" if found else ""
