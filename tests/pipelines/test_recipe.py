from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.options import OptionError
from pipelines.recipe import Plan, Recipe, check, read_recipe

ROOT = Path(__file__).parents[2]


def plan(*arguments: str, file: Path | None = None) -> Plan:
    return check(read_recipe(file, arguments))


@pytest.mark.parametrize(
    ("arguments", "stage", "options"),
    [
        (["epochs=3"], "train", {"epochs": "3"}),
        (["image_size=128"], "train", {"network.image_size": "128"}),
        (["model=rtdetr-r18"], "train", {"network.name": "rtdetr-r18"}),
        (["backbone=resnet18"], "train", {"network.backbone": "resnet18"}),
        (["gate=0.8"], "evaluate", {"gate.minimum": "0.8"}),
        (["data.source=/raw"], "ingest", {"data.source": "/raw"}),
        (["data_source=/raw"], "ingest", {"data.source": "/raw"}),
        (["dataset=cells"], "ingest", {"dataset.name": "cells-raw"}),
        (["dataset=cells"], "prepare", {"name": "cells"}),
        (["seed=5"], "train", {"seed": "5"}),
        (["seed=5"], "prepare", {"split.seed": "5"}),
        (["seed=5", "train.seed=6"], "train", {"seed": "6"}),
        (["seed=5", "train.seed=6"], "prepare", {"split.seed": "5"}),
        (["train.optimizer.lr=3e-4"], "train", {"optimizer.lr": "3e-4"}),
        (["evaluate.splits=val"], "evaluate", {"splits": "val"}),
        (["epochs=3", "train.epochs=4"], "train", {"epochs": "4"}),
    ],
)
def test_values_reach_their_stages(
    arguments: list[str], stage: str, options: dict[str, str]
) -> None:
    found = plan("pipeline=detection", *arguments).options[stage]
    assert options.items() <= found.items()


def test_an_option_with_a_parameter_becomes_the_parameter() -> None:
    # Otherwise NEW RUN would show one value and the stage would have another.
    recipe = read_recipe(None, ["pipeline=detection", "train.epochs=4"])
    assert recipe.parameters == {"epochs": "4"}
    assert not recipe.stages


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["epoch=3"], "unknown parameter 'epoch', did you mean 'epochs'? (command line)"),
        (["data.sorce=x"], "unknown parameter 'data.sorce', did you mean 'data.source'?"),
        (["trian.epochs=3"], "unknown parameter 'trian.epochs', did you mean 'train.epochs'?"),
        (["train.lr=1"], "stage train has no option 'lr', did you mean 'optimizer.lr'?"),
        (["train.optimizer=3"], "train.optimizer is a table, set its options: optimizer.lr, "),
        (["epochs=many"], "epochs: expected whole number ≥ 1, got 'many'"),
        (["image_size=100"], "image_size: expected whole number 64 to 2048, a multiple of 32"),
        (["train.optimizer.lr=0"], "train.optimizer.lr: expected number > 0, got '0'"),
        (["retries=-1"], "retries: expected whole number 0 to 100, got '-1'"),
        (["prepare.dataset=x"], "prepare.dataset comes from the stage ingest and can't be set"),
        (["train=3"], "train is a stage: set its options as train.<option>=value"),
        (["family=vision"], "family=vision: pipeline detection is for detection"),
        (["epochs"], "'epochs' isn't key=value"),
    ],
)
def test_a_mistake_gets_one_line(arguments: list[str], line: str) -> None:
    with pytest.raises(OptionError) as caught:
        plan("pipeline=detection", *arguments)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        plan("pipeline=detection", "epochs=no", "seed=no", "train.batch_size=0")
    assert len(str(caught.value).split("\n")) == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "pipeline is needed: one of data, train-eval, detection"),
        (["pipeline=all"], "no pipeline 'all'"),
        (["pipeline=train-eval"], "dataset is needed: Prepared dataset"),
        (["pipeline=data", "train.epochs=3"], "pipeline data has no stage 'train'"),
        (["pipeline=data", "epochs=3"], "unknown parameter 'epochs'"),
    ],
)
def test_what_a_pipeline_lacks(arguments: list[str], line: str) -> None:
    with pytest.raises(OptionError, match=line):
        plan(*arguments)


def test_a_file_is_overridden_by_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "cells.yaml"
    file.write_text(
        "pipeline: detection\nepochs: 9\ndata: {source: /raw}\nqueue: {gpu: big}\n"
        "train:\n  optimizer: {lr: 1e-3}\n  augmentation.scale: [0.9, 1.1]\n"
    )
    made = plan("epochs=3", file=file)
    assert made.recipe.name == "cells"
    assert made.options["train"]["epochs"] == "3"
    assert made.options["train"]["optimizer.lr"] == "1e-3"
    assert made.options["train"]["augmentation.scale"] == '["0.9", "1.1"]'
    assert made.queue("train") == "big"
    assert made.queue("ingest") == "cpu"
    assert set(made.queues) == {"cpu", "big"}


def test_a_recipe_survives_the_way_through_a_task() -> None:
    recipe = read_recipe(
        None, ["pipeline=detection", "name=x", "epochs=3", "ingest.synthetic.sizes=[[200, 160]]"]
    )
    copy = Recipe.from_yaml(recipe.to_yaml()).with_parameters(recipe.values())
    assert check(copy).options == check(recipe.with_parameters(recipe.values())).options


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pipeline: [", "Recipe: "),
        ("- a", "Recipe: "),
        ("name: x", "no 'pipeline' in it"),
        ("pipeline: data\nstage: {}", "unknown entry 'stage'"),
    ],
)
def test_a_broken_configuration_object_is_refused(text: str, line: str) -> None:
    with pytest.raises(OptionError, match=line):
        Recipe.from_yaml(text)


def test_an_unknown_parameter_on_the_task_is_refused() -> None:
    recipe = Recipe("data").with_parameters({"sed": "3"})
    with pytest.raises(OptionError, match="no parameter 'sed', did you mean 'seed'"):
        check(recipe)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("demo", "detection"),
        ("detection/bccd", "detection"),
        ("ocr/digits", "ocr"),
        ("ocr/bars", "ocr"),
        ("classification/rice", "classification"),
        ("classification/signs", "classification"),
        ("classification/rice_vit", "classification"),
    ],
)
def test_the_recipes_are_right(name: str, family: str) -> None:
    made = plan("data.source=/raw", file=ROOT / "configs" / f"{name}.yaml")
    assert made.recipe.graph.name == made.recipe.family == family


def test_the_chain_asks_for_its_two_models() -> None:
    file = ROOT / "configs" / "ocr" / "detect-read.yaml"
    with pytest.raises(OptionError, match=r"detector is needed(.|\n)*reader is needed"):
        plan(file=file)
    made = plan("detector=one", "reader=other", file=file)
    assert made.options["read"]["detector"] == "one"
    assert made.options["read"]["reader"] == "other"
    assert made.recipe.graph.step("read").parents == ["ingest"]


def test_parameters_have_names_that_the_web_ui_can_refer_to() -> None:
    for name in Recipe("detection").known_parameters():
        assert name.isidentifier()


def test_checking_a_recipe_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines.recipe import check, read_recipe;"
        "check(read_recipe(None, ['pipeline=detection', 'epochs=2']));"
        "assert not {'torch', 'clearml', 'openvino', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
