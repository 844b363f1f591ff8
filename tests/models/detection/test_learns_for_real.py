"""Real trainings: minutes each, so they run in make test-all only."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.detection.data.options import PrepareOptions
from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.options import TrainOptions
from models.detection.synthetic.options import BarcodeOptions
from models.families import family
from models.outcomes import Checkpoints
from models.package import ModelPackage
from models.reporting import Silence
from tests.models.detection.conftest import TINY, Notes, write_shapes

DETECTION = family("detection")
BCCD = Path(__file__).parents[4] / "shared" / "datasets" / "bccd"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_squares_and_discs_are_learned(tmp_path: Path) -> None:
    data = write_shapes(tmp_path / "data", {"train": 128, "val": 24, "test": 24})
    options = TrainOptions.model_validate(
        {
            **TINY,
            "epochs": 40,
            "batch_size": 8,
            "validate_every": 5,
            "optimizer": {"lr": 2e-3},
            "ema": {"decay": 0.98},
            "augmentation": {"affine": 0.5, "rotate": 0.0},
            "network": {**TINY["network"], "hidden_width": 64, "image_size": 96},
        }
    )
    place = Checkpoints(tmp_path / "run", None, lambda _: None)
    outcome = DETECTION.train(data, options, place, Silence())
    values = DETECTION.evaluate(outcome.package, data, "test", EvaluateOptions(), Silence()).values
    assert values["mAP50"] >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_barcodes_are_learned_from_the_raw_source_on(tmp_path: Path) -> None:
    raw, data = tmp_path / "raw", tmp_path / "data"
    DETECTION.synthesize(BarcodeOptions(train=400, val=60, test=80), raw, Silence())
    DETECTION.prepare(raw, data, PrepareOptions(), Silence())
    options = TrainOptions.model_validate(
        {
            "epochs": 16,
            "validate_every": 4,
            "device": "cpu",
            "network": {"image_size": 256, "levels": 2, "queries": 30, "denoising_queries": 30},
            "augmentation": {"vertical_flip": 0.5, "rot90": 0.75, "rotate": 0.0},
        }
    )
    place, notes = Checkpoints(tmp_path / "run", None, lambda _: None), Notes()
    outcome = DETECTION.train(data, options, place, notes)
    tuning = DETECTION.tune(outcome.package, data, TuneOptions(), notes)
    ModelPackage.load(outcome.package).with_threshold(tuning.threshold).save(outcome.package)
    result = DETECTION.evaluate(outcome.package, data, "test", EvaluateOptions(), notes)
    assert result.values["mAP50"] >= 0.7
    assert result.values["f1"] >= 0.6


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not BCCD.is_dir(), reason="the BCCD pictures are not on this machine")
def test_blood_cells_are_learned_from_scratch(tmp_path: Path) -> None:
    DETECTION.prepare(BCCD, tmp_path / "data", PrepareOptions(), Silence())
    options = TrainOptions.model_validate(
        {
            "epochs": 20,
            "validate_every": 5,
            "device": "cpu",
            "network": {"image_size": 320, "levels": 2, "queries": 80},
            "augmentation": {"vertical_flip": 0.5, "rot90": 0.75, "rotate": 0.0},
        }
    )
    place = Checkpoints(tmp_path / "run", None, lambda _: None)
    outcome = DETECTION.train(tmp_path / "data", options, place, Silence())
    assert outcome.metrics["mAP50"] >= 0.6
