"""Divide items into train, val and test: by ratio and seed, whatever their order."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
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


def draw_splits(
    keys: Sequence[str],
    ratios: Mapping[str, float],
    seed: int,
    strata: Sequence[str] | None = None,
) -> list[str]:
    """Give each item a split, so that equal keys share one and the ratios come out.

    Items are ordered by a hash of seed and key and then cut into runs. With a hash of the content
    as key, neither names nor order matter, and exact duplicates never lie in two splits.

    Args:
        keys: One for each item.
        ratios: Relative weight of each split that is to be drawn; those with 0 stay empty.
        seed: Any whole number.
        strata: Kind of each item, such as its class; each kind is divided in these ratios. Items
            of one key count for the kind that most of them are of.

    Returns:
        The split of each item, in the order of `keys`.

    Raises:
        ValueError: fewer different items than splits, in all or of a kind.
    """
    wanted = {name: ratios[name] for name in SPLITS if ratios.get(name, 0) > 0}
    sizes = Counter(keys)
    kinds = dict.fromkeys(sizes, "") if strata is None else _kinds(keys, strata)
    chosen: dict[str, str] = {}
    for kind in sorted(set(kinds.values())) or [""]:
        groups = {key: size for key, size in sizes.items() if kinds[key] == kind}
        if len(groups) < len(wanted):
            raise ValueError(
                f"{len(groups)} different pictures{f' of {kind}' if kind else ''} are too few for "
                f"the splits {', '.join(wanted)}: ask for fewer with a share of 0 in split.ratios"
                f"{', or set stratify=false' if kind else ''}"
            )
        chosen |= _cut(groups, wanted, seed)
    return [chosen[key] for key in keys]


def _kinds(keys: Sequence[str], strata: Sequence[str]) -> dict[str, str]:
    """Name the kind of each key: the most frequent among its items, of equals the first by name."""
    counts: dict[str, Counter[str]] = {}
    for key, kind in zip(keys, strata, strict=True):
        counts.setdefault(key, Counter())[kind] += 1
    return {key: min(c, key=lambda kind: (-c[kind], kind)) for key, c in counts.items()}


def _cut(groups: Mapping[str, int], wanted: Mapping[str, float], seed: int) -> dict[str, str]:
    """Divide groups, whose sizes are given by key, into runs of the wanted relative lengths."""
    ordered = sorted(groups, key=lambda key: (_rank(seed, key), key))
    whole = sum(wanted.values())
    items = sum(groups.values())
    chosen: dict[str, str] = {}
    start = 0
    reached = taken = 0.0
    for place, name in enumerate(wanted):
        reached += wanted[name] / whole * items
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
    return chosen


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=16).digest()


def nearest(name: str, names: Sequence[str]) -> str:
    """` (did you mean 'x'?)` for the name that is nearest to a wrong one, or nothing."""
    found = get_close_matches(name, names, n=1)
    return f" (did you mean '{found[0]}'?)" if found else ""
