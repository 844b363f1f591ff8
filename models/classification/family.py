"""Classification as a task family. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from models.classification.data.options import PrepareOptions
from models.classification.judging_options import AuditOptions, EvaluateOptions, TuneOptions
from models.classification.naming import Classification as Result
from models.classification.networks.options import PACKAGE, NetworkOptions
from models.classification.options import BaselineOptions, TrainOptions
from models.classification.synthetic.options import RiceOptions
from models.families import Fused, NetworkTable, Postprocessor, Presenter, Validation
from models.outcomes import Audit, Checkpoints, Evaluation, Preparation, TrainingOutcome, Tuning
from models.reporting import Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.deployment.entry import Standalone
    from models.model_card.terms import CardTerms
    from models.package import ModelCard
    from models.training.options import FinetuneOptions


class Classification:
    """Whole pictures, each with one class or, where the data say so, with any number."""

    name = "classification"
    primary_metric = "accuracy"
    gate_metric = "accuracy"
    synthetic_options: type[BaseModel] = RiceOptions
    prepare_options: type[BaseModel] = PrepareOptions
    train_options: type[BaseModel] = TrainOptions
    baseline_options: type[BaseModel] = BaselineOptions
    evaluate_options: type[BaseModel] = EvaluateOptions
    tune_options: type[BaseModel] = TuneOptions
    audit_options: type[BaseModel] = AuditOptions

    def recognise(self, folder: Path) -> str | None:
        """Name the layout of a raw folder, or None if it isn't classification's."""
        from models.classification.data.formats import recognise

        return recognise(folder)

    def assemble(self, parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
        """Put tables and pictures of splits together; see `models.classification.data.assemble`."""
        from models.classification.data.assemble import assemble

        assemble(parts, target)

    def synthesize(self, options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
        """Draw grains of rice; see `models.classification.synthetic.rice`."""
        from models.classification.synthetic.rice import synthesize

        return synthesize(options, folder, reporter)

    def prepare(
        self, source: Path, target: Path, options: BaseModel, reporter: Reporter
    ) -> Preparation:
        """Check, split and convert a raw folder; see `models.classification.data.prepare`."""
        from models.classification.data.prepare import prepare

        return prepare(source, target, options, reporter)

    def train(
        self, dataset: Path, options: BaseModel, checkpoints: Checkpoints, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit a classifier; its package lies in `package` below the checkpoints' folder."""
        from models.classification.packaging import save_package
        from models.classification.train import learn, preprocessing_of
        from models.training.shipping import ship

        options = TrainOptions.model_validate(options)
        fitted = learn(dataset, options, checkpoints, reporter)
        preprocessing = preprocessing_of(options)

        def save(package: Path, weights: Path) -> None:
            save_package(package, weights, dataset, options.network, preprocessing, fitted.metrics)

        return ship(fitted, checkpoints, save)

    def models_needed(self, options: BaseModel) -> Mapping[str, str]:
        """Name the teacher, and the package whose weights training starts from."""
        options = TrainOptions.model_validate(options)
        needed = {"distill.model": options.distill.model} if options.distill.model else {}
        if options.network.weights.startswith(PACKAGE):
            needed["network.weights"] = options.network.weights.removeprefix(PACKAGE)
        return needed

    def baseline(
        self, dataset: Path, options: BaseModel, folder: Path, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit logistic regression on frozen features; see `models.classification.baseline`."""
        from models.classification.baseline import baseline

        return baseline(dataset, BaselineOptions.model_validate(options), folder, reporter)

    def tune(self, package: Path, dataset: Path, options: BaseModel, reporter: Reporter) -> Tuning:
        """Fit the temperature and find the threshold on val."""
        from models.classification.judging import tune

        return tune(package, dataset, TuneOptions.model_validate(options), reporter)

    def evaluate(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Evaluation:
        """Measure a package on one split."""
        from models.classification.judging import evaluate

        checked = EvaluateOptions.model_validate(options)
        return evaluate(package, dataset, split, checked, reporter)

    def audit(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Audit:
        """List mistakes and labels that are likely wrong; see `models.classification.audit`."""
        from models.classification.audit import audit

        return audit(package, dataset, split, AuditOptions.model_validate(options), reporter)

    def networks(self, text: str, latency: bool) -> NetworkTable:
        """List timm's classifiers; see `models.classification.networks.listing`."""
        from models.classification.networks.listing import listing

        return listing(text, latency)

    def network(self, card: ModelCard, weights: Mapping[str, Tensor]) -> nn.Module:
        """Build a package's network; see `models.classification.networks`."""
        from models.classification.networks.classifier import build_network
        from models.training.weights import load_network_weights

        network = build_network(_network_options(card), len(card.classes))
        load_network_weights(network, weights)
        return network

    def postprocessor(self, card: ModelCard) -> Postprocessor:
        """Make what turns logits into named classes."""
        from models.classification.postprocessing import postprocessor

        return postprocessor(card)

    def fused(self, card: ModelCard) -> Fused:
        """Describe the fused form; see `models.classification.postprocessing`."""
        from models.classification.postprocessing import fused

        return fused(card)

    def result_tensors(self, card: ModelCard, results: Sequence[Result]) -> dict[str, NDArray[Any]]:
        """Lay classes out as tensors; see `models.classification.result_tensors`."""
        from models.classification.result_tensors import result_tensors

        return result_tensors(card.class_names, results)

    def standalone(self, card: ModelCard) -> Standalone:
        """Describe the shipped classifier."""
        from models.classification.postprocessing import steps_of
        from models.deployment.entry import Standalone, listed

        return Standalone(
            model="models.classification.standalone:Classifier",
            result="models.classification.naming:Classification",
            postprocessing=steps_of(card).model_dump(mode="json"),
            does=f"tells {listed(card.class_names)} apart",
            usage=(
                "for label in found.named:  # none: it doesn't know",
                "    print(model.classes[label], found.scores[label])",
            ),
        )

    def card_terms(self) -> CardTerms:
        """Speak of pictures, accuracy and calibration."""
        from models.model_card.terms import CardTerms

        return CardTerms(
            figures=("accuracy", "f1", "top5", "mAP", "precision", "recall", "coverage", "ece"),
            class_columns=("class", "pictures", "precision", "recall", "f1"),
            things="pictures",
            counted="pictures",
        )

    def input_step(self, card: ModelCard) -> int | None:
        """Say None: classifiers take a mean over their whole input."""
        return None

    def presenter(self, card: ModelCard) -> Presenter:
        """Make what shows and writes names; see `models.classification.presenting`."""
        from models.classification.presenting import ClassificationPresenter

        return ClassificationPresenter(card)

    def validation(self, card: ModelCard, dataset: Path, split: str, most: int) -> Validation:
        """Open labelled pictures; see `models.classification.validation`."""
        from models.classification.validation import ClassificationValidation

        return ClassificationValidation(card, dataset, split, most)

    def finetune(
        self,
        card: ModelCard,
        network: nn.Module,
        dataset: Path,
        options: FinetuneOptions,
        scratch: Path,
        reporter: Reporter,
    ) -> dict[str, float]:
        """Teach a classifier some more; see `models.classification.finetune`."""
        from models.classification.finetune import finetune

        return finetune(card, network, dataset, options, scratch, reporter)

    def attends(self, card: ModelCard) -> bool:
        """Say whether the network is a transformer, by its name in timm."""
        from models.classification.networks.kinds import attends

        return attends(_network_options(card).name)

    def differences(
        self, reference: Sequence[Result], candidate: Sequence[Result], floor: float
    ) -> dict[str, NDArray[np.float64]]:
        """Compare two runtimes' confidences; see `models.classification.differences`."""
        from models.classification.differences import differences

        return differences(reference, candidate, floor)


def _network_options(card: ModelCard) -> NetworkOptions:
    """Read the network part of a package.

    Raises:
        ValueError: it isn't one of this family's.
    """
    try:
        return NetworkOptions.model_validate(card.network)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["network", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error


CLASSIFICATION = Classification()
