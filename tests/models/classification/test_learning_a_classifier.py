"""Training: it learns, goes on where it was cut, and each option has its effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.classification.family import CLASSIFICATION
from models.classification.labels import Labels, read_labels
from models.classification.learner import ClassificationLearner, layer_depths
from models.classification.networks.classifier import build_network
from models.classification.networks.options import NetworkOptions
from models.classification.options import TrainOptions
from models.classification.selection import Judge, class_weights, wanted
from models.classification.train import Teacher, preprocessing_of
from models.outcomes import Checkpoints
from models.reporting import Silence
from models.training.files import LAST
from tests.models.classification.conftest import TINY, Notes


def options(**changes: Any) -> TrainOptions:
    return TrainOptions.model_validate({**TINY, **changes})


def trained(dataset: Path, folder: Path, resume: Path | None = None, **changes: Any) -> Any:
    place = Checkpoints(folder, resume, lambda _: None)
    return CLASSIFICATION.train(dataset, options(**changes), place, Silence())


def learner(several: bool = False, teacher: Any = None, **changes: Any) -> ClassificationLearner:
    given = options(**changes)
    torch.manual_seed(0)
    network = build_network(given.network, 3)
    weights = changes.pop("weights_of_classes", None)
    return ClassificationLearner(network, given, preprocessing_of(given), several, weights, teacher)


def batch(count: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    targets = np.eye(3, dtype=np.float32)[np.arange(count) % 3]
    return {
        "images": torch.from_numpy(images),
        "targets": torch.from_numpy(targets),
        "indices": list(range(count)),
    }


def loss(one: ClassificationLearner, given: dict[str, Any] | None = None) -> float:
    torch.manual_seed(1)
    parts = one.losses(given or batch())
    return float(torch.stack(list(parts.values())).sum().detach())


def test_it_learns_colours(colours: Path, tmp_path: Path) -> None:
    done = trained(colours, tmp_path, epochs=8)
    assert done.metrics["accuracy"] >= 0.9
    found = CLASSIFICATION.evaluate(
        done.package, colours, "test", CLASSIFICATION.evaluate_options(), notes := Notes()
    )
    assert found.values["accuracy"] >= 0.85
    assert found.details["confusion"]["classes"] == ["blue", "green", "red"]
    wanted_figures = {"test: calibration/reliability", "test: confusion/true by said"}
    assert wanted_figures | {"test: features/map"} <= set(notes.figures)
    tuned = CLASSIFICATION.tune(done.package, colours, CLASSIFICATION.tune_options(), Silence())
    assert 0.05 <= tuned.postprocessing["temperature"] <= 20


def test_batch_norm_over_single_values(colours: Path, tmp_path: Path) -> None:
    assert len(read_labels(colours, "train")) == 36
    trained(colours, tmp_path, epochs=1, batch_size=35)  # a rest of one picture
    with pytest.raises(ValueError, match="batch_size=1 leaves this network's batch norm"):
        trained(colours, tmp_path, epochs=1, batch_size=1)


def test_a_training_that_was_cut_ends_the_same(colours: Path, tmp_path: Path) -> None:
    kept: list[bytes] = []

    def saved(file: Path) -> None:
        kept.append(file.read_bytes())

    whole = CLASSIFICATION.train(
        colours, options(epochs=3), Checkpoints(tmp_path / "a", None, saved), Silence()
    )
    cut = tmp_path / "first.ckpt"
    cut.write_bytes(kept[0])
    again = trained(colours, tmp_path / "b", cut, epochs=3)
    one, other = (p / "weights.safetensors" for p in (whole.package, again.package))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"label_smoothing": 0.2},
        {"augmentation": {"mixup": 0.4}},
        {"augmentation": {"cutmix": 1.0}},
        {"network": {**TINY["network"], "dropout": 0.5}},
    ],
    ids=str,
)
@pytest.mark.parametrize("several", [False, True])
def test_options_that_change_the_loss(change: dict[str, Any], several: bool) -> None:
    usual, changed = learner(several), learner(several, **change)
    for one in (usual, changed):
        one.train()
    assert loss(usual) != pytest.approx(loss(changed), rel=1e-3)


def test_class_weights_change_the_loss_but_not_its_size() -> None:
    given = batch()
    given["targets"][:] = torch.tensor([0.0, 1.0, 0.0])
    given["targets"][0] = torch.tensor([1.0, 0.0, 0.0])
    plain = learner()
    network = plain.network
    heavy = ClassificationLearner(
        network, plain.options, preprocessing_of(plain.options), False, [10.0, 1.0, 1.0]
    )
    same = ClassificationLearner(
        network, plain.options, preprocessing_of(plain.options), False, [3.0, 3.0, 3.0]
    )
    for one in (plain, heavy, same):
        one.eval()
    assert loss(same, given) == pytest.approx(loss(plain, given), rel=1e-5)
    assert loss(heavy, given) != pytest.approx(loss(plain, given), rel=1e-4)


def labels(counts: list[int]) -> Labels:
    truth = np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)
    names = tuple(f"c{i}" for i in range(len(counts)))
    sizes = np.full((len(truth), 2), 8)
    return Labels(Path(), names, [""] * len(truth), sizes, truth, several=False)


def test_balance_and_class_weights_count_train_only() -> None:
    given = labels([1, 4, 5])
    assert wanted(given, options()) is None
    even = wanted(given, options(balance=1.0))
    assert even is not None
    shares = [even[given.truth[:, i]].sum() for i in range(3)]
    assert shares == pytest.approx([shares[0]] * 3)
    assert class_weights(given, options()) is None
    weights = class_weights(given, options(class_weights="balanced"))
    assert weights == pytest.approx([10 / 3, 10 / 12, 10 / 15])
    own = class_weights(given, options(class_weights=[2, 1, 1]))
    assert own is not None and own[0] == pytest.approx(2 * own[1])
    with pytest.raises(ValueError, match="2 weights for 3 classes"):
        class_weights(given, options(class_weights=[2, 1]))


def test_a_teacher_is_followed(colours: Path, tmp_path: Path) -> None:
    done = trained(colours, tmp_path / "teacher", epochs=1)
    taught = options(distill={"model": str(done.package), "share": 1.0})
    from models.classification.train import teacher_of

    teacher = teacher_of(taught, read_labels(colours, "train"), preprocessing_of(taught))
    assert isinstance(teacher, Teacher)
    pupil = learner(teacher=teacher, distill={"model": "x", "share": 1.0})
    pupil.eval()
    before = loss(pupil)
    pupil.network.load_state_dict(teacher.network.state_dict())
    assert loss(pupil) == pytest.approx(0.0, abs=1e-5) and before > 1e-3
    hot = learner(teacher=teacher, distill={"model": "x", "share": 0.5, "temperature": 8.0})
    warm = learner(teacher=teacher, distill={"model": "x", "share": 0.5})
    assert loss(hot) != pytest.approx(loss(warm), rel=1e-3)
    assert CLASSIFICATION.models_needed(taught) == {"distill.model": str(done.package)}
    with pytest.raises(ValueError, match="the teacher is a classification model of the classes"):
        teacher_of(taught, labels([1, 1]), preprocessing_of(taught))


def test_weights_of_a_package_are_taken_over(colours: Path, tmp_path: Path) -> None:
    done = trained(colours, tmp_path, epochs=1)
    start = NetworkOptions(**TINY["network"], weights=f"model:{done.package}")
    network = build_network(start, 3, pretrained=True)
    from models.package import ModelPackage
    from models.package.weights import read_weights

    weights = read_weights(ModelPackage.load(done.package))
    own = network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in weights.items())
    other = build_network(start, 5, pretrained=True)  # other classes: a head from scratch
    assert other.head.out_features == 5
    assert torch.equal(
        other.state_dict()["network.conv1.0.weight"], weights["network.conv1.0.weight"]
    )
    given = options(network=start.model_dump())
    assert CLASSIFICATION.models_needed(given) == {"network.weights": str(done.package)}
    with pytest.raises(ValueError, match="is a classification model with the network test_resnet"):
        build_network(start.model_copy(update={"name": "resnet18"}), 3, pretrained=True)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext"])
def test_each_layer_has_a_rate_of_its_own(name: str) -> None:
    one = learner(network={"name": name, "image_size": 160}, layer_decay=0.5)
    groups = one._parameter_groups()
    count = sum(len(group["params"]) for group in groups)
    assert count == len(list(one.network.parameters()))
    depth = layer_depths(one.network.network)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    named = dict(one.network.network.named_parameters())
    deepest = max(depth.values())
    first = min(depth, key=lambda key: depth[key])
    assert rates[id(named[first])] == pytest.approx(0.01 * 0.5 ** (deepest - depth[first]))
    assert rates[id(one.network.head.weight)] == pytest.approx(0.01)


def test_the_head_learns_first_and_a_frozen_body_never(colours: Path, tmp_path: Path) -> None:
    torch.manual_seed(options().seed)
    start = build_network(options().network, 3)
    before = start.state_dict()["network.conv1.0.weight"].clone()
    from models.package import ModelPackage
    from models.package.weights import read_weights

    def first_layer(package: Path) -> torch.Tensor:
        return read_weights(ModelPackage.load(package))["network.conv1.0.weight"]

    late = trained(colours, tmp_path / "late", epochs=2, head_epochs=1, max_steps=3)
    assert torch.equal(first_layer(late.package), before)
    whole = trained(colours, tmp_path / "whole", epochs=2, head_epochs=1)
    if whole.best_epoch == 2:
        assert not torch.equal(first_layer(whole.package), before)
    frozen = {**TINY["network"], "freeze": True, "weights": f"model:{whole.package}"}
    kept = trained(colours, tmp_path / "frozen", network=frozen)
    assert torch.equal(first_layer(kept.package), first_layer(whole.package))


def test_a_body_that_waited_for_the_head_learns_its_statistics_then(
    colours: Path, tmp_path: Path
) -> None:
    trained(colours, tmp_path, epochs=2, head_epochs=1)
    held = torch.load(tmp_path / LAST, weights_only=True)["state_dict"]
    means = [value for name, value in held.items() if name.endswith("running_mean")]
    assert means and all(value.any() for value in means)


@pytest.mark.parametrize(
    "change",
    [{"head_epochs": 1}, {"optimizer": {"lr": 0.01, "backbone_lr_factor": 0.0}}],
    ids=str,
)
def test_what_is_frozen_stays_so_in_an_epoch_that_was_cut(
    colours: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    kept: list[bytes] = []
    given = options(checkpoint_steps=1, **change)
    place = Checkpoints(tmp_path / "a", None, lambda file: kept.append(file.read_bytes()))
    CLASSIFICATION.train(colours, given, place, Silence())
    cut = tmp_path / "first.ckpt"
    cut.write_bytes(kept[0])
    trained(colours, tmp_path / "b", cut, checkpoint_steps=1, **change)
    one, other = (
        torch.load(tmp_path / part / LAST, weights_only=True)["state_dict"] for part in "ab"
    )
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize(
    ("network", "line"),
    [
        ({"name": "resnet5O"}, "timm has no model 'resnet5O'; near it: resnet50"),
        ({"name": "test_vit", "image_size": 33}, "image_size=33|can't build test_vit"),
        ({"name": "resnet18", "weights": "/none.pth"}, "there is no file /none.pth"),
    ],
)
def test_networks_that_cannot_be_had_get_one_line(network: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        build_network(NetworkOptions.model_validate(network), 3, pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"network": {"freeze": True}}, "freeze needs network.weights"),
        ({"head_epochs": 2, "epochs": 2}, "leaves none of 2 epochs"),
        ({"augmentation": {"crop": [0.9, 0.5]}}, "the smaller first"),
        ({"class_weights": [-1, 2]}, "weights of 0 or more"),
    ],
)
def test_options_that_do_not_go_together(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        TrainOptions.model_validate(given)


def test_the_best_epoch_is_judged_as_wanted() -> None:
    from models.classification.learner import RawPrediction

    given = labels([3, 1])
    said = [RawPrediction(i, np.array([1.0, 0.0], np.float32)) for i in range(4)]
    figures = Judge(given, ("accuracy", "f1"))(said)
    assert figures["accuracy"] == 0.75
    assert figures["mean of accuracy, f1"] == pytest.approx((0.75 + figures["f1"]) / 2)
    with pytest.raises(ValueError, match="top5 says nothing with 2 classes"):
        Judge(given, ("top5",))


def test_the_baseline_is_a_package_like_others(colours: Path, tmp_path: Path) -> None:
    given = CLASSIFICATION.baseline_options.model_validate({"network": TINY["network"]})
    done = CLASSIFICATION.baseline(colours, given, tmp_path, Silence())
    assert done.metrics["accuracy"] >= 0.6
    found = CLASSIFICATION.evaluate(
        done.package,
        colours,
        "val",
        CLASSIFICATION.evaluate_options.model_validate({"embeddings": 0, "mistakes": 0}),
        Silence(),
    )
    # The head computes what scikit-learn's model did.
    assert found.values["accuracy"] == pytest.approx(done.metrics["accuracy"])
    assert found.values["log loss"] == pytest.approx(done.metrics["log loss"], rel=1e-3)
