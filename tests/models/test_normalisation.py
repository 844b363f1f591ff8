"""Normalisation on the device."""

from __future__ import annotations

import numpy as np
import torch

from models.normalisation import Normalisation
from models.preprocessing import Preprocessing


def test_it_computes_what_the_description_says() -> None:
    steps = Preprocessing(
        height=8, width=8, scale=1 / 200, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    expected = (pixels / 200 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 2.0])
    normalised = Normalisation(steps)(torch.from_numpy(pixels))
    assert normalised.dtype == torch.float32
    assert normalised.shape == (2, 3, 8, 8)
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(normalised.permute(0, 2, 3, 1).numpy(), expected, atol=2e-6)


def test_it_adds_nothing_to_the_weights() -> None:
    assert not Normalisation(Preprocessing(height=8, width=8)).state_dict()
