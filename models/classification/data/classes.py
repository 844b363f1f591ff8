"""Choose, drop and merge classes of raw classification data."""

from __future__ import annotations

from collections.abc import Sequence

from models.classification.data.annotations import RawDataset
from models.classification.data.options import PrepareOptions
from models.data.splits import nearest


def choose_classes(raw: RawDataset, options: PrepareOptions) -> None:
    """Do what the options say: merge first, then keep or drop; labels are numbered anew.

    Pictures left without a class go, unless they may have any number of classes.

    Raises:
        ValueError: a name is no class of the data, or is named twice.
    """
    names = {name: name for name in raw.classes}
    for new, members in options.merge.items():
        _known("merge", members, raw.classes)
        for name in members:
            if names[name] not in (name, new):
                raise ValueError(f"merge: '{name}' is to be both '{names[name]}' and '{new}'")
            names[name] = new
        if new in raw.classes and new not in members:
            raise ValueError(
                f"merge: the data have a class '{new}' already; name it among its members too, or "
                f"take another name"
            )
    merged = list(dict.fromkeys(names[name] for name in raw.classes))
    _known("classes", options.classes, merged)
    _known("drop", options.drop, merged)
    kept = [
        name
        for name in merged
        if (not options.classes or name in options.classes) and name not in options.drop
    ]
    place = {name: index for index, name in enumerate(kept)}
    new_index = [place.get(names[name]) for name in raw.classes]
    for split, pictures in raw.splits.items():
        left = []
        for picture in pictures:
            before = picture.labels
            found = {new_index[label] for label in before} - {None}
            picture.labels = tuple(sorted(label for label in found if label is not None))
            if picture.labels or raw.several or not before:
                left.append(picture)
        raw.splits[split] = left
    raw.classes = kept


def _known(option: str, names: Sequence[str], classes: Sequence[str]) -> None:
    for name in names:
        if name not in classes:
            raise ValueError(
                f"{option}: the data have no class '{name}'{nearest(name, classes)}; they "
                f"have: {', '.join(classes)}"
            )
