"""Divide checked pictures: keep the splits that came, draw those that are missing."""

from __future__ import annotations

from collections.abc import Callable

from models.data.duplicates import Duplicates
from models.data.raw import UNSPLIT, CheckedPicture, ListedT, Splits
from models.data.split_options import SplitOptions
from models.data.splits import SPLITS, draw_splits


def divide(
    pictures: Splits[ListedT],
    options: SplitOptions,
    duplicates: Duplicates[ListedT],
    stratum: Callable[[ListedT], str] | None = None,
) -> tuple[Splits[ListedT], dict[str, str]]:
    """Give every picture its split.

    With `options.keep`, splits that came stay as they are. One that is missing is drawn from
    train in the proportion of `options.ratios`: with 0.7, 0.15, 0.15 and no test, 0.15 of 0.85
    of train become test. Pictures that show nearly the same come into the same drawn split.

    Args:
        pictures: By split, or all under `UNSPLIT`.
        options: What to keep, ratios and seed.
        duplicates: Which pictures show nearly the same.
        stratum: Names the kind of a picture, such as its class: each kind is divided in the same
            proportion. All are of one kind unless given.

    Returns:
        Pictures by `train`, `val`, `test`, each ordered by name, and where each split came from.

    Raises:
        ValueError: too few pictures, or splits came without one to train on.
    """
    ratios = dict(zip(SPLITS, options.ratios, strict=True))
    came = {name: found for name, found in pictures.items() if name != UNSPLIT and found}
    if not options.keep or not came:
        everything = [one for found in pictures.values() for one in found]
        drawn = _draw(everything, ratios, options.seed, duplicates, stratum)
        return drawn, dict.fromkeys(SPLITS, "drawn")
    if "train" not in came:
        raise ValueError(
            f"the data came with {' and '.join(came)} but no train split: set split.keep=false to "
            "divide all pictures anew"
        )
    origin = dict.fromkeys(came, "kept")
    missing = [name for name in SPLITS if name not in came and ratios[name] > 0]
    result: Splits[ListedT] = {name: sorted(came.get(name, []), key=_name) for name in SPLITS}
    if missing:
        drawn = _draw(
            came["train"],
            {name: ratios[name] for name in ("train", *missing)},
            options.seed,
            duplicates,
            stratum,
        )
        result |= {name: drawn[name] for name in ("train", *missing)}
        origin["train"] = f"kept, less {' and '.join(missing)}"
        origin |= dict.fromkeys(missing, "drawn from train")
    return result, {name: origin.get(name, "none") for name in SPLITS}


def _draw(
    pictures: list[CheckedPicture[ListedT]],
    ratios: dict[str, float],
    seed: int,
    duplicates: Duplicates[ListedT],
    stratum: Callable[[ListedT], str] | None,
) -> Splits[ListedT]:
    keys = [duplicates.key(one) for one in pictures]
    strata = [stratum(one.picture) for one in pictures] if stratum else None
    names = draw_splits(keys, ratios, seed, strata)
    result: Splits[ListedT] = {name: [] for name in SPLITS}
    for one, name in sorted(zip(pictures, names, strict=True), key=lambda pair: _name(pair[0])):
        result[name].append(one)
    return result


def _name(one: CheckedPicture[ListedT]) -> str:
    return one.picture.name
