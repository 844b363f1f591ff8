"""Cards say what package and records say, and nothing that a name holds runs."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.benchmark.hardware import hardware
from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.demo_page.wording import heading
from models.families import family
from models.model_card import CardPicture, Evidence, html, markdown, read_evidence
from models.model_card.charts import confusion, curves
from models.model_card.evidence import pictures_record
from models.model_card.limits import limits
from models.model_card.terms import CardTerms
from models.package import (
    DatasetLineage,
    Licence,
    Lineage,
    Metric,
    ModelCard,
    ModelClass,
    ModelPackage,
    Quantization,
    Threshold,
    Training,
)

EVIL = "<script>alert(1)</script>|](http://x)"
DATASET = "a" * 32
PRECISION = {"title": "Precision over recall", "x": "recall", "y": "precision at IoU 0.5"}


class Reader(HTMLParser):
    """Collects what a page would do, and checks that its elements close."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader._open
    return reader


@pytest.fixture
def full(package: ModelPackage) -> ModelCard:
    """A card with all that can be said."""
    figures = [
        Metric(name="mAP50", value=0.75, split="test", artifact="weights.safetensors"),
        Metric(name="mAP", value=0.5, split="test", artifact="weights.safetensors"),
        Metric(name="dAP_class", value=0.1, split="test", artifact="weights.safetensors"),
        Metric(name="mAP50", value=0.7, split="val", artifact="openvino/model.xml", pictures=20),
    ]
    origin = DatasetLineage(id=DATASET, name="things", version="1.2.0")
    lineage = Lineage(dataset=origin, task="b" * 32, commit="c0ffee", parents=("d" * 32,))
    return package.with_metrics(figures).with_lineage(lineage).card


def statistics(red: int, blue: int) -> dict[str, Any]:
    classes = {"red": {"boxes": red, "pictures": 9}, "blue": {"boxes": blue, "pictures": 9}}
    return {"pictures": 90, "empty": 4, "classes": classes, "picture_sizes": {"640x480": 90}}


@pytest.fixture
def evidence() -> Evidence:
    _, data = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))
    recall = np.linspace(0, 1, 101).tolist()
    row = {"class": "red", "objects": 30, "AP": 0.5, "AP50": 0.75, "precision": None, "f1": 0.6}
    sizes = [
        {"size": "small", "objects": 0, "recall": None},
        {"size": "medium", "objects": 7, "recall": 0.5},
        {"size": "large", "objects": 40, "recall": 0.9},
    ]
    return Evidence(
        artifact="weights.safetensors",
        data={
            "id": DATASET,
            "statistics": {"train": statistics(400, 12), "test": statistics(30, 5)},
        },
        per_class={"test": [row], "val": [{**row, "objects": 99}]},
        details={
            "test": {
                "by_size": sizes,
                "charts": [{**PRECISION, "at": recall, "lines": {"red": [0.5] * 101}}],
                "confusion": {
                    "classes": ["red", "blue", "background"],
                    "counts": [[5, 1, 2], [0, 7, 0], [3, 0, 0]],
                },
            }
        },
        hardware={"cpu": "A Processor", "usable": 4.0, "gpus": ["A GPU, 16 GiB"]},
        pictures=(CardPicture("truth | predictions on test, 000001", bytes(data)),),
        pages={"published by": "https://clearml.test/projects/p/experiments/e/output/log"},
        web="https://clearml.test",
    )


def test_the_card_says_what_was_measured_on_which_file(full: ModelCard, evidence: Evidence) -> None:
    text = markdown(full, "things", evidence)
    assert text.startswith("# things\n")
    assert "| split | file | pictures | mAP | mAP50 |" in text
    assert "| test | weights.safetensors | all | 0.5000 | 0.7500 |" in text
    assert "| val | openvino/model.xml | 20 |  | 0.7000 |" in text
    assert "dAP" not in text and "1 more figure is in model.json" in text
    assert "The evaluation ran on A Processor, 4 cores, A GPU, 16 GiB." in text
    assert "Trained on things 1.2.0" in text and "| blue | 12 | 5 |" in text
    assert (
        "## By class, on test (weights.safetensors)" in text
        and "| red | 30 | 0.5000 | 0.7500 |  | 0.6000 |" in text
    )
    assert text.count("\n## ") == len(set(re.findall(r"\n## .*", text)))


