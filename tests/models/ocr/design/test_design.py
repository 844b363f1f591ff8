"""Choosing a network: what lines need, what networks give, what follows from both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from torch import nn

from models.ocr.design import Design, DesignOptions, candidates, design, recipe, recommend, survey
from models.ocr.design.candidates import input_sizes
from models.ocr.design.figures import (
    aspects_figure,
    lengths_figure,
    line_picture,
    networks_figure,
    table_figure,
)
from models.ocr.design.measuring import measure, receptive_field
from models.ocr.design.recommending import objections
from models.ocr.networks.building import build_network
from models.ocr.networks.options import NetworkOptions
from models.ocr.sequence import steps_needed
from models.reporting import Silence
from pipelines.cli import main
from pipelines.recipe import check, read_recipe

ROOT = Path(__file__).parents[4]
FEW = DesignOptions(backbones=("resnet10t",), stages=(2,), strides=(4,), widths=(160,), calls=1)
SIZED = FEW.model_copy(update={"widths": ()})


def lines(folder: Path, rows: list[tuple[str, int, int]], prepared: bool = True) -> Path:
    """Write a dataset of texts with widths and heights."""
    rng = np.random.default_rng(0)
    (folder / "train" / "data").mkdir(parents=True)
    found = []
    for number, (text, width, height) in enumerate(rows):
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "train" / "data" / f"{number}.png")
        row = {"file": f"data/{number}.png", "text": text, "width": width, "height": height}
        found.append(json.dumps(row | {"symbology": None}) + "\n")
    (folder / "train" / "labels.jsonl").write_text("".join(found))
    if prepared:
        about = {"family": "ocr", "classes": [], "pictures": {"train": len(rows)}}
        (folder / "dataset.json").write_text(json.dumps(about))
    return folder


USUAL = [("4006381333931", 240, 30), ("40063813", 150, 30), ("1122334455", 200, 25)]


@pytest.mark.parametrize("prepared", [True, False])
def test_what_lines_need(tmp_path: Path, prepared: bool) -> None:
    found = survey(lines(tmp_path / "d", USUAL, prepared), Silence())
    assert found.prepared == prepared
    assert found.lengths.tolist() == [13, 8, 10]
    assert found.steps.tolist() == [steps_needed(text) for text, _, _ in USUAL] == [16, 9, 15]
    assert found.aspects.tolist() == [8, 5, 8]
    assert found.longest == "4006381333931"
    assert found.vocabulary == list("012345689")
    columns, rows = found.table()
    assert rows[1] == ["steps needed", "9", "9.6", "15", "15.9", "16"]
    assert len(columns) == len(rows[0])
    assert {text for text, _ in found.samples} <= {text for text, _, _ in USUAL}


def test_sizes_follow_the_lines_shapes(tmp_path: Path) -> None:
    flat = survey(lines(tmp_path / "flat", USUAL), Silence())
    barred = survey(lines(tmp_path / "bars", [("4006381333931", 240, 120)] * 3), Silence())
    assert {height for height, _ in input_sizes(flat, SIZED)} == {32}
    assert {height for height, _ in input_sizes(barred, SIZED)} == {80}
    assert flat.widths_in(32, 200).tolist() == [200, 160, 200]
    assert barred.widths_in(80, 224).tolist() == [224, 224, 224]
    for found in (flat, barred):
        for _, width in input_sizes(found, SIZED):
            assert width // min(FEW.strides) >= found.steps.max()


def test_steps_and_room(tmp_path: Path) -> None:
    """A short wide line has room; a long one in a narrow picture has not, whatever the input."""
    found = survey(lines(tmp_path / "d", [("12", 256, 32), ("4006381333931", 64, 32)]), Silence())
    one = measure(NetworkOptions(width=256, height=32, stride=4), found, 0)
    assert one.sizes.steps == 64
    assert one.short == 0  # 16 steps for 16
    assert one.comfortable == 0.5
    assert one.squeezed == 0
    assert one.milliseconds is None
    assert "50% of the lines have hardly enough steps" in objections(one, found)
    coarse = measure(NetworkOptions(width=256, height=32, stride=8), found, 0)
    assert coarse.short == 0.5
    assert "50.0% of the lines have too few steps" in objections(coarse, found)
    tight = measure(NetworkOptions(width=96, height=32, stride=8), found, 0)
    assert "12 steps, the longest text needs 16" in objections(tight, found)
    assert tight.squeezed == 0.5


class _Plain(nn.Module):
    """A network of given convolutions, as far as its receptive field goes."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self._layers = nn.Sequential(*layers)

    def convolutions(self) -> nn.Module:
        return self._layers


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    pad = dilation * (kernel // 2)
    return nn.Conv2d(3, 3, kernel, stride, padding=pad, dilation=dilation, bias=False)


FIELDS: dict[str, tuple[Callable[[], list[nn.Module]], int]] = {
    "one": (lambda: [conv(3)], 3),
    "two": (lambda: [conv(3), conv(3)], 5),
    "strided": (lambda: [conv(3, 2), conv(3)], 7),
    "dilated": (lambda: [conv(3, 1, 3)], 7),
    "pooled": (lambda: [conv(3), nn.MaxPool2d(2), conv(3)], 8),
}


@pytest.mark.parametrize("case", FIELDS)
def test_receptive_fields_are_those_of_the_formula(case: str) -> None:
    make, expected = FIELDS[case]
    network: Any = _Plain(*make())
    reach, sees = receptive_field(network, NetworkOptions(height=32, width=64))
    assert reach[0] == pytest.approx(expected, abs=1)
    assert reach[1] == pytest.approx(expected, abs=1)
    assert 1 <= sees[1] <= reach[1]


def test_residual_branches_that_start_at_nought_count() -> None:
    options = NetworkOptions(name="crnn", backbone="resnet18", stage=1, width=128)
    reach, _ = receptive_field(build_network(options, 10).eval(), options)
    assert reach[1] == 43  # stem 7/2, pool 3/2, four 3x3 at stride 4: 7 + 2*2 + 4*4*2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """A design for the usual lines."""
    return design(lines(tmp_path_factory.mktemp("design") / "d", USUAL), FEW, Silence())


def test_a_recommendation_fits_and_can_be_run(made: Design) -> None:
    from models.ocr.options import TrainOptions

    best = made.recommended
    assert best is not None
    assert objections(best, made.found) == []
    assert made.measured[0] is best
    assert best.options.name == NetworkOptions().name
    content = yaml.safe_load(recipe(best, made.found))
    assert content["pipeline"] == "train-eval"
    assert content["dataset"] == str(made.found.source)
    assert TrainOptions.model_validate(content["train"]).network == best.options


def test_raw_data_go_through_the_whole_pipeline(tmp_path: Path) -> None:
    made = design(lines(tmp_path / "d", USUAL, prepared=False), FEW, Silence())
    assert made.recommended is not None
    content = yaml.safe_load(recipe(made.recommended, made.found))
    assert content["pipeline"] == "ocr"
    assert content["data"]["source"] == str(tmp_path / "d")


def test_pictures_with_bars_fill_the_input(tmp_path: Path) -> None:
    folder = lines(tmp_path / "d", [("4006381333931", 240, 120), ("40063812", 200, 100)])
    found = survey(folder, Silence())
    one = measure(NetworkOptions(height=80, width=160), found, 0)
    assert one.pitch[0] == pytest.approx((160 / 13 + 160 / 8) / 2)
    content = yaml.safe_load(recipe(one, found))
    assert content["train"]["resize"] == "stretch"
    assert line_picture(one, found.samples[0][1], stretch=True).shape == (320, 640, 3)


def test_a_limit_on_latency_picks_the_largest_within_it(made: Design) -> None:
    times = sorted(one.milliseconds or 0 for one in made.measured)
    found = recommend(made.measured, made.found, latency=times[-1] + 1)
    assert found is not None
    fitting = [one for one in made.measured if not objections(one, made.found)]
    assert found.parameters == max(one.parameters for one in fitting)
    assert recommend(made.measured, made.found, latency=times[0] / 1e3) is None


def test_plots_and_pictures(made: Design) -> None:
    assert made.recommended is not None
    for figure in (lengths_figure(made.found), aspects_figure(made.found), networks_figure(made)):
        assert figure.data
        json.loads(figure.to_json())
    assert table_figure(*made.found.table()).data[0].cells["values"][0][0] == "characters"
    size = made.recommended.options
    for _, line in made.found.samples:
        picture = line_picture(made.recommended, line)
        assert picture.shape == (4 * size.height, 4 * size.width, 3)
        assert (picture == (220, 0, 0)).all(axis=2).any()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = lines(tmp_path / "d", USUAL)
    few = ["--backbone", "resnet10t", "--stage", "2", "--calls", "0", "--stride", "4"]
    done = CliRunner().invoke(main, ["design", "ocr", str(folder), *few, "--pictures", "p"])
    assert done.exit_code == 0, done.output
    assert "recommended: svtr" in done.output
    assert "steps needed" in done.output
    assert {"lengths.html", "aspects.html", "networks.html", "line-1.png"} <= {
        path.name for path in (tmp_path / "p").iterdir()
    }
    assert yaml.safe_load((tmp_path / "ocr-design.yaml").read_text())["train"]["network"]
    check(read_recipe(tmp_path / "ocr-design.yaml"))
    again = CliRunner().invoke(main, ["design", "ocr", str(folder), *few, "--json"])
    assert json.loads(again.stdout)["recommended"]["name"] == "svtr"
    assert len(json.loads(again.stdout)["networks"]) > 2


BAD = {
    "stride": (["--stride", "3"], "--stride"),
    "height": (["--height", "30"], "--height"),
    "too narrow": (
        ["--width", "32", "--stride", "8", "--calls", "0"],
        "none of these networks fits",
    ),
    "no timm": (["--backbone", "resnet999", "--calls", "0", "--stride", "4"], "timm has no model"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_goes_wrong_is_said(tmp_path: Path, case: str) -> None:
    arguments, told = BAD[case]
    folder = lines(tmp_path / "d", USUAL)
    out = ["--out", str(tmp_path / "r.yaml"), "--stage", "2", "--width", "160"]
    if "--width" in arguments:
        out = out[:4]
    done = CliRunner().invoke(main, ["design", "ocr", str(folder), *out, *arguments])
    assert told in done.output
    assert "Traceback" not in done.output


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    folder = lines(tmp_path / "d", USUAL)
    (tmp_path / "mine.yaml").write_text("pipeline: detection\n")
    done = CliRunner().invoke(
        main, ["design", "ocr", str(folder), "--out", str(tmp_path / "mine.yaml")]
    )
    assert done.exit_code == 2
    assert "is no recipe of an earlier design" in done.output


def test_no_lines(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no line with a text"):
        design(lines(tmp_path / "d", []), FEW, Silence())


def test_candidates_hold_every_choice(tmp_path: Path) -> None:
    found = survey(lines(tmp_path / "d", USUAL), Silence())
    options = DesignOptions(backbones=("a", "b"), stages=(1, 3), strides=(4,), widths=(128,))
    got = candidates(found, options)
    crnn = [(one.backbone, one.stage) for one in got if one.name == "crnn"]
    assert crnn == [("a", 1), ("a", 3), ("b", 1), ("b", 3)]
    assert {one.width for one in got} == {128}


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lines(tmp_path / "d", USUAL)
    monkeypatch.setenv("DATASET", str(folder))
    monkeypatch.setenv("RECIPE", str(tmp_path / "recipe.yaml"))
    notebook = json.loads((ROOT / "configs" / "ocr" / "design.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 6
    names: dict[str, Any] = {}
    for number, source in enumerate(code):
        exec(compile(source, f"design.ipynb, cell {number}", "exec"), names)
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["train"]["network"]["width"]
    assert not any(cell.get("outputs") for cell in notebook["cells"])
