"""Sweeps as people ask for them: files, command lines, and what is refused before any start."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.options import OptionError
from pipelines import recipe as recipes
from pipelines.recipe import Recipe
from pipelines.sweep.plan import Base, Sweep, check, read_sweep
from pipelines.sweep.releases import release_recipe

ROOT = Path(__file__).parents[3]
FILE = """
family: classification
dataset: rice
epochs: 3
trials: 12
export: {formats: onnx}
train: {network: {name: test_resnet}}
space:
  optimizer:
    lr: {low: 1e-4, high: 1e-2, log: true}
  batch_size: [16, 32]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rice-sweep.yaml"
    path.write_text(FILE)
    return path


def test_a_file_says_what_every_trial_has_and_what_is_searched(file: Path) -> None:
    sweep = read_sweep(file, ["parallel=2", "space.epochs={low: 1, high: 4}", "epochs="])
    plan = check(sweep)
    assert plan.sweep.recipe.name == "rice-sweep"
    assert plan.space.names == ["optimizer.lr", "batch_size", "epochs"]
    assert plan.fixed == {
        "family": "classification",
        "dataset": "rice",
        "network.name": "test_resnet",
    }
    assert (plan.options.trials, plan.options.parallel, plan.queues) == (12, 2, ("gpu",))
    assert [str(one) for one in plan.objectives] == ["max val/accuracy"]
    assert plan.plan is not None and plan.plan.options["export"]["formats"] == "onnx"
    assert plan.run.retries == 0  # a trial that fails costs only itself


def test_what_a_task_holds_is_the_same_sweep(file: Path) -> None:
    sweep = read_sweep(file, ["constraints=val/loss<=2"])
    kept = Sweep(Recipe.from_yaml(sweep.recipe.to_yaml())).with_parameters(sweep.parameters())
    assert check(kept) == check(sweep)


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("trails=3", "unknown parameter 'trails', did you mean 'trials'?"),
        ("epochz=3", "unknown parameter 'epochz', did you mean 'epochs'? (command line)"),
        ("trials=0", "trials: expected whole number 1 to 100000, got '0'"),
        ("sampler=tpee", "sampler: expected tpe|cmaes|nsga2|random|grid, got 'tpee'"),
        ("train.epochz=3", "stage train has no option 'epochz', did you mean 'epochs'?"),
        ("export.formats=onx", "export.formats: "),
        ("train.batch_size=8", "space.batch_size: it is searched, and train.batch_size=8 is given"),
        ("space.optimizer.lr={low: -1, high: 1}", "space.optimizer.lr: expected number > 0"),
        ("space.batch_size=[0, 8]", "space.batch_size: expected whole number ≥ 1 or auto, got '0'"),
        ("space.schedule.shape=[cosine, square]", "space.schedule.shape: "),
        ("space.dataset=[a, b]", "space.dataset: no such option"),
        ("objectives=accuracy", "objectives: expected 'max NAME' or 'min NAME', got 'accuracy'"),
        ("constraints=latency<20ms", "constraints: expected NAME<=NUMBER"),
        ("sampler=grid", "space.optimizer.lr: sampler=grid needs a step, or choices"),
        ("sampler=cmaes", "sampler=cmaes: it wants two or more ranges without conditions"),
        ("pipeline=data", "pipeline=data: a sweep is one of train-eval"),
        ("space=3", "space: expected a table of options, got '3'"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(file: Path, argument: str, line: str) -> None:
    with pytest.raises(OptionError) as error:
        check(read_sweep(file, [argument]))
    assert line in str(error.value)
    assert len(str(error.value).split("\n")) == 1


def test_several_objectives_exclude_what_knows_only_one(file: Path) -> None:
    two = "objectives=max val/accuracy, min latency_ms"
    for argument, word in (("pruner=median", "pruner=median"), ("sampler=cmaes", "sampler=cmaes")):
        with pytest.raises(OptionError, match=word):
            check(read_sweep(file, [two, argument]))


def test_a_finished_training_is_a_base(file: Path) -> None:
    values = {"family": "classification", "dataset": "older", "epochs": "9", "batch_size": "64"}
    values |= {"optimizer.lr": "0.5", "optimizer.weight_decay": "0.123"}
    base = Base("0" * 32, "train", values, {})
    arguments = ["base=" + "0" * 32, "space.optimizer.lr={low: 1e-4, high: 1e-3}"]
    arguments += ["family=classification", "epochs=2"]
    plan = check(read_sweep(None, arguments), base)
    assert plan.fixed["dataset"] == "older"
    assert plan.fixed["epochs"] == "2"
    assert plan.fixed["batch_size"] == "64"
    assert plan.fixed["optimizer.weight_decay"] == "0.123"
    assert "optimizer.lr" not in plan.fixed


def test_any_other_task_is_a_base_with_its_own_options() -> None:
    base = Base("0" * 32, "", {"lr": "0.1", "layers": "3", "kind": "a"}, {"layers": "int"})
    given = ["base=" + "0" * 32, "space.layers={low: 1, high: 4}", "objectives=min loss"]
    plan = check(read_sweep(None, given), base)
    assert plan.space.dimensions[0].whole and plan.plan is None and plan.queues == ("cpu",)
    for argument, line in (
        ("space.kind={low: 1, high: 2}", "space.kind: it takes no numbers"),
        ("space.layer={low: 1, high: 2}", "space.layer: no such option, did you mean 'layers'?"),
        ("epochs=3", "epochs: the base is no training of ours"),
        ("best=1", "best: the base is no training of ours"),
    ):
        with pytest.raises(OptionError) as error:
            check(read_sweep(None, [*given, argument]), base)
        assert line in str(error.value)
    with pytest.raises(OptionError, match="objectives is needed"):
        check(read_sweep(None, given[:2]), base)


@pytest.mark.parametrize("name", ["rice", "digits", "barcodes"])
def test_what_comes_with_the_code_is_sound(name: str) -> None:
    plan = check(read_sweep(ROOT / "configs" / "sweeps" / f"{name}.yaml"))
    assert plan.plan is not None and plan.options.trials == 12
    recipe = release_recipe(plan, 3, "0" * 32)
    assert set(recipes.check(recipe).recipe.parameters) >= {"trained", "dataset"}
    assert recipe.parameters["retries"] == "2"
