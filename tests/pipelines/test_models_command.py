from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from models.detection.networks.catalogue import CATALOGUE
from models.detection.networks.complexity import complexity
from pipelines.cli import main


def listed(*arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["models", "--json", *arguments])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.output)
    return rows


def test_every_network_is_listed_with_its_figures() -> None:
    rows = {row["name"]: row for row in listed("--family", "detection")}
    assert rows.keys() == CATALOGUE.keys()
    for name, row in rows.items():
        assert row["parameters"] and row["gflops"], name
        assert row["licence"] and row["image_size"], name
        assert (row["ap"] is None) == (row["ap_source"] == ""), name


def test_a_text_filters_and_one_that_fits_nothing_is_a_clear_line() -> None:
    assert [row["name"] for row in listed("rfdetr")] == [f"rfdetr-{size}" for size in "nsml"]
    result = CliRunner().invoke(main, ["models", "nothing-like-it"])
    assert result.exit_code == 1
    assert "no network's name holds 'nothing-like-it'" in result.output


def test_the_table_names_weights_with_a_licence_of_their_own() -> None:
    lines = CliRunner().invoke(main, ["models", "deimv2"]).output.splitlines()
    assert lines[0].split()[0] == "NAME"
    named = {line.split()[0]: "DINOv3" in line for line in lines[1:]}
    assert named["deimv2-s"]
    assert not named["deimv2-atto"]


def test_latency_is_measured_on_request() -> None:
    (row,) = listed("deimv2-atto", "--latency")
    assert 0 < row["latency_ms"] < 60_000
    assert "latency_ms" not in listed("deimv2-atto")[0]


def test_listing_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines.commands.models import listing\n"
        "assert listing('', None, False)\n"
        "print([m for m in ('torch', 'timm', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


PUBLISHED = {
    "dfine": {"n": 4, "s": 10, "m": 19, "l": 31, "x": 62},
    "rtdetr": {"r18": 20, "r34": 31, "r50": 42, "r50-m": 36, "r101": 76},
    "rtdetrv2": {"r18": 20, "r34": 31, "r50": 42, "r50-m": 36, "r101": 76},
    "deimv2": {"atto": 0.5, "femto": 1.0, "pico": 1.5, "n": 3.6, "s": 9.7, "m": 18.1}
    | {"l": 32.2, "x": 50.3},
    "rfdetr": {"n": 30.5, "s": 32.1, "m": 33.7, "l": 33.9},
    "yolox": {"nano": 0.91, "tiny": 5.06, "s": 9.0, "m": 25.3, "l": 54.2},
}
"""Millions of parameters, from the authors' own tables, mostly rounded to a whole number."""


def test_published_sizes_are_as_large_as_their_authors_say() -> None:
    sizes = {f"{kind}-{size}": m for kind, one in PUBLISHED.items() for size, m in one.items()}
    assert set(sizes) == {name for name, entry in CATALOGUE.items() if entry.published}
    for name, millions in sizes.items():
        assert CATALOGUE[name].parameters == pytest.approx(millions, rel=0.03, abs=0.95), name


FEW = ("dfine", "dfine-n", "rtdetr-r18", "deimv2-atto")


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(n, marks=pytest.mark.slow) for n in CATALOGUE if n not in FEW)]
)
def test_figures_are_those_that_are_computed(name: str) -> None:
    entry = CATALOGUE[name]
    assert complexity(name) == pytest.approx((entry.parameters, entry.gflops), rel=0.01)
