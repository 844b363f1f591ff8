"""Choose, drop and merge classes of raw detection data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.data.splits import nearest
from models.detection.data.annotations import RawDataset
from models.detection.data.options import PrepareOptions


def choose_classes(raw: RawDataset, options: PrepareOptions) -> None:
    """Do what the options say: merge first, then keep or drop, then one class of all.

    A merged class takes the place and id of the first of its members; labels are numbered anew.

    Raises:
        ValueError: a name is no class of the data, or is named twice.
    """
    if options.merge:
        _merge(raw, options.merge)
    if options.classes:
        _known("classes", options.classes, raw.classes)
        _leave(raw, [name in options.classes for name in raw.classes])
    if options.drop:
        _known("drop", options.drop, raw.classes)
        _leave(raw, [name not in options.drop for name in raw.classes])
    if options.one_class:
        _join(raw, {options.one_class: raw.classes})


def _merge(raw: RawDataset, groups: Mapping[str, Sequence[str]]) -> None:
    seen: dict[str, str] = {}
    for new, members in groups.items():
        _known("merge", members, raw.classes)
        if not members:
            raise ValueError(f"merge: no class is named that '{new}' is to be made of")
        for name in members:
            if name in seen:
                raise ValueError(f"merge: '{name}' is to be both '{seen[name]}' and '{new}'")
            seen[name] = new
    for new in groups:
        if new in raw.classes and new not in groups[new]:
            raise ValueError(
                f"merge: the data have a class '{new}' already; name it among its members too, or "
                f"take another name"
            )
    _join(raw, groups)


def _known(option: str, names: Sequence[str], classes: Sequence[str]) -> None:
    for name in names:
        if name not in classes:
            raise ValueError(
                f"{option}: the data have no class '{name}'{nearest(name, classes)}; they "
                f"have: {', '.join(classes)}"
            )


def _leave(raw: RawDataset, stays: Sequence[bool]) -> None:
    """Leave out classes with their boxes; their pictures stay."""
    kept = np.flatnonzero(stays)
    new = np.full(len(raw.classes), -1, np.int64)
    new[kept] = np.arange(len(kept))
    for pictures in raw.splits.values():
        for picture in pictures:
            wanted = new[picture.labels] >= 0
            picture.boxes, picture.crowd = picture.boxes[wanted], picture.crowd[wanted]
            picture.labels = new[picture.labels[wanted]]
    raw.classes = [raw.classes[i] for i in kept]
    raw.category_ids = [raw.category_ids[i] for i in kept]


def _join(raw: RawDataset, groups: Mapping[str, Sequence[str]]) -> None:
    """Call the members of each group by the group's name."""
    called = {member: new for new, members in groups.items() for member in members}
    classes: list[str] = []
    ids: list[int] = []
    new_index = np.zeros(len(raw.classes), np.int64)
    for index, (name, number) in enumerate(zip(raw.classes, raw.category_ids, strict=True)):
        name = called.get(name, name)
        if name not in classes:
            classes.append(name)
            ids.append(number)
        new_index[index] = classes.index(name)
    for pictures in raw.splits.values():
        for picture in pictures:
            picture.labels = new_index[picture.labels]
    raw.classes, raw.category_ids = classes, ids
