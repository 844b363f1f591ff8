"""What readers see of a picture: contrast to what lies around, whatever light it was taken in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.ocr.networks.building import build_network
from models.ocr.networks.contrast import LocalContrast
from models.ocr.networks.options import NetworkOptions


def picture(seed: int = 0, height: int = 32, width: int = 96) -> torch.Tensor:
    """Dark strokes on light paper, from -1 to 1."""
    generator = torch.Generator().manual_seed(seed)
    ink = (torch.rand(1, 1, height // 4, width // 4, generator=generator) < 0.3).float()
    strokes = torch.nn.functional.interpolate(ink, (height, width))
    return (0.8 - 1.4 * strokes).expand(-1, 3, -1, -1).contiguous()


def test_it_is_what_the_definition_says() -> None:
    given = picture()
    light = given[0].mean(0).double().numpy()

    def around(values: np.ndarray) -> np.ndarray:
        rows, columns = (side // 8 for side in values.shape)
        cells = values.reshape(rows, 8, columns, 8).mean((1, 3))
        boxes = np.array(
            [
                [
                    cells[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].mean()
                    for column in range(columns)
                ]
                for row in range(rows)
            ]
        )
        for axis, cells_along in enumerate((rows, columns)):
            middles = np.arange(cells_along) * 8 + 3.5
            boxes = np.apply_along_axis(
                lambda line, at=middles: np.interp(np.arange(8 * len(at)), at, line), axis, boxes
            )
        return boxes

    apart = light - around(light)
    expected = apart / (np.sqrt(around(apart**2)) + 0.03)
    (found,) = LocalContrast()(given)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    "taken",
    [
        lambda pixels: 0.4 * pixels - 0.3,
        lambda pixels: pixels * torch.tensor([0.9, 0.5, 0.6]).view(1, 3, 1, 1),
        lambda pixels: pixels + torch.linspace(-0.3, 0.1, pixels.shape[3]),
    ],
    ids=["faint", "coloured", "shadowed"],
)
def test_light_and_colour_hardly_change_it(taken) -> None:  # type: ignore[no-untyped-def]
    see = LocalContrast()
    plain, changed = see(picture()), see(taken(picture()))
    apart = (plain - changed).abs().mean() / plain.abs().mean()
    assert apart < 0.15
    other = see(picture(seed=1))
    assert (plain - other).abs().mean() / plain.abs().mean() > 0.5


def test_paper_without_ink_stays_nearly_blank() -> None:
    noise = 0.002 * torch.randn(1, 3, 32, 96, generator=torch.Generator().manual_seed(0))
    assert LocalContrast()(0.7 + noise).abs().max() < 0.3
    assert LocalContrast()(torch.full((2, 3, 8, 8), 0.7)).abs().max() < 1e-3


@pytest.mark.parametrize("name", ["svtr", "crnn"])
def test_it_has_an_effect_on_every_network(name: str) -> None:
    found = []
    for contrast in ("local", "none"):
        torch.manual_seed(0)
        options = NetworkOptions.model_validate({"name": name, "contrast": contrast})
        network = build_network(options, 10).eval()
        width = options.width
        with torch.inference_mode():
            light, dark = (network(picture(width=width) * gain)[0] for gain in (0.8, 0.4))
        found.append(float((light - dark).abs().max()))
    local, none = found
    assert local < 0.5 * none
