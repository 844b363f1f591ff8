"""Pictures that show nearly the same: found, shown, and kept out of what is measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from models.data.near_duplicates import NearDuplicate, find_near_duplicates
from models.data.raw import CheckedPicture, Findings, ListedT, Splits
from models.data.splits import SPLITS
from models.outcomes import Rejected
from models.reporting import Reporter


@dataclass
class Duplicates(Generic[ListedT]):
    """Which pictures show nearly the same."""

    pairs: list[tuple[CheckedPicture[ListedT], CheckedPicture[ListedT], float]] = field(
        default_factory=list
    )
    """Two pictures, and the largest difference of a part; 0 for the same bytes."""
    keys: dict[str, str] = field(default_factory=dict)
    """A name for each group, by a picture's digest; a picture on its own isn't in it."""

    def key(self, one: CheckedPicture[ListedT]) -> str:
        """Name the group of a picture, which may be its own."""
        return self.keys.get(one.facts.digest, one.facts.digest)


def find_duplicates(pictures: Splits[ListedT], reporter: Reporter) -> Duplicates[ListedT]:
    """Look for pictures that show nearly the same, in all splits; the files' order is no matter."""
    everything = sorted(
        (one for found in pictures.values() for one in found),
        key=lambda one: (one.facts.digest, one.picture.name),
    )
    pairs = find_near_duplicates(
        [one.picture.file for one in everything],
        [one.facts for one in everything],
        lambda done, total: reporter.progress("looking for near-duplicates", done, total),
    )
    return Duplicates(
        pairs=[(everything[one.first], everything[one.second], one.difference) for one in pairs],
        keys=_group_keys([one.facts.digest for one in everything], pairs),
    )


def _group_keys(digests: Sequence[str], pairs: Sequence[NearDuplicate]) -> dict[str, str]:
    """Name each group by its least digest."""
    group = {digest: digest for digest in digests}
    members = {digest: [digest] for digest in digests}
    for pair in pairs:
        one, other = sorted((group[digests[pair.first]], group[digests[pair.second]]))
        if one != other:
            for digest in members.pop(other):
                group[digest] = one
                members[one].append(digest)
    return {digest: key for digest, key in group.items() if len(members[key]) > 1}


def take_out(
    splits: Splits[ListedT], duplicates: Duplicates[ListedT], findings: Findings
) -> Splits[ListedT]:
    """Leave pictures out of val and test that train, or the same split, has too.

    A picture of val that is in test leaves val. What is left out is listed with its twin.

    Raises:
        ValueError: nothing is left of val or test.
    """
    held: dict[str, tuple[str, CheckedPicture[ListedT]]] = {}
    result: Splits[ListedT] = {}
    for split in ("train", "test", "val"):
        kept = []
        for one in splits.get(split, []):
            key = duplicates.key(one)
            if split != "train" and key in held:
                place, twin = held[key]
                same = one.facts.digest == twin.facts.digest
                reason = f"{'' if same else 'nearly '}the same picture is in {place}"
                findings.rejected.append(Rejected(one.picture.name, reason))
                continue
            kept.append(one)
            held.setdefault(key, (f"{split} ({one.picture.name})", one))
        if splits.get(split) and not kept:
            raise ValueError(
                f"every picture of {split} is in another split too, so nothing is left to measure "
                f"on: give {split} other pictures, or set split.keep=false to divide all anew"
            )
        result[split] = kept
    return {split: result[split] for split in SPLITS}


def report_duplicates(
    duplicates: Duplicates[ListedT],
    splits: Mapping[str, Sequence[CheckedPicture[ListedT]]],
    agree: Callable[[ListedT, ListedT], bool],
    labels: str,
    reporter: Reporter,
) -> list[str]:
    """List the pairs as a table, and say what contradicts itself.

    Args:
        duplicates: what shows nearly the same.
        splits: the pictures that stay.
        agree: whether the same is written down about two pictures.
        labels: what is written down, in the plural, such as `boxes`.
        reporter: takes the table.

    Returns:
        One line for each two files of the same bytes about which other things are written down.
    """
    where = {id(one.picture): split for split, found in splits.items() for one in found}
    rows: list[list[object]] = [
        [
            one.picture.name,
            where.get(id(one.picture), "taken out"),
            other.picture.name,
            where.get(id(other.picture), "taken out"),
            difference,
        ]
        for one, other, difference in duplicates.pairs
    ]
    if rows:
        columns = ["picture", "split", "nearly the same", "its split", "difference"]
        reporter.table("Dataset", "near-duplicates", columns, rows[:1000])
        reporter.log(f"{len(rows)} pictures are nearly the same as another; the first:")
        for row in rows[:5]:
            reporter.log(f"  {row[0]} ({row[1]}) and {row[2]} ({row[3]})")
    return [
        f"{one.picture.name} and {other.picture.name} are the same picture with other {labels}"
        for one, other, difference in duplicates.pairs
        if difference == 0 and not agree(one.picture, other.picture)
    ]
