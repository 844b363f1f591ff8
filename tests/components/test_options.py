from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from components.options import (
    Layer,
    OptionError,
    Options,
    command_line_layer,
    configure,
    encode,
    file_layer,
    flatten,
    nearest,
    options_of,
)
from components.usage import describe_options


class Mode(StrEnum):
    FAST = "fast"
    SLOW = "slow"


class Optimizer(Options):
    """How weights move."""

    lr: float = Field(1e-3, gt=0)
    """Learning rate."""
    name: Literal["adamw", "sgd"] = "adamw"
    steps: int | None = Field(None, ge=1)


class Split(Options):
    ratio: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 42

    @model_validator(mode="after")
    def _sums(self) -> Split:
        if abs(sum(self.ratio) - 1) > 1e-6:
            raise ValueError("ratio must add up to 1")
        return self


class Config(Options):
    dataset: str
    """Dataset to learn from."""
    optimizer: Optimizer = Optimizer(lr=0.01)
    """The optimizer."""
    split: Split = Split()
    labels: list[str] = Field(default_factory=list)
    sizes: tuple[int, ...] = (256,)
    table: dict[str, float] = Field(default_factory=dict)
    comment: str | None = None
    flag: bool = False
    mode: Mode = Mode.FAST
    size: Literal[8, 16] = 8
    workers: int | Literal["auto"] = "auto"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    folder: Path = Path("data")


def given(*pairs: str) -> Config:
    return configure(Config, [command_line_layer(["dataset=d", *pairs])])


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("optimizer.lr=3e-4", "optimizer.lr", 3e-4),
        ("optimizer.steps=", "optimizer.steps", None),
        ("optimizer.steps=none", "optimizer.steps", None),
        ("optimizer.steps=7", "optimizer.steps", 7),
        ("labels=007,08", "labels", ["007", "08"]),
        ('labels=["a,b","c"]', "labels", ["a,b", "c"]),
        ("labels=", "labels", []),
        ("labels=one", "labels", ["one"]),
        ("sizes=256,320", "sizes", (256, 320)),
        ("sizes=[64]", "sizes", (64,)),
        ('table={"a": 1}', "table", {"a": 1.0}),
        ("comment=none", "comment", "none"),
        ("comment=", "comment", None),
        ("comment= a=b ", "comment", " a=b "),
        ("dataset=007", "dataset", "007"),
        ("flag=True", "flag", True),
        ("flag=no", "flag", False),
        ("mode=slow", "mode", Mode.SLOW),
        ("size=16", "size", 16),
        ("workers=4", "workers", 4),
        ("workers=auto", "workers", "auto"),
        ("threshold=0.5", "threshold", 0.5),
        ("folder=/a b", "folder", Path("/a b")),
        ("split.ratio=0.6,0.2,0.2", "split.ratio", (0.6, 0.2, 0.2)),
    ],
)
def test_text_means_what_the_type_says_and_comes_back_as_written(
    pair: str, name: str, value: object
) -> None:
    config = given(pair)
    found: object = config
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value and type(found) is type(value)
    again = configure(Config, [Layer("", flatten(config))])
    assert again == config


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        (["optimizer.lrr=1"], "unknown option 'optimizer.lrr', did you mean 'optimizer.lr' "),
        (["lr=1"], "did you mean 'optimizer.lr' (number > 0)?"),
        (["learning_rate=1"], "unknown option 'learning_rate'"),
        (["zzzzzz=1"], "unknown option 'zzzzzz', see --help for the list (command line)"),
        (["optimizer=1"], "optimizer is a table, set its options one by one: optimizer.lr, "),
        (["optimizer.lr=0"], "optimizer.lr: expected number > 0, got '0' (command line)"),
        (["optimizer.lr=fast"], "optimizer.lr: expected number > 0, got 'fast'"),
        (["optimizer.name=adam"], "optimizer.name: expected adamw|sgd, got 'adam'"),
        (["optimizer.steps=0"], "expected whole number ≥ 1 (empty: none), got '0'"),
        (["flag=perhaps"], "flag: expected true|false, got 'perhaps'"),
        (["mode=medium"], "mode: expected fast|slow, got 'medium'"),
        (["size=9"], "size: expected 8|16, got '9'"),
        (["sizes=[1"], "sizes: expected list of whole number, but "),
        (["sizes=a,b"], "sizes: expected list of whole number, got 'a,b'"),
        (["threshold=2"], "threshold: expected number 0 to 1 (empty: none), got '2'"),
        (["split.ratio=0.5,0.2,0.2"], "split: ratio must add up to 1"),
        (["split.ratio=0.5,0.5"], "split.ratio: expected list of 3 of number, got '0.5,0.5'"),
        (["dataset="], "dataset is needed: Dataset to learn from."),
    ],
)
def test_each_mistake_is_one_line_that_says_what_was_expected(pairs: list[str], line: str) -> None:
    with pytest.raises(OptionError) as caught:
        given(*pairs)
    assert line in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        given("optimizer.lr=x", "sede=1", "size=9", "optimizer.name=adam")
    assert len(str(caught.value).split("\n")) == 4


