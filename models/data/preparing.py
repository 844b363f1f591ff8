"""Steps of preparing that are the same for every task: the new folder, previews, what is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from models.data.duplicates import Duplicates
from models.data.pictures import PictureError, PictureFacts, check_pictures
from models.data.raw import CheckedPicture, Findings, ListedT, RawPictures
from models.data.split_options import SplitOptions
from models.data.splits import SPLITS
from models.data.writing import DATASET
from models.images import Image
from models.outcomes import Rejected
from models.reporting import Reporter

PREVIEW_SIDE = 640
_SHOWN_REASONS = 20
SHOWN_TWINS = 6


def check_target(target: Path) -> None:
    """Make sure that a dataset may be written there, before any work.

    Raises:
        ValueError: `target` holds something else than a dataset.
    """
    if target.exists() and not (target / DATASET).is_file() and any(target.iterdir()):
        raise ValueError(f"{target} isn't empty and holds no dataset: give another folder")


@contextmanager
def new_dataset(target: Path) -> Iterator[Path]:
    """Give a folder to write a dataset into, which becomes `target` only if all goes well.

    A dataset that an earlier call made is replaced.

    Raises:
        ValueError: `target` holds something else.
    """
    check_target(target)
    room = target.with_name(f".{target.name}.making")
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        yield room
        if target.exists():
            shutil.rmtree(target)
        room.rename(target)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def read_to_the_end(
    raw: RawPictures[ListedT], workers: int, findings: Findings, reporter: Reporter
) -> Iterator[tuple[str, ListedT, PictureFacts]]:
    """Read every picture to its last byte; those that can't be are set aside.

    Args:
        raw: the pictures by split.
        workers: threads; 0 means one a core.
        findings: takes what is set aside.
        reporter: told about progress.

    Yields:
        Split, picture and facts of each good one, by split and name.
    """
    total, done = sum(map(len, raw.splits.values())), 0
    workers = workers or os.cpu_count() or 1
    for split, pictures in raw.splits.items():
        ordered = sorted(pictures, key=lambda picture: picture.name)
        found = check_pictures([picture.file for picture in ordered], workers)
        for picture, (_, facts) in zip(ordered, found, strict=True):
            done += 1
            reporter.progress("checking pictures", done, total)
            if isinstance(facts, PictureError):
                findings.rejected.append(Rejected(picture.name, str(facts)))
            else:
                yield split, picture, facts


def note_rewritten(name: str, facts: PictureFacts, findings: Findings) -> None:
    """Note a picture that will be written anew, and why."""
    if facts.orientation != 1:
        reason = "turned upright, as its EXIF data say, and written anew"
    elif not facts.plain:
        reason = "not every reader gives it the same pixels: written anew, 8-bit RGB, one frame"
    else:
        return
    findings.mended.append(Rejected(name, reason))


def nothing_left(source: Path, wanted: str, findings: Findings) -> str:
    """Say that nothing is left of a source, and what was set aside first."""
    text = f"{source}: no {wanted} is left"
    if findings.rejected:
        first = findings.rejected[0]
        text += (
            f"; {len(findings.rejected)} were set aside, the first: {first.item}: {first.reason}"
        )
    return text


def previews(
    splits: Mapping[str, Sequence[CheckedPicture[ListedT]]],
    count: int,
    draw: Callable[[CheckedPicture[ListedT]], Image],
) -> list[tuple[str, Image]]:
    """Draw pictures from all splits, picked by their content's hash.

    Args:
        splits: the pictures.
        count: how many, shared out among the splits.
        draw: draws a picture with what is known about it; `small` opens it.
    """
    found: list[tuple[str, Image]] = []
    present = [split for split in SPLITS if splits[split]]
    for place, split in enumerate(present):
        share = count // len(present) + (place < count % len(present))
        picked = sorted(splits[split], key=lambda one: (one.facts.digest, one.picture.name))
        found += [(f"{split}/{one.picture.file.stem}", draw(one)) for one in picked[:share]]
    return found


def twins(duplicates: Duplicates[ListedT], count: int) -> Iterator[tuple[str, Image]]:
    """Pairs that show nearly the same, side by side; files of the same bytes say nothing more."""
    pairs = [pair for pair in duplicates.pairs if pair[2] > 0]
    for one, other, _ in sorted(pairs, key=lambda pair: -pair[2])[:count]:
        left, right = (small(pair.picture.file) for pair in (one, other))
        both = Pillow.new("RGB", (left.width + right.width + 8, max(left.height, right.height)))
        both.paste(left, (0, 0))
        both.paste(right, (left.width + 8, 0))
        name = f"nearly the same/{one.picture.file.stem} {other.picture.file.stem}"
        yield name, np.asarray(both, np.uint8)


def small(file: Path) -> Pillow.Image:
    """Open a picture upright and no larger than a preview."""
    with Pillow.open(file) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return picture


def tell(
    splits: Mapping[str, Sequence[CheckedPicture[ListedT]]],
    notes: Sequence[str],
    findings: Findings,
    origin: Mapping[str, str],
    shown: Sequence[tuple[str, Image]],
    reporter: Reporter,
) -> None:
    """Report the splits, what was set aside or mended, and the previews.

    Args:
        splits: the pictures.
        notes: what is odd but does no harm.
        findings: what was set aside or mended.
        origin: where each split came from.
        shown: named previews.
        reporter: takes it all.
    """
    for split, pictures in splits.items():
        reporter.log(f"{split}: {len(pictures)} pictures ({origin[split]})")
    for note in notes:
        reporter.log(f"note: {note}")
    for name, found in (("set aside", findings.rejected), ("mended", findings.mended)):
        if found:
            reporter.log(f"{len(found)} {name}; see rejected.json. The first:")
            for one in found[:_SHOWN_REASONS]:
                reporter.log(f"  {one.item}: {one.reason}")
    rows = [[one.item, one.reason] for one in findings.rejected[:1000]]
    if rows:
        reporter.table("Dataset", "set aside", ["item", "reason"], rows)
    for step, (name, image) in enumerate(shown):
        reporter.image("Preview", name, image, step)


def about(
    family: str,
    classes: Sequence[str],
    splits: Mapping[str, Sequence[CheckedPicture[ListedT]]],
    statistics: Mapping[str, Any],
    origin: Mapping[str, str],
    options: SplitOptions,
    duplicates: Duplicates[ListedT],
    findings: Findings,
    **more: Any,
) -> dict[str, Any]:
    """Make the content of `dataset.json`, of which the stages read the first four entries."""
    return {
        "family": family,
        "classes": list(classes),
        "pictures": {split: len(found) for split, found in splits.items()},
        "statistics": dict(statistics),
        "splits": {
            "origin": dict(origin),
            "keep": options.keep,
            "ratios": list(options.ratios),
            "seed": options.seed,
        },
        "near_duplicates": len(duplicates.pairs),
        "rejected": len(findings.rejected),
        "mended": len(findings.mended),
        **more,
    }
