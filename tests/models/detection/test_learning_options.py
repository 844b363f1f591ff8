from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.options import TrainOptions


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        yield f"{prefix}{name}", field


@pytest.mark.parametrize("model", [TrainOptions, TuneOptions, EvaluateOptions])
def test_every_option_is_documented(model: type[BaseModel]) -> None:
    for name, field in leaves(model):
        assert field.description and len(field.description) > 8, name


@pytest.mark.parametrize(
    ("model", "values", "where"),
    [
        (TrainOptions, {"lr": 1e-3}, "lr"),
        (TrainOptions, {"optimizer": {"lr": 0}}, "optimizer.lr"),
        (TrainOptions, {"network": {"image_size": 100}}, "network.image_size"),
        (TrainOptions, {"network": {"decoder_layers": 1}}, "network.decoder_layers"),
        (TrainOptions, {"augmentation": {"scale": [2.0, 1.0]}}, "augmentation.scale"),
        (TrainOptions, {"network": {"image_size": 64, "levels": 2, "queries": 21}}, "network"),
        (
            TrainOptions,
            {
                "network": {"image_size": 96, "levels": 2, "queries": 30},
                "augmentation": {"multiscale": 0.4},
            },
            "",
        ),
        (TrainOptions, {"best_metric": []}, "best_metric"),
        (TrainOptions, {"precision": "fp16", "device": "cpu"}, ""),
        (TrainOptions, {"network": {"freeze_batch_norm": True}}, "network"),
        (TuneOptions, {"iou": 1.0}, "iou"),
        (EvaluateOptions, {"splits": []}, "splits"),
        (EvaluateOptions, {"ious": [0.5, 0.5]}, "ious"),
    ],
)
def test_a_wrong_option_is_refused(
    model: type[BaseModel], values: dict[str, Any], where: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    found = ".".join(str(part) for part in caught.value.errors()[0]["loc"])
    # pydantic adds which part of `number or auto` it tried.
    assert found.removesuffix(".constrained-int") == where


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ({"image_size": 96, "levels": 2, "queries": 30}, "network.queries=30 is more than"),
        ({"image_size": 64, "levels": 2, "queries": 5}, "greater than or equal to 64"),
    ],
)
def test_sizes_too_small_for_the_network_are_one_clear_line(
    network: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainOptions.model_validate({"network": network, "augmentation": {"multiscale": 0.5}})
    (error,) = caught.value.errors()
    assert "augmentation.multiscale makes pictures of" in error["msg"]
    assert why in error["msg"] and "\n" not in error["msg"]


def test_options_survive_json_and_cannot_be_changed() -> None:
    for options in (TrainOptions(), TuneOptions(), EvaluateOptions()):
        assert type(options).model_validate_json(options.model_dump_json()) == options
        with pytest.raises(ValidationError):
            setattr(options, next(iter(type(options).model_fields)), 1)


def test_the_family_and_its_options_load_no_torch() -> None:
    code = (
        "import sys\n"
        "from models.families import family\n"
        "family('detection').train_options()\n"
        "heavy = {'torch', 'lightning', 'transformers', 'timm', 'albumentations', 'clearml'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