def test_limits_are_read_off_the_records(full: ModelCard, evidence: Evidence) -> None:
    assert limits(full, evidence, family("detection").card_terms()) == [
        "Classes learned from fewer than 50 objects: blue (12).",
        "Classes measured on test with fewer than 20 objects: blue (5).",
        "No small objects are in test: nothing is known of them.",
        "Of medium objects, 50% are found at the threshold on test, only 7 objects.",
        "Of large objects, 90% are found at the threshold on test. (Small is below 32², large "
        "from 96² pixels on.)",
        "It was trained on pictures of 640x480 pixels.",
        "No figures on test were measured for openvino/model.xml.",
        "All figures are of this dataset's splits; none were measured on pictures from elsewhere.",
    ]


def test_a_family_has_words_of_its_own(
    full: ModelCard, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = CardTerms(("dAP_class",), ("class", "f1"), "pictures", "pictures")
    monkeypatch.setattr(type(family("detection")), "card_terms", lambda self: terms)
    text = markdown(full, "things", evidence)
    assert "| split | file | pictures | dAP_class |" in text
    assert "| pictures by class | train | test |" in text and "| blue | 9 | 9 |" in text
    assert "| class | f1 |" in text and "without" not in text
    assert "Classes learned from fewer than 50 pictures: red (9), blue (9)." in text
    assert "objects" not in text
    bare = full.model_copy(update={"classes": ()})
    assert "Classes" not in markdown(bare, "texts", evidence).partition("## Figures")[0]


def test_characters_of_a_reader_are_counted_alone(full: ModelCard) -> None:
    split = {"lines": 70, "texts": 60, "characters": {"red": 400, "blue": 12}}
    terms = family("ocr").card_terms()
    reader = full.model_copy(update={"family": "ocr"})
    records = Evidence(data={"id": DATASET, "statistics": {"train": split}})
    text = markdown(reader, "texts", records)
    assert "Characters: red, blue." in text and "| occurrences by character | train |" in text
    assert "| lines | 70 |" in text and "| different texts | 60 |" in text
    assert "| blue | 12 |" in text and "pictures |" not in text.partition("## Figures")[0]
    few = "Characters learned from fewer than 50 occurrences: blue (12)."
    assert limits(reader, records, terms)[0] == few


def test_the_recipe_names_what_was_chosen(full: ModelCard) -> None:
    options = {"batch_size": 8, "precision": "auto", "seed": 0, "optimizer.lr": 1e-3}
    more = {"augmentation.scale": [0.5, 1.0], "augmentation.flip": 0.5, "workers": 3}
    training = Training(
        epochs=6,
        best_epoch=5,
        seconds=512.3,
        options={**options, **more},
        chosen=("optimizer.lr", "augmentation.scale", "workers"),
    )
    text = markdown(full.model_copy(update={"training": training}), "things")
    assert "Trained for 6 epochs in 9 min; the weights are those of epoch 5." in text
    assert (
        "Training: batch_size 8, optimizer.lr 0.001, precision auto, seed 0, augmentation.scale "
        "\\[0.5, 1\\]. The other 2 options are at their defaults" in text
    )
    assert "Training:" not in markdown(full, "things")
    capped = full.model_copy(update={"training": Training(epochs=1, best_epoch=2, seconds=300)})
    said = "Trained for 1 epoch and a part of the next in 5 min; the weights are those of epoch 2."
    assert said in markdown(capped, "things")


@pytest.mark.parametrize(
    ("name", "options", "told", "untold"),
    [
        ("ocr", {"name": "svtr"}, ["svtr", "attention 2"], ["mobilenet", "recurrent", "hidden"]),
        ("ocr", {"name": "crnn"}, ["crnn mobilenetv4_conv_small_050", "hidden 128"], ["attention"]),
        ("detection", {"name": "dfine"}, ["dfine resnet10t", "queries 100"], ["auto"]),
        ("detection", {"name": "yolox"}, ["yolox resnet10t"], ["auto", "queries", "decoder_"]),
        ("detection", {"name": "dfine-n"}, ["dfine-n", "image_size 640"], ["auto", "backbone"]),
    ],
)
def test_only_options_that_the_network_has_are_told(
    name: str, options: dict[str, Any], told: list[str], untold: list[str], package: ModelPackage
) -> None:
    kind = family(name)
    network = kind.train_options.model_validate({"network": options}).network  # type: ignore[attr-defined]
    card = package.card.model_copy(
        update={"family": name, "network": network.model_dump(mode="json")}
    )
    text = markdown(card, "thing", Evidence())
    lines = [line for line in text.splitlines() if "Network: " in line]
    assert len(lines) == 2
    for word in told:
        assert any(word in line for line in lines)
    assert not [word for word in untold if any(word in line for line in lines)]
    page = heading(replace(package, card=card))
    assert told[0] in page
    assert not [word for word in untold if word in page]


def test_places_of_the_machine_that_made_it_are_not_told(full: ModelCard) -> None:
    origin = DatasetLineage(id="/home/me/data/things", name="things", version="1.0.0")
    lineage = Lineage(dataset=origin, task="/home/me/out", parents=("/home/me/models/x",))
    card = full.model_copy(update={"lineage": lineage})
    text = markdown(card, "things", Evidence(web="https://clearml.test"))
    assert "/home/me" not in text and "Trained on things 1.0.0." in text
    assert "dataset: things 1.0.0" in text


def test_int8_files_say_how_they_were_made(full: ModelCard) -> None:
    made = Quantization(
        method="accuracy-control", split="train", pictures=100, layers=1, float_layers=("a", "b")
    )
    artifact = full.artifacts[0].model_copy(update={"precision": "int8", "quantization": made})
    text = markdown(full.model_copy(update={"artifacts": (artifact,)}), "things")
    assert (
        f"{artifact.file}: INT8 by accuracy-control, ranges from 100 pictures of train; 1 layer in "
        "INT8, 2 kept in float." in text
    )


def test_a_bare_package_says_that_nothing_is_known(card: ModelCard) -> None:
    text = markdown(card, "bare")
    assert "Nothing about this model was measured." in text
    assert "nobody has tuned it" in text
    assert not {"## Data", "## Figures", "## Speed", "## Files"} & set(text.splitlines())
    assert "<h2>Pictures</h2>" not in html(card, "bare")


def test_figures_of_another_dataset_are_told_apart(full: ModelCard, evidence: Evidence) -> None:
    other = {**evidence.data, "id": "e" * 32, "name": "things", "version": "2.0.0"}
    assert "another dataset" not in markdown(full, "x", evidence)
    text = markdown(full, "x", Evidence(data=other))
    assert f"are of another dataset or version: things 2.0.0 ({'e' * 32})." in text


def test_latencies_come_with_their_machine(full: ModelCard) -> None:
    latency = Latency(calls=100, p50=2.5, p90=3.0, p99=4.0, rounds=(2.5,), fastest=2.0)
    row = Row(
        file="openvino/model.xml",
        format="openvino",
        precision="float32",
        runtime="openvino",
        device="CPU",
        bytes=10,
        metrics={"mAP": 0.4321},
        end_to_end=latency,
        network=latency,
        memory_mb=321.4,
    )
    record = BenchmarkRecord(
        created="2026-01-01T00:00:00Z",
        family="detection",
        metric="mAP",
        model="m",
        dataset="d",
        dataset_hash="h",
        split="test",
        pictures=10,
        threads=2,
        device="cpu",
        seconds=1.0,
        rounds=1,
        hardware=hardware(),
        rows=(row, row.model_copy(update={"baseline": True})),
        notes=("other work ran",),
    )
    text = markdown(full, "x", Evidence(benchmark=record))
    cells = "| float32 | CPU | 0.4321 | 2.50 / 3.00 / 4.00 | 2.50 | 321 |"
    assert text.count(cells) == 1
    assert f"Measured on {record.hardware.cpu}" in text and "with 2 threads" in text
    assert "- other work ran" in text


def test_links_lead_to_clearml(full: ModelCard, evidence: Evidence) -> None:
    links = read(html(full, "things", evidence)).links
    assert links == [
        f"https://clearml.test/projects/*/experiments/{DATASET}",
        f"https://clearml.test/projects/*/experiments/{'b' * 32}",
        f"https://clearml.test/projects/*/models/{'d' * 32}",
        "https://clearml.test/projects/p/experiments/e/output/log",
    ]
    assert not read(html(full, "things")).links
    assert f"](https://clearml.test/projects/*/models/{'d' * 32})" in markdown(full, "x", evidence)


def test_the_page_holds_its_pictures_and_loads_nothing(full: ModelCard, evidence: Evidence) -> None:
    page = html(full, "things", evidence)
    reader = read(page)
    assert reader.tags.count("svg") == 2 and reader.tags.count("img") == 1
    (source,) = reader.sources
    start, data = source.split(",")
    assert start == "data:image/jpeg;base64"
    assert base64.b64decode(data) == evidence.pictures[0].jpeg
    assert not {"script", "link", "iframe"} & set(reader.tags)
    assert "default-src 'none'" in page
    assert "precision at IoU 0.5" in page and "Confusion at the threshold, test" in page


def test_names_stay_names(card: ModelCard) -> None:
    evil = card.model_copy(
        update={
            "classes": (ModelClass(name=EVIL), ModelClass(name="blue")),
            "threshold": Threshold(value=0.5, metric="f1", per_class={EVIL: 0.4}),
            "licence": Licence(id=EVIL, note=EVIL),
            "network": {"name": EVIL},
            "lineage": Lineage(dataset=DatasetLineage(name=EVIL, id=EVIL), commit=EVIL),
        }
    )
    row = {"class": EVIL, "objects": 1}
    matrix = {"classes": [EVIL, "background"], "counts": [[1, 0], [0, 0]]}
    chart = {"title": EVIL, "x": EVIL, "y": EVIL, "at": [0.0, 1.0], "lines": {EVIL: [1.0, None]}}
    records = Evidence(
        per_class={"test": [row]},
        details={"test": {"confusion": matrix, "charts": [chart]}},
        pictures=(CardPicture(EVIL, b"x"),),
        pages={EVIL: "javascript:alert(1)"},
        web="https://clearml.test",
    )
    reader = read(html(evil, EVIL, records))
    assert "script" not in reader.tags and not reader.links
    text = markdown(evil, EVIL, records)
    assert "<script>" not in text.replace("\\<script\\>", "") and not re.search(
        r"(?<!\\)\]\(http", text
    )
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_charts_need_something_to_draw() -> None:
    assert curves({}) == "" and confusion({}) == ""
    names = [f"class {number}" for number in range(20)]
    assert confusion({"classes": names, "counts": [[0] * 20] * 20}) == ""  # too small to read
    svg = curves({**PRECISION, "at": [0, 1], "lines": {name: [1, 0] for name in names}})
    assert svg.count("<polyline") == 8 and "12 more" in svg


def test_records_are_read_and_broken_ones_named(tmp_path: Path, evidence: Evidence) -> None:
    def written(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content)
        return tmp_path / name

    good = written("e.json", json.dumps({"data": {"id": "x"}, "per_class": {}, "details": {}}))
    pictures = written("p.json", json.dumps(pictures_record(evidence.pictures)))
    found = read_evidence(good, pictures)
    assert found.data == {"id": "x"} and found.pictures == evidence.pictures
    for file, line in (
        (written("a.json", "nothing"), "is no JSON"),
        (written("b.json", "[1]"), "isn't what a stage writes"),
        (written("c.json", '{"details": 3}'), "details isn't what the evaluate stage writes"),
    ):
        with pytest.raises(ValueError, match=line):
            read_evidence(file)
    with pytest.raises(ValueError, match="isn't what the evaluate stage writes"):
        read_evidence(None, written("d.json", '{"pictures": [{"title": "a", "jpeg": "§"}]}'))
