"""A pipeline's page, from what its stages have kept."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from models.benchmark.hardware import hardware
from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.model_card import CardPicture
from pipelines import recipe
from pipelines.page.figures import figure_rows
from pipelines.page.records import Kept, Records, Sample
from pipelines.page.sections import Page
from pipelines.state import PipelineState, StepState

NASTY = "<script>x</script> | [a](http://evil)"


def latency(ms: float) -> Latency:
    return Latency(calls=9, fastest=ms, p50=ms, p90=ms, p99=ms, rounds=(ms,))


@pytest.fixture
def page() -> Page:
    form: dict[str, Any] = {"format": "onnx", "precision": "float32", "runtime": "onnxruntime"}
    record = BenchmarkRecord(
        created="2026-01-01T00:00:00Z",
        family="detection",
        metric="mAP",
        model="m",
        dataset="d",
        dataset_hash="h",
        split="test",
        pictures=120,
        threads=None,
        device="cpu",
        seconds=1,
        rounds=1,
        hardware=hardware(),
        baseline="c" * 32,
        notes=(f"a note {NASTY}",),
        rows=(
            Row(
                file="m.onnx",
                bytes=7_000_000,
                metrics={"mAP": 0.61},
                end_to_end=latency(9.9),
                **form,
            ),
            Row(
                **form,
                file="m.onnx",
                bytes=7_000_000,
                metrics={"mAP": 0.6},
                end_to_end=latency(9.8),
                baseline=True,
            ),
        ),
    )
    counts = {"pictures": 800, "objects": 1600}
    details = {"test": {"charts": [], "confusion": {"classes": ["red"], "counts": [[3]]}}}
    records = Records(
        results={
            "prepare": {"dataset": "d" * 32, "name": "cells", "version": "1.0.3", "rejected": "2"},
            "evaluate": {"gate": "the gate is passed: test/mAP50 0.8712 ≥ 0.7"},
            "publish": {"model": "e" * 32},
        },
        artifacts=(Kept("evaluate", "evaluation", "http://server/files/a b.json", 5200),),
        models=(("publish", NASTY, "e" * 32),),
        data={"name": "cells", "version": "1.0.3", "statistics": {"train": counts}},
        details=details,
        pictures=(CardPicture(f"worst {NASTY}", b"\xff\xd8\xff"),),
        samples=(Sample("test worst", "http://server/files/p q.jpg"),),
        benchmark=record,
        challenge={
            "name": "cells",
            "champion": "c" * 32,
            "promoted": True,
            "why": "not worse than the champion",
            "forms": [{"form": "m.onnx", "metric": 0.61, "champion metric": 0.6}],
        },
    )
    steps = {
        "prepare": StepState("prepare", "cached", "1" * 32),
        "train": StepState("train", "completed", "2" * 32, started=1e9, ended=1e9 + 499),
        "publish": StepState("publish", "completed", "3" * 32, started=1e9 + 600, ended=1e9 + 605),
    }
    plan = recipe.check(
        recipe.read_recipe(None, ["pipeline=detection", "epochs=8", "train.optimizer.lr=1e-3"])
    )
    return Page(
        title=f"demo #3 {NASTY}",
        pipeline="9" * 32,
        commit="abc123",
        web="http://server",
        now=PipelineState("9" * 32, steps),
        plan=plan,
        figures={"test/mAP50": 0.8712, "val/mAP50": 0.9, "ms a picture, m.onnx": 9.9},
        records=records,
    )


SAID = (
    "Completed in 10 min 5 s; 1 of 3 stages came from cache",
    "the gate is passed: test/mAP50 0.8712",
    "promoted: not worse than the champion",
    "8 min 19 s",
    "cells 1.0.3",
    "1600",
    "0.8712",
    "ms a picture, m.onnx",
    "m.onnx, onnxruntime (baseline)",
    "epochs",
    "train.optimizer.lr",
    "evaluation",
    "commit abc123",
    "on 120 pictures",
)


def test_markdown_says_it_all_and_names_stay_names(page: Page) -> None:
    text = page.markdown()
    for line in SAID:
        assert line in text, line
    assert f"[{'2' * 32}](http://server/projects/*/experiments/{'2' * 32})" in text
    assert f"[{'e' * 32}](http://server/projects/*/models/{'e' * 32})" in text
    assert "[evaluation](http://server/files/a%20b.json)" in text
    assert "![test worst](http://server/files/p%20q.jpg)" in text
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(http://evil", text)
    for line in text.split("\n"):
        if line.startswith("|"):  # every row has the columns of its table
            assert line.endswith("|")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) >= 8
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().split("\n")}
        assert len(widths) == 1, table


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name == "src"]


def test_html_loads_nothing_and_holds_its_pictures(page: Page) -> None:
    text = page.html()
    found = Links()
    found.feed(text)
    assert found.loaded and all(one.startswith("data:") for one in found.loaded)
    assert not found.tags & {"script", "link", "iframe"}
    assert "svg" in found.tags
    assert "8 min 19 s" in text and "data:image/jpeg;base64," in text


def test_a_browser_shows_the_page(page: Page, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium; make browser installs it")
    file = tmp_path / "report.html"
    file.write_text(page.html(), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'u'}"]
    done = subprocess.run(
        [chromium, *words, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for heading in ("What ran", "Data", "Figures", "Forms", "Against the champion", "Pictures"):
        assert f"<h2>{heading}</h2>" in done.stdout
    assert "Refused to" not in done.stderr  # what the page's own policy forbids


def test_a_failed_pipeline_has_a_page_too(page: Page) -> None:
    steps = {
        "prepare": StepState("prepare", "failed", "1" * 32, reason="nothing good in it"),
        "train": StepState("train", "skipped"),
    }
    now = PipelineState("9" * 32, steps, "prepare failed: nothing good in it")
    text = replace(page, now=now, records=Records(), figures={}, web="").markdown()
    assert "Not completed: prepare failed: nothing good in it" in text
    assert "## Data" not in text and "## Forms" not in text
    assert f"| prepare | failed |  | {'1' * 32} | nothing good in it |" in text


def test_figures_of_splits_stand_side_by_side() -> None:
    splits, rows, rest = figure_rows({"val/f1": 1.0, "test/f1": 2.0, "test/cer": 3.0, "ms": 4.0})
    assert splits == ["test", "val"]
    assert rows == {"f1": [2.0, 1.0], "cer": [3.0, None]}
    assert rest == {"ms": 4.0}
    assert figure_rows({}) == ([], {}, {})
    splits, rows, rest = figure_rows({"test/mAP openvino/model.xml": 0.6, "pictures/test": 9})
    assert (splits, rows) == (["test"], {"mAP openvino/model.xml": [0.6]})
    assert rest == {"pictures/test": 9}
