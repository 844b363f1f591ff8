"""Divide checked pictures: keep the splits that came, draw those that are missing."""

from __future__ import annotations

from models.data.splits import SPLITS, draw_splits
from models.detection.data.annotations import UNSPLIT
from models.detection.data.checks import CheckedPicture
from models.detection.data.duplicates import Duplicates, Split
from models.detection.data.options import SplitOptions


def divide(
    pictures: Split, options: SplitOptions, duplicates: Duplicates
) -> tuple[Split, dict[str, str]]:
    """Give every picture its split.

    With `options.keep`, splits that came stay as they are. One that is missing is drawn from
    train in the proportion of `options.ratios`: with 0.7, 0.15, 0.15 and no test, 0.15 of 0.85
    of train become test. Pictures that show nearly the same come into the same drawn split.

    Args:
        pictures: By split, or all under `UNSPLIT`.
        options: What to keep, ratios and seed.
        duplicates: Which pictures show nearly the same.

    Returns:
        Pictures by `train`, `val`, `test`, each ordered by name, and where each split came from.

    Raises:
        ValueError: too few pictures, or splits came without one to train on.
    """
    ratios = dict(zip(SPLITS, options.ratios, strict=True))
    came = {name: found for name, found in pictures.items() if name != UNSPLIT and found}
    if not options.keep or not came:
        everything = [one for found in pictures.values() for one in found]
        return _draw(everything, ratios, options.seed, duplicates), dict.fromkeys(SPLITS, "drawn")
    if "train" not in came:
        raise ValueError(
            f"the data came with {' and '.join(came)} but no train split: set split.keep=false to "
            "divide all pictures anew"
        )
    origin = dict.fromkeys(came, "kept")
    missing = [name for name in SPLITS if name not in came and ratios[name] > 0]
    result: Split = {name: sorted(came.get(name, []), key=_name) for name in SPLITS}
    if missing:
        drawn = _draw(
            came["train"],
            {name: ratios[name] for name in ("train", *missing)},
            options.seed,
            duplicates,
        )
        result |= {name: drawn[name] for name in ("train", *missing)}
        origin["train"] = f"kept, less {' and '.join(missing)}"
        origin |= dict.fromkeys(missing, "drawn from train")
    return result, {name: origin.get(name, "none") for name in SPLITS}


def _draw(
    pictures: list[CheckedPicture], ratios: dict[str, float], seed: int, duplicates: Duplicates
) -> Split:
    names = draw_splits([duplicates.key(one) for one in pictures], ratios, seed)
    result: Split = {name: [] for name in SPLITS}
    for one, name in sorted(zip(pictures, names, strict=True), key=lambda pair: _name(pair[0])):
        result[name].append(one)
    return result


def _name(one: CheckedPicture) -> str:
    return one.picture.name
