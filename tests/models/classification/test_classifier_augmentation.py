"""Random changes: a function of the generator, each option with its effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.classification.augmentation import Augmentation
from models.classification.augmentation_options import AugmentationOptions
from models.classification.dataset import Changes
from models.classification.mixing import mix
from models.classification.randaugment import CHANGES, randaugment
from models.training.order import Key

FILL = (114, 114, 114)
OFF: dict[str, Any] = {
    "flip": 0.0,
    "crop": (1.0, 1.0),
    "aspect": 1.0,
    "rotate": 0.0,
    "colour": 0.0,
}


def picture() -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:48, :48]
    levels = np.stack([4 * x, 4 * y, 2 * (x + y)], axis=2)
    return np.clip(levels, 0, 255).astype(np.uint8)


def changed(seed: int = 0, light: bool = False, **given: Any) -> np.ndarray[Any, Any]:
    options = AugmentationOptions.model_validate({**OFF, **given})
    return Augmentation(options, FILL)(picture(), np.random.default_rng(seed), light=light)


def test_with_everything_off_nothing_changes() -> None:
    assert np.array_equal(changed(), picture())


@pytest.mark.parametrize(
    "given",
    [
        {"flip": 1.0},
        {"vertical_flip": 1.0},
        {"rot90": 1.0},
        {"crop": (0.3, 0.5)},
        {"aspect": 2.0},
        {"rotate": 40.0},
        {"colour": 1.0},
        {"grey": 1.0},
        {"blur": 1.0},
        {"noise": 1.0},
        {"randaugment": 2, "magnitude": 0.8},
        {"erase": 1.0},
    ],
    ids=str,
)
def test_each_option_has_an_effect_and_a_seed(given: dict[str, Any]) -> None:
    one, same = changed(3, **given), changed(3, **given)
    assert one.shape == picture().shape and one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, picture())
    still = next(iter(given)) in ("flip", "vertical_flip", "rot90")
    assert np.array_equal(changed(3, light=True, **given), picture()) is not still


def test_a_picture_that_is_repeated_in_an_epoch_differs() -> None:
    changes = Changes(Augmentation(AugmentationOptions(), FILL))
    first, second, again = (changes(picture(), Key(0, 1, 0, turn)) for turn in (0, 1, 1))
    assert not np.array_equal(first, second) and np.array_equal(second, again)


def test_strength_and_magnitude_scale_the_change() -> None:
    def apart(**given: Any) -> float:
        found = [changed(seed, **given).astype(int) - picture() for seed in range(20)]
        return float(np.abs(found).mean())

    assert apart(colour=1.0, strength=0.1) < apart(colour=1.0, strength=0.5)
    assert apart(randaugment=1, magnitude=0.1) < apart(randaugment=1, magnitude=0.9)
    assert apart(randaugment=1, magnitude=0.5) < apart(randaugment=4, magnitude=0.5)
    assert apart(randaugment=3, magnitude=0.0) == 0


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_randaugment(name: str) -> None:
    still = np.asarray(CHANGES[name](picture(), 0.0, FILL))
    assert np.array_equal(still, picture())
    moved = np.asarray(CHANGES[name](picture(), 0.9, FILL))
    assert moved.shape == picture().shape and not np.array_equal(moved, picture())


def test_randaugment_leaves_its_input_alone() -> None:
    before = picture()
    randaugment(before, 5, 1.0, np.random.default_rng(0), FILL)
    assert np.array_equal(before, picture())


@pytest.mark.parametrize("given", [{"mixup": 0.5}, {"cutmix": 1.0}, {"mixup": 1, "cutmix": 1}])
def test_mixed_targets_say_what_is_in_the_picture(given: dict[str, float]) -> None:
    options = AugmentationOptions.model_validate(given)
    targets = torch.eye(8)
    # Each picture is one value, so the share of a value is the share of a picture.
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 16, 16).clone()
    for seed in range(6):
        torch.manual_seed(seed)
        mixed, shares = mix(images, targets, options)
        assert shares.sum(dim=1) == pytest.approx(torch.ones(8), abs=1e-5)
        means = mixed.mean(dim=(1, 2, 3))
        assert torch.allclose(means, shares @ torch.arange(8.0), atol=1e-4)
        torch.manual_seed(seed)
        assert torch.equal(mix(images, targets, options)[0], mixed)


def test_without_mixing_the_batch_is_the_same() -> None:
    images, targets = torch.rand(4, 3, 8, 8), torch.eye(4)
    assert mix(images, targets, AugmentationOptions()) == (images, targets)
