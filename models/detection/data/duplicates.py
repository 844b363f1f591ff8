"""Pictures that show nearly the same: found, shown, and kept out of what is measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.data.near_duplicates import NearDuplicate, find_near_duplicates
from models.data.splits import SPLITS
from models.detection.data.checks import CheckedPicture, Findings
from models.families import Rejected
from models.reporting import Reporter

Split = dict[str, list[CheckedPicture]]


@dataclass
class Duplicates:
    """Which pictures show nearly the same."""

    pairs: list[tuple[CheckedPicture, CheckedPicture, float]] = field(default_factory=list)
    """Two pictures, and the largest difference of a part; 0 for the same bytes."""
    keys: dict[str, str] = field(default_factory=dict)
    """A name for each group, by a picture's digest; a picture on its own isn't in it."""

    def key(self, one: CheckedPicture) -> str:
        """Name the group of a picture, which may be its own."""
        return self.keys.get(one.facts.digest, one.facts.digest)


def find_duplicates(pictures: Split, reporter: Reporter) -> Duplicates:
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


def take_out(splits: Split, duplicates: Duplicates, findings: Findings) -> Split:
    """Leave pictures out of val and test that train, or the same split, has too.

    A picture of val that is in test leaves val. What is left out is listed with its twin.

    Raises:
        ValueError: nothing is left of val or test.
    """
    held: dict[str, tuple[str, CheckedPicture]] = {}
    result: Split = {}
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
    duplicates: Duplicates, splits: Mapping[str, Sequence[CheckedPicture]], reporter: Reporter
) -> list[str]:
    """List the pairs as a table, and say what contradicts itself.

    Returns:
        One line for each two files of the same bytes that have other boxes.
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
        f"{one.picture.name} and {other.picture.name} are the same picture with other boxes"
        for one, other, difference in duplicates.pairs
        if difference == 0 and _boxes(one) != _boxes(other)
    ]


def _boxes(one: CheckedPicture) -> set[tuple[float, ...]]:
    rows = np.column_stack([one.picture.labels, one.picture.boxes.round(1)])
    return {tuple(row) for row in rows.tolist()}
