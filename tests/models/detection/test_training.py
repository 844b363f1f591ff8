"""The training loop on the smallest detector: what comes out, and what each option changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.detection.learner import DetectionLearner
from models.detection.options import TrainOptions
from models.detection.train import learn
from models.families import family
from models.outcomes import Checkpoints
from models.package import ModelPackage
from models.training.averaging import Averaging
from models.training.devices import Device
from models.training.files import BEST, LAST
from models.training.loop import synchronised, training_steps, validation_interval
from tests.models.detection.conftest import Killed, Notes, write_shapes

Make = Callable[..., TrainOptions]
Saving = Callable[..., Checkpoints]


def digest(weights: dict[str, Tensor]) -> str:
    tensors = sorted(weights.items())
    return hashlib.sha256(b"".join(value.numpy().tobytes() for _, value in tensors)).hexdigest()


def last(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = torch.load(folder / LAST, weights_only=True)
    return held


def test_a_training_leaves_a_package_checkpoints_and_curves(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    place = saving()
    options = tiny(epochs=2, samples={"count": 2, "every": 1})
    outcome = family("detection").train(shapes, options, place, notes)

    assert (outcome.epochs, outcome.interrupted) == (2, False)
    assert set(outcome.metrics) == {"mAP50", "mAP", "mAP75"}
    package = ModelPackage.load(outcome.package)
    assert package.card.class_names == ("square", "disc")
    assert [entry.id for entry in package.card.classes] == [3, 7]
    weights = load_file(package.path(package.artifact("safetensors")))
    assert digest(weights) == digest(load_file(place.folder / BEST))

    steps = training_steps(22, options)
    assert notes.progressed[-1] == ("training", steps, steps)
    for title, series in [
        *(("loss", part) for part in ("total", "classification", "box L1", "GIoU", "FGL", "DDF")),
        ("validation", "mAP50"),
        ("validation", "mAP"),
        ("learning rate", "backbone"),
        ("learning rate", "head"),
        ("gradient norm", "before clipping"),
        ("speed", "pictures a second"),
        ("speed", "epoch seconds"),
    ]:
        curve = notes.curve(title, series)
        assert [step for step, _ in curve] == [1, 2], (title, series)
        assert np.isfinite([value for _, value in curve]).all()
    parts = [notes.curve("loss", name) for name in ("total", "classification", "box L1", "GIoU")]
    assert all(total[1] > part[1] > 0 for total, *rest in zip(*parts, strict=True) for part in rest)
    assert {(title, step) for title, _, step in notes.images} == {
        ("augmented batch", 1),
        ("augmented batch", 2),
        ("truth | predictions", 1),
        ("truth | predictions", 2),
    }
    assert len(notes.images) == 8
    assert any("left" in line and "pictures/s" in line for line in notes.lines)


EVERYTHING: dict[str, Any] = {
    "network": {"image_size": 96},
    "checkpoint_steps": 1,
    "augmentation": {"mosaic": 0.7, "mixup": 0.3, "multiscale": 0.4, "photometric": 0.5},
    "schedule": {"name": "plateau", "plateau": 1, "gamma": 0.5, "warmup": 0.0},
    "balance": 0.9,
    "background_free_epochs": 1,
    "label_smoothing": 0.1,
    "best_metric": ("mAP50", "f1"),
}


@pytest.mark.parametrize(
    ("kill_at", "changes"),
    [
        (1, {}),  # at the end of an epoch
        (2, {"validate_every": 3, "accumulate": 1}),
        (4, {"checkpoint_steps": 1}),  # in the middle of one
        (2, {"checkpoint_steps": 2, "accumulate": 1, "workers": 1}),
        (3, {"checkpoint_steps": 2, "accumulate": 1, "workers": 1}),
        (5, EVERYTHING),
        (8, {**EVERYTHING, "workers": 2}),
    ],
)
def test_a_killed_training_resumes_to_the_same_bits_and_curves(
    shapes: Path, tiny: Make, saving: Saving, kill_at: int, changes: dict[str, Any]
) -> None:
    options = tiny(**{"epochs": 3, "accumulate": 2, **changes})
    undisturbed, killed, resumed = Notes(), Notes(), Notes()
    whole = learn(shapes, options, saving("whole"), undisturbed)
    with pytest.raises(Killed):
        learn(shapes, options, saving("killed", kill_at=kill_at), killed)
    rest = learn(shapes, options, saving("rest", resume=saving("killed").folder / LAST), resumed)

    one, other = last(saving("whole").folder), last(saving("rest").folder)
    assert digest(one["state_dict"]) == digest(other["state_dict"])
    assert digest(whole.weights) == digest(rest.weights)
    averages = [digest(held["callbacks"]["Averaging"]["average"]) for held in (one, other)]
    assert averages[0] == averages[1]
    assert (whole.metrics, whole.best_epoch, whole.epochs) == (
        rest.metrics,
        rest.best_epoch,
        rest.epochs,
    )

    def curves(notes: Notes) -> list[tuple[str, str, float, int]]:
        return sorted(point for point in notes.scalars if point[0] != "speed")

    # No gap and no double; and what the killed one had said is said again, the same.
    assert curves(resumed) == curves(undisturbed)
    assert set(killed.scalars) <= set(resumed.scalars)


def test_a_finished_training_resumes_to_its_result(
    shapes: Path, tiny: Make, saving: Saving
) -> None:
    first, again = Notes(), Notes()
    done = learn(shapes, tiny(epochs=2), saving("done"), first)
    same = learn(shapes, tiny(epochs=2), saving("same", saving("done").folder / LAST), again)
    assert digest(done.weights) == digest(same.weights)
    assert (same.metrics, same.epochs, same.seconds) == (done.metrics, done.epochs, done.seconds)
    assert again.scalars == first.scalars


@pytest.mark.parametrize(
    ("content", "changes", "line"),
    [
        (None, {}, "no checkpoint"),
        (b"garbage", {}, "is no checkpoint of a training"),
        ({"state_dict": {}}, {}, "is no checkpoint of a training"),
        ("real", {"network": {"hidden_width": 64}}, "of another network"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    shapes: Path,
    tiny: Make,
    saving: Saving,
    notes: Notes,
    content: Any,
    changes: dict[str, Any],
    line: str,
) -> None:
    file = saving().folder / LAST
    if content == "real":
        learn(shapes, tiny(max_steps=1), saving(), notes)
    elif content is not None:
        file.parent.mkdir()
        file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(ValueError, match=line) as caught:
        learn(shapes, tiny(**changes), saving("other", resume=file), notes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["asked", "ctrl-c"])
def test_a_stopped_training_goes_on_with_the_best_and_can_be_resumed(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes, how: str
) -> None:
    options = tiny(epochs=3)
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        if calls == 8 and how == "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        return calls >= 8 and how == "asked"

    cut = learn(shapes, options, saving("cut", stop_requested=stop), notes)
    assert cut.interrupted
    assert cut.epochs == 1
    assert cut.weights

    whole = learn(shapes, options, saving("whole"), Notes())
    rest = learn(shapes, options, saving("rest", saving("cut").folder / LAST), Notes())
    assert not rest.interrupted
    one, other = last(saving("whole").folder), last(saving("rest").folder)
    assert digest(one["state_dict"]) == digest(other["state_dict"])
    assert rest.epochs == whole.epochs == 3


def test_early_stopping_ends_when_the_figure_stands_still(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    options = tiny(epochs=9, patience=2, optimizer={"lr": 1e-12})
    done = learn(shapes, options, saving(), notes)
    assert (done.epochs, done.best_epoch, done.interrupted) == (3, 1, False)
    assert any("early stopping" in line for line in notes.lines)
    resumed = learn(shapes, options, saving("again", saving().folder / LAST), Notes())
    assert resumed.epochs == 3


def test_caps_end_a_training_with_a_validation(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    short = learn(shapes, tiny(epochs=5, max_steps=8, validate_every=4), saving("steps"), notes)
    assert notes.progressed[-1] == ("training", 8, 8)
    assert short.best_epoch == 2 and short.metrics
    timed = learn(shapes, tiny(epochs=500, max_minutes=1e-4), saving("time"), Notes())
    assert timed.epochs < 3 and not timed.interrupted and timed.metrics


def test_the_best_weights_are_kept_not_the_last(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([0.1, 0.7, 0.2])
    monkeypatch.setattr(
        "models.detection.selection.Judge.__call__",
        lambda *_: {"mAP50": 0.9, "mAP": next(values)},
    )
    kept: dict[int, str] = {}
    original = Averaging.on_validation_start

    def watch(self: Averaging, trainer: Any, learner: Any) -> None:
        kept[trainer.current_epoch + 1] = digest(
            {name: value.clone() for name, value in self.weights(learner).items()}
        )
        original(self, trainer, learner)

    monkeypatch.setattr(Averaging, "on_validation_start", watch)
    done = learn(shapes, tiny(epochs=3), saving(), notes)
    assert (done.best_epoch, done.metrics["mAP"]) == (2, 0.7)
    assert digest(done.weights) == kept[2] != kept[3]
    assert digest(load_file(saving().folder / BEST)) == kept[2]


def test_validation_sees_the_average_and_training_goes_on_without_it(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    options = tiny(epochs=2)
    done = learn(shapes, options, saving(), notes)
    held = last(saving().folder)
    network = {
        name.removeprefix("network."): value
        for name, value in held["state_dict"].items()
        if name.startswith("network.")
    }
    average = held["callbacks"]["Averaging"]["average"]
    moved = [name for name in average if not torch.equal(average[name], network[name])]
    assert len(moved) > len(average) / 2
    if done.best_epoch == 2:
        assert digest(done.weights) == digest(average)
    plain = learn(shapes, tiny(epochs=2, ema={"decay": 0.0}), saving("plain"), Notes())
    if plain.best_epoch == 2:
        assert digest(plain.weights) == digest({name: network[name] for name in plain.weights})


def test_a_smaller_rest_of_an_accumulation_is_a_step_of_its_own(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    # 22 pictures are 6 batches: accumulated by 4 they are 2 steps, the second one of 2 batches.
    options = tiny(epochs=2, accumulate=4)
    assert training_steps(22, options) == 4
    learn(shapes, options, saving(), notes)
    assert notes.progressed[-1] == ("training", 4, 4)


def test_a_diverged_training_says_so(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    options = tiny(optimizer={"lr": 1e30}, clip=0.0, schedule={"warmup": 0.0})
    with pytest.raises(ValueError, match=r"diverged in epoch 1: .* lower optimizer.lr"):
        learn(shapes, options, saving(), notes)


def test_data_that_cannot_be_learned_from_is_refused(
    tmp_path: Path, tiny: Make, saving: Saving, notes: Notes, shapes: Path
) -> None:
    empty = write_shapes(tmp_path / "empty", {"train": 3, "val": 2}, empty=True)
    with pytest.raises(ValueError, match="train split has no labelled objects"):
        learn(empty, tiny(), saving(), notes)
    half = tmp_path / "half"
    shutil.copytree(shapes, half)
    labels = json.loads((half / "val/labels.json").read_text())
    (half / "val/labels.json").write_text(json.dumps({**labels, "annotations": []}))
    with pytest.raises(ValueError, match="val split has no labelled objects"):
        learn(half, tiny(), saving(), notes)
    with pytest.raises(ValueError, match=r"no dataset.json; run prepare"):
        learn(tmp_path, tiny(), saving(), notes)


@pytest.mark.parametrize("threads", [1, 2])
def test_training_runs_in_as_many_threads_as_asked(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes, threads: int
) -> None:
    learn(shapes, tiny(threads=threads, max_steps=1), saving(), notes)
    assert any(f", {threads} threads" in line for line in notes.lines)
    assert torch.get_num_threads() == 1


def test_too_few_queries_are_pointed_out(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    learn(shapes, tiny(network={"queries": 1}, max_steps=1), saving(), notes)
    assert any("network.queries=1 finds no more" in line for line in notes.lines)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("epochs", {"epochs": 2}),
        ("batch_size", {"batch_size": 3}),
        ("accumulate", {"accumulate": 2}),
        ("clip", {"clip": 0.0}),
        ("precision", {"precision": "bf16"}),
        ("seed", {"seed": 1}),
        ("resize", {"resize": "stretch"}),
        ("optimizer.lr", {"optimizer": {"lr": 5e-4}}),
        ("optimizer.backbone_lr_factor", {"optimizer": {"backbone_lr_factor": 0.1}}),
        ("optimizer.backbone_lr_factor", {"optimizer": {"backbone_lr_factor": 0.0}}),
        ("optimizer.weight_decay", {"optimizer": {"weight_decay": 0.1}}),
        ("optimizer.betas", {"optimizer": {"betas": (0.8, 0.9)}}),
        ("schedule.name", {"schedule": {"name": "constant"}}),
        ("ema.decay", {"ema": {"decay": 0.5}}),
        ("ema.warmup", {"ema": {"warmup": 50}}),
        ("augmentation", {"augmentation": {"flip": 0.0, "affine": 0.0, "colour": 0.0}}),
        ("augmentation.off_epochs", {"augmentation": {"off_epochs": 1}}),
        ("augmentation.mosaic", {"augmentation": {"mosaic": 1.0}}),
        ("label_smoothing", {"label_smoothing": 0.2}),
        ("balance", {"balance": 1.0}),
        ("background_free_epochs", {"background_free_epochs": 1}),
        ("batch_size", {"batch_size": "auto"}),
        ("schedule.name", {"schedule": {"name": "plateau"}}),
        ("network.denoising_queries", {"network": {"denoising_queries": 0}}),
    ],
)
def test_each_option_changes_the_weights(
    shapes: Path, tiny: Make, saving: Saving, base: str, name: str, changes: dict[str, Any]
) -> None:
    assert digest(learn(shapes, tiny(**changes), saving(), Notes()).weights) != base


def test_multiscale_changes_the_weights_but_not_the_size_of_validation(
    shapes: Path, tiny: Make, saving: Saving
) -> None:
    digests = []
    for multiscale in (0.0, 0.4):
        options = tiny(network={"image_size": 96}, augmentation={"multiscale": multiscale})
        seen: list[tuple[int, ...]] = []
        original = DetectionLearner.predict

        def predict(
            self: DetectionLearner, batch: Any, seen: list[Any] = seen, original: Any = original
        ) -> Any:
            seen.append(tuple(batch["images"].shape[1:]))
            return original(self, batch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DetectionLearner, "predict", predict)
            digests.append(digest(learn(shapes, options, saving(), Notes()).weights))
        assert set(seen) == {(96, 96, 3)}
    assert digests[0] != digests[1]


def test_a_mosaic_is_off_in_the_last_epochs(
    shapes: Path, tiny: Make, saving: Saving, base: str
) -> None:
    off, notes = tiny(augmentation={"mosaic": 1.0, "mosaic_off_epochs": 1}), Notes()
    assert digest(learn(shapes, off, saving(), notes).weights) == base
    assert any("off in all 1 epochs" in line for line in notes.lines)


@pytest.mark.parametrize(
    "changes",
    [
        {"cache": {"mb": 0}},
        {"cache": {"where": "disk"}},
        {"cache": {"where": "none"}, "workers": 2},
        {"workers": 1},
        {"checkpoint_every": 2},
        {"samples": {"count": 3}},
        {"patience": 5},
        {"device": "auto"},
    ],
)
def test_what_only_costs_or_shows_changes_no_weight(
    shapes: Path, tiny: Make, saving: Saving, base: str, changes: dict[str, Any]
) -> None:
    if changes.get("device") and torch.cuda.is_available():
        pytest.skip("the GPU computes other last bits")
    assert digest(learn(shapes, tiny(**changes), saving(), Notes()).weights) == base


@pytest.fixture(scope="module")
def base(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    from tests.models.detection.conftest import TINY

    torch.set_num_threads(1)
    place = Checkpoints(tmp_path_factory.mktemp("base"), None, lambda _: None)
    return digest(learn(shapes, TrainOptions.model_validate(TINY), place, Notes()).weights)


def test_a_frozen_backbone_does_not_move(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    from models.detection.networks.building import build_network
    from models.training.weights import network_weights

    options = tiny(optimizer={"backbone_lr_factor": 0.0})
    done = learn(shapes, options, saving(), notes)
    torch.manual_seed(options.seed)
    start = network_weights(build_network(options.network, 2))
    same = {name for name in start if torch.equal(start[name], done.weights[name])}
    backbone = {name for name in start if ".backbone." in name}
    assert backbone <= same
    assert len(same) < len(start)


@pytest.mark.parametrize(
    ("changes", "saves"), [({}, 4), ({"checkpoint_every": 3}, 2), ({"checkpoint_steps": 4}, 8)]
)
def test_checkpoints_come_as_often_as_asked(
    shapes: Path, tiny: Make, tmp_path: Path, changes: dict[str, Any], saves: int
) -> None:
    saved: list[Path] = []
    options = tiny(epochs=4, **changes)
    learn(shapes, options, Checkpoints(tmp_path, None, saved.append), Notes())
    assert len(saved) == saves
    assert set(saved) == {tmp_path / LAST}
    assert not list(tmp_path.glob("*.part"))


def test_validations_and_samples_come_as_often_as_asked(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    options = tiny(epochs=5, validate_every=2, samples={"count": 1, "every": 3})
    learn(shapes, options, saving(), notes)
    assert [epoch for epoch, _ in notes.curve("validation", "mAP")] == [2, 4, 5]
    shown: dict[str, list[int]] = {}
    for title, _, step in notes.images:
        shown.setdefault(title, []).append(step)
    assert shown == {"augmented batch": [1, 3, 5], "truth | predictions": [2, 4, 5]}


def test_the_rate_falls_when_the_figure_stands_still(
    shapes: Path, tiny: Make, saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plateau, expected in ((1, [1.0, 0.5, 0.25, 0.25]), (2, [1.0, 1.0, 0.5, 0.5])):
        values = iter([0.5, 0.4, 0.3, 0.6, 0.7])
        monkeypatch.setattr(
            "models.detection.selection.Judge.__call__",
            lambda *_, found=values: {"mAP": next(found)},
        )
        schedule = {"name": "plateau", "plateau": plateau, "gamma": 0.5, "warmup": 0.0}
        options = tiny(epochs=5, schedule=schedule, optimizer={"lr": 1e-3})
        notes = Notes()
        learn(shapes, options, saving(str(plateau)), notes)
        shown = [value / 1e-3 for _, value in notes.curve("learning rate", "head")]
        # A point is the rate at the end of its epoch; the first two validations are its past.
        assert shown[1:] == pytest.approx(expected)


def test_the_interval_between_validations_follows_the_length_of_an_epoch(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    auto = tiny(epochs=5, validate_every="auto")
    assert [validation_interval(auto, batches) for batches in (1, 20, 40, 95, 1000)] == [
        *(5, 3, 2, 1, 1)
    ]
    assert validation_interval(tiny(validate_every=7), 1) == 7
    learn(shapes, auto, saving(), notes)
    assert [epoch for epoch, _ in notes.curve("validation", "mAP")] == [4, 5]


def test_the_mean_of_several_figures_picks_the_best_epoch(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes
) -> None:
    options = tiny(best_metric=("mAP50", "f1", "iou"))
    done = learn(shapes, options, saving(), notes)
    mean = np.mean([done.metrics[name] for name in ("mAP50", "f1", "iou")])
    assert done.metrics["mean of mAP50, f1, iou"] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sync_batch_norm": True}, "sync_batch_norm=true has no effect here"),
        ({"augmentation": {"albumentations": [{"name": "Nothing"}]}}, "has no 'Nothing'"),
    ],
)
def test_an_option_that_can_have_no_effect_is_refused(
    shapes: Path, tiny: Make, saving: Saving, notes: Notes, changes: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        learn(shapes, tiny(**changes), saving(), notes)


def test_batch_norms_are_in_step_where_several_gpus_train(tiny: Make) -> None:
    """What `sync_batch_norm` does to a network; CPUs can't compute with the layers it puts in."""
    from models.detection.networks.building import build_network

    network = build_network(tiny().network, 2)
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    together = synchronised(network, Device("cuda", "32-true", devices=2, nodes=1))
    found = [one for one in together.modules() if isinstance(one, torch.nn.SyncBatchNorm)]
    assert len(found) == len(norms) > 10
    with pytest.raises(ValueError, match="needs several GPUs that train together"):
        synchronised(network, Device("cuda", "32-true", devices=1, nodes=1))


def test_the_chosen_figure_picks_the_best_epoch(
    shapes: Path, tiny: Make, saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for metric, expected in (("mAP", 1), ("mAP50", 2)):
        values = iter([{"mAP": 0.5, "mAP50": 0.6}, {"mAP": 0.4, "mAP50": 0.8}])
        monkeypatch.setattr(
            "models.detection.selection.Judge.__call__", lambda *_, found=values: next(found)
        )
        done = learn(shapes, tiny(epochs=2, best_metric=metric), saving(metric), Notes())
        assert done.best_epoch == expected
