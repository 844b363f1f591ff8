"""OCR as a task family. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from models.families import Fused, NetworkTable, Postprocessor, Presenter, Validation
from models.ocr.audit_options import AuditOptions
from models.ocr.data.options import PrepareOptions
from models.ocr.judging_options import EvaluateOptions, TuneOptions
from models.ocr.networks.options import NetworkOptions
from models.ocr.options import TrainOptions
from models.ocr.readings import Reading
from models.ocr.synthetic.options import LineOptions
from models.outcomes import Audit, Checkpoints, Evaluation, Preparation, TrainingOutcome, Tuning
from models.reporting import Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.deployment.entry import Standalone
    from models.model_card.terms import CardTerms
    from models.package import ModelCard
    from models.training.options import FinetuneOptions


class Ocr:
    """Pictures of single lines, each with its text."""

    name = "ocr"
    primary_metric = "exact_match"
    gate_metric = "exact_match"
    synthetic_options: type[BaseModel] = LineOptions
    prepare_options: type[BaseModel] = PrepareOptions
    train_options: type[BaseModel] = TrainOptions
    evaluate_options: type[BaseModel] = EvaluateOptions
    tune_options: type[BaseModel] = TuneOptions
    audit_options: type[BaseModel] = AuditOptions

    def recognise(self, folder: Path) -> str | None:
        """Name the annotation format of a raw folder, or None if it isn't OCR's."""
        from models.ocr.data.formats import recognise

        return recognise(folder)

    def assemble(self, parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
        """Lay splits out as one dataset; see `models.ocr.data.assemble`."""
        from models.ocr.data.assemble import assemble

        assemble(parts, target)

    def synthesize(self, options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
        """Write lines of barcodes; see `models.ocr.synthetic.lines`."""
        from models.ocr.synthetic.lines import synthesize

        return synthesize(options, folder, reporter)

    def prepare(
        self, source: Path, target: Path, options: BaseModel, reporter: Reporter
    ) -> Preparation:
        """Check, split and convert a raw folder; see `models.ocr.data.prepare`."""
        from models.ocr.data.prepare import prepare

        return prepare(source, target, options, reporter)

    def train(
        self, dataset: Path, options: BaseModel, checkpoints: Checkpoints, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit a reader; its package lies in `package` below the checkpoints' folder."""
        from models.ocr.packaging import save_package
        from models.ocr.train import learn
        from models.training.shipping import ship

        options = TrainOptions.model_validate(options)
        fitted, alphabet = learn(dataset, options, checkpoints, reporter)
        return ship(
            fitted,
            checkpoints,
            lambda package, weights: save_package(package, weights, fitted, alphabet, options),
        )

    def tune(self, package: Path, dataset: Path, options: BaseModel, reporter: Reporter) -> Tuning:
        """Find the confidence threshold for a wanted precision on val."""
        from models.ocr.judging import tune

        return tune(package, dataset, TuneOptions.model_validate(options), reporter)

    def evaluate(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Evaluation:
        """Measure a package on one split."""
        from models.ocr.judging import evaluate

        checked = EvaluateOptions.model_validate(options)
        return evaluate(package, dataset, split, checked, reporter)

    def audit(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Audit:
        """List wrong readings and labels that are likely wrong; see `models.ocr.audit`."""
        from models.ocr.audit import audit

        return audit(package, dataset, split, AuditOptions.model_validate(options), reporter)

    def networks(self, text: str, latency: bool) -> NetworkTable:
        """List both networks; see `models.ocr.networks.listing`."""
        from models.ocr.networks.listing import listing

        return listing(text, latency)

    def network(self, card: ModelCard, weights: Mapping[str, Tensor]) -> nn.Module:
        """Build a package's network; see `models.ocr.networks`."""
        from models.ocr.networks.building import build_network
        from models.training.weights import load_network_weights

        network = build_network(_network_options(card), len(card.classes))
        load_network_weights(network, weights)
        return network

    def postprocessor(self, card: ModelCard) -> Postprocessor:
        """Make what turns output tensors into `Reading`s."""
        from models.ocr.postprocessing import postprocessor

        return postprocessor(card)

    def fused(self, card: ModelCard) -> Fused:
        """Describe the fused form; see `models.ocr.fused`."""
        from models.ocr.fused import fused

        return fused(card)

    def result_tensors(
        self, card: ModelCard, results: Sequence[Reading]
    ) -> dict[str, NDArray[Any]]:
        """Lay readings out as tensors; see `models.ocr.result_tensors`."""
        from models.ocr.result_tensors import result_tensors

        return result_tensors(results)

    def card_terms(self) -> CardTerms:
        """Speak of lines, their texts and the characters in them."""
        from models.model_card.terms import CardTerms
        from models.ocr.networks.options import effective

        return CardTerms(
            figures=("exact_match", "cer", "edit_distance", "precision", "coverage"),
            class_columns=("class", "true", "recall", "precision", "most often taken for"),
            things="occurrences",
            counted="",
            totals=(("lines", "lines"), ("different texts", "texts")),
            classes_key="characters",
            a_class="character",
            classes="Characters",
            effective=effective,
        )

    def standalone(self, card: ModelCard) -> Standalone:
        """Describe the shipped reader."""
        from models.deployment.entry import Standalone
        from models.ocr.postprocessing import steps_of

        return Standalone(
            model="models.ocr.standalone:TextReader",
            result="models.ocr.readings:Reading",
            postprocessing=steps_of(card).model_dump(mode="json"),
            does=f"reads lines of text made of {len(card.classes)} characters",
            usage=(
                "print(found.text, found.confidence, found.accepted)",
                "print(found.characters)  # the confidence of each character",
            ),
        )

    def input_step(self, card: ModelCard) -> int | None:
        """Refuse it: both networks look along the whole line, padding included."""
        return None

    def presenter(self, card: ModelCard) -> Presenter:
        """Make what writes texts; see `models.ocr.presenting`."""
        from models.ocr.presenting import ReadingPresenter

        return ReadingPresenter(card)

    def validation(self, card: ModelCard, dataset: Path, split: str, most: int) -> Validation:
        """Open labelled lines; see `models.ocr.validation`."""
        from models.ocr.validation import ReadingValidation

        return ReadingValidation(card, dataset, split, most)

    def finetune(
        self,
        card: ModelCard,
        network: nn.Module,
        dataset: Path,
        options: FinetuneOptions,
        scratch: Path,
        reporter: Reporter,
    ) -> dict[str, float]:
        """Teach a reader some more; see `models.ocr.finetune`."""
        from models.ocr.finetune import finetune

        return finetune(card, network, dataset, options, scratch, reporter)

    def attends(self, card: ModelCard) -> bool:
        """Say whether it has attention blocks."""
        options = _network_options(card)
        return options.name == "svtr" and options.attention > 0

    def differences(
        self, reference: Sequence[Reading], candidate: Sequence[Reading], floor: float
    ) -> dict[str, NDArray[np.float64]]:
        """Compare two runtimes' readings; see `models.ocr.differences`."""
        from models.ocr.differences import differences

        return differences(reference, candidate, floor)


def _network_options(card: ModelCard) -> NetworkOptions:
    try:
        return NetworkOptions.model_validate(card.network)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["network", *map(str, first["loc"])])
        raise ValueError(f"model.json: {where}: {first['msg']}") from error


OCR = Ocr()