def test_an_argument_without_a_value_is_named() -> None:
    with pytest.raises(OptionError, match="'epochs' isn't key=value"):
        command_line_layer(["epochs"])


def test_a_tables_own_default_stays_when_one_of_its_options_is_given() -> None:
    assert given("optimizer.name=sgd").optimizer.lr == 0.01


def test_later_layers_win(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("dataset: d\noptimizer:\n  lr: 1e-2\n  name: sgd\nsplit.seed: 7\n")
    layers = [file_layer(path, Config), command_line_layer(["optimizer.lr=0.5"])]
    config = configure(Config, layers)
    assert (config.optimizer.lr, config.optimizer.name, config.split.seed) == (0.5, "sgd", 7)


def test_yaml_scalars_are_text_until_a_type_decides(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(
        "dataset: 0123\nlabels: [007, yes, 1.0, null-ish]\nsizes: [0256, 64]\n"
        "comment: null\nflag: yes\ntable: {a: 1e-3}\n"
    )
    config = configure(Config, [file_layer(path, Config)])
    assert config.dataset == "0123"
    assert config.labels == ["007", "yes", "1.0", "null-ish"]
    assert config.sizes == (256, 64)
    assert config.comment is None and config.flag is True and config.table == {"a": 1e-3}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("optimizer:\n  lrr: 1\n", "unknown option 'optimizer.lrr', did you mean 'optimizer.lr'"),
        ("optimiser:\n  lr: 1\n", "unknown option 'optimiser.lr', did you mean 'optimizer.lr'"),
        ("optimizer: 3\n", "optimizer is a table"),
        ("- a\n", "expected 'option: value' lines, got a list"),
        ("a: [1\n", "not YAML"),
        ("optimizer:\n  lr: 1\nflag: true\noptimizer:\n  steps: 2\n", "again in line 4"),
        ("optimizer: {lr: 1, lr: 2}\n", "'lr' is there twice"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(content)
    with pytest.raises(OptionError) as caught:
        configure(Config, [file_layer(path, Config), command_line_layer(["dataset=d"])])
    assert line in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"nowhere\.yaml: No such file"):
        file_layer(tmp_path / "nowhere.yaml", Config)


def test_python_values_are_taken_as_they_are() -> None:
    config = configure(Config, [Layer("", {"dataset": "d", "sizes": (1, 2), "flag": True})])
    assert config.sizes == (1, 2) and config.flag


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        given().optimizer.lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (1e-5, "1e-05"), (Mode.SLOW, "slow"), (["ä"], '["ä"]')],
)
def test_encode(value: object, text: str) -> None:
    assert encode(value) == text


def test_nearest_prefers_the_same_last_part() -> None:
    names = ["optimizer.lr", "optimizer.weight_decay", "ema.decay"]
    assert nearest("weight_decay", names) == "optimizer.weight_decay"
    assert nearest("optimizer.decay", names) == "optimizer.weight_decay"
    assert nearest("Weight_Decay", names) == "optimizer.weight_decay"
    assert nearest("map5", ["mAP50", "f1"]) == "mAP50"
    assert nearest("qqq", names) is None


def test_help_shows_every_option_with_type_default_and_meaning() -> None:
    text = describe_options(Config)
    for option in options_of(Config):
        assert f"  {option.name}  <{option.expected}>" in text
    assert "dataset  <text>  needed\n      Dataset to learn from." in text
    assert "optimizer: The optimizer\n  optimizer.lr  <number > 0>  default: 0.01" in text
    assert text.index("  folder ") < text.index("optimizer.lr")
