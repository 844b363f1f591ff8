"""Random changes to pictures of lines: each option does what it says, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.ocr.augmentation import Augmentation
from models.ocr.augmentation_options import AugmentationOptions
from models.reporting import Image

NONE = {
    name: 0.0
    for name in AugmentationOptions.model_fields
    if name not in ("blur_size", "off_epochs")
}


def line() -> Image:
    """A dark bar of 6 x 20 pixels on light ground, in the middle of 32 x 128."""
    image = np.full((32, 128, 3), 220, np.uint8)
    image[6:26, 61:67] = 30
    return image


def changed(image: Image, seed: int = 0, **options: float) -> Image:
    augmentation = Augmentation(AugmentationOptions.model_validate(NONE | options))
    return augmentation(image, np.random.default_rng(seed))


def extent(image: Image) -> tuple[int, int]:
    """Width and height of what is dark."""
    rows, columns = np.nonzero(image[..., 0] < 125)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def test_nothing_is_changed_without_options() -> None:
    assert np.array_equal(changed(line()), line())


@pytest.mark.parametrize("name", NONE)
def test_each_option_changes_pictures_and_the_same_draws_the_same(name: str) -> None:
    pictures = [changed(line(), seed, **{name: 0.5}) for seed in range(8)]
    assert any(not np.array_equal(picture, line()) for picture in pictures)
    again = [changed(line(), seed, **{name: 0.5}) for seed in range(8)]
    assert all(np.array_equal(one, other) for one, other in zip(pictures, again, strict=True))


def test_squeezed_letters_are_narrower_and_as_high() -> None:
    image = cv2.resize(line(), (256, 32), interpolation=cv2.INTER_NEAREST)
    found = [extent(changed(np.asarray(image), seed, squeeze=0.5)) for seed in range(30)]
    widths = [width for width, _ in found]
    assert min(widths) <= 8 < 11 <= max(widths) <= 12
    assert {height for _, height in found} <= {19, 20, 21}


def test_slanted_letters_lean_to_both_sides() -> None:
    leans = []
    for seed in range(30):
        image = changed(line(), seed, slant=0.3)
        top = np.nonzero(image[8, :, 0] < 125)[0].mean()
        bottom = np.nonzero(image[23, :, 0] < 125)[0].mean()
        leans.append(top - bottom)
    assert min(leans) < -2 and max(leans) > 2
    assert max(map(abs, leans)) < 0.3 * 16


def test_strokes_become_bolder_and_lighter_by_two_pixels_at_most() -> None:
    widths = {extent(changed(line(), seed, stroke=1.0))[0] for seed in range(40)}
    assert widths == {4, 6, 8}
    # Half of the change shows as grey at the edge, not as a jump.
    edges = {int(changed(line(), seed, stroke=1.0)[16, 60, 0]) for seed in range(40)}
    assert len(edges) > 10
