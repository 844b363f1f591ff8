"""Where a line lies in a picture that shows more: the band is found, level, and part of exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.export import ExportOptions, export
from models.ocr.networks.band import LineBand
from models.ocr.networks.building import build_network
from models.ocr.networks.contrast import LocalContrast
from models.ocr.networks.eye import eye
from models.ocr.networks.options import NetworkOptions
from models.reporting import Silence
from tests.models.ocr.conftest import SMALL_SVTR, quick_options, run_training

HEIGHT, WIDTH = 96, 192


def barcode(row: int, slope: float, seed: int = 0) -> torch.Tensor:
    """Bars that fill a picture, and a line of letter-like blots across them; from -1 to 1."""
    rng = np.random.default_rng(seed)
    bars = np.repeat(rng.random(WIDTH // 4) < 0.5, 4)
    picture = np.where(bars, -0.8, 0.8)[None].repeat(HEIGHT, 0)
    blots = np.repeat(np.repeat(rng.random((4, WIDTH // 4)) < 0.4, 4, 0), 4, 1)
    for column in range(WIDTH):
        top = round(row + slope * (column - WIDTH / 2)) - 8
        picture[top - 4 : top + 20, column] = 0.8
        picture[top : top + 16, column] = np.where(blots[:, column], -0.8, 0.8)
    return torch.from_numpy(picture).float().expand(1, 3, -1, -1)


@pytest.mark.parametrize(("row", "slope"), [(72, 0.0), (30, 0.0), (60, 0.12), (50, -0.2)])
def test_the_line_is_found_wherever_it_lies(row: int, slope: float) -> None:
    seen = LocalContrast()(barcode(row, slope))
    found, middle = LineBand(HEIGHT, WIDTH, 32).find(seen)
    assert float(found[0]) == pytest.approx(slope, abs=0.06)
    assert float(middle[0]) == pytest.approx(row, abs=8)  # all 16 rows of it are in the band


def test_each_picture_has_a_band_of_its_own() -> None:
    cut = LineBand(HEIGHT, WIDTH, 32)
    see = LocalContrast()
    level, tilted = see(barcode(60, 0.0)), see(barcode(60, 0.15))
    (one, other) = cut(torch.cat([level, tilted]))
    assert torch.equal(one, cut(level)[0])
    assert torch.equal(other, cut(tilted)[0])
    assert one.shape == (1, 32, WIDTH)
    assert not torch.equal(one, other)


def test_a_picture_without_edges_has_a_band_too() -> None:
    assert LineBand(48, 64, 24)(torch.zeros(2, 1, 48, 64)).shape == (2, 1, 24, 64)


@pytest.mark.parametrize("name", ["svtr", "crnn"])
def test_networks_read_the_band_alone(name: str) -> None:
    options = NetworkOptions.model_validate(
        {"name": name, "height": HEIGHT, "width": WIDTH, "band": 32}
    )
    network = build_network(options, 10).eval()
    whole = barcode(70, 0.0)
    other = whole.clone()
    other[:, :, :8] = 0.8  # far above the line
    with torch.inference_mode():
        assert torch.equal(network(whole)[0], network(other)[0])


def test_an_eye_sees_what_the_options_say() -> None:
    given = barcode(70, 0.0)
    size = {"height": HEIGHT, "width": WIDTH}
    plain = eye(NetworkOptions.model_validate({**size, "contrast": "none"}))
    assert torch.equal(plain(given), given)
    local = eye(NetworkOptions.model_validate(size))(given)
    assert torch.equal(local, LocalContrast()(given))
    band = eye(NetworkOptions.model_validate({**size, "band": 32}))(given)
    assert torch.equal(band, LineBand(HEIGHT, WIDTH, 32)(local))
    assert band.shape == (1, 1, 32, WIDTH)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"band": 64, "height": 32}, "network.band=64 is higher than the input"),
        ({"band": 24, "height": 32, "contrast": "none"}, "needs network.contrast=local"),
    ],
    ids=["too high", "without contrast"],
)
def test_what_has_no_band_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkOptions.model_validate(given)


def test_exported_forms_find_the_same_band(lines: Path, tmp_path: Path) -> None:
    network = {**SMALL_SVTR, "height": 48, "band": 32}
    taught = run_training(lines, tmp_path / "run", quick_options(network=network))
    options = ExportOptions(
        formats=("onnx", "openvino"), latency_calls=0, metric_pictures=24, threads=1
    )
    report = export(taught.package, tmp_path / "package", lines, options, Silence())
    for form in report.forms[1:]:
        assert form.parity is not None
        assert form.parity.outside == 0
