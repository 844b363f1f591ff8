"""Detection as a task family. Importing this loads no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from models.detection.audit_options import AuditOptions
from models.detection.data.options import PrepareOptions
from models.detection.detections import Detections
from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.networks.options import NetworkOptions
from models.detection.options import TrainOptions
from models.detection.synthetic.options import BarcodeOptions
from models.families import Fused, NetworkTable, Postprocessor, Presenter, Validation
from models.outcomes import Audit, Checkpoints, Evaluation, Preparation, TrainingOutcome, Tuning
from models.reporting import Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.deployment.entry import Standalone
    from models.model_card.terms import CardTerms
    from models.package import ModelCard
    from models.training.options import FinetuneOptions

_CONVOLUTIONS_ALONE = re.compile(r"(test_)?resnet(\d+[dt]?)?(\.|$)|mobilenetv4_conv_")
"""Families of timm's backbones in which no layer takes a mean over its whole input."""


class Detection:
    """Objects in pictures, each with a class and an upright box."""

    name = "detection"
    primary_metric = "mAP"
    gate_metric = "mAP50"
    synthetic_options: type[BaseModel] = BarcodeOptions
    prepare_options: type[BaseModel] = PrepareOptions
    train_options: type[BaseModel] = TrainOptions
    evaluate_options: type[BaseModel] = EvaluateOptions
    tune_options: type[BaseModel] = TuneOptions
    audit_options: type[BaseModel] = AuditOptions

    def recognise(self, folder: Path) -> str | None:
        """Name the annotation format of a raw folder, or None if it isn't detection's."""
        from models.detection.data.formats import recognise

        return recognise(folder)

    def assemble(self, parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
        """Lay splits out as one dataset; see `models.detection.data.assemble`."""
        from models.detection.data.assemble import Part, assemble

        assemble({split: Part(*part) for split, part in parts.items()}, target)

    def synthesize(self, options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
        """Write barcode scenes; see `models.detection.synthetic.barcodes`."""
        from models.detection.synthetic.barcodes import synthesize

        return synthesize(options, folder, reporter)

    def prepare(
        self, source: Path, target: Path, options: BaseModel, reporter: Reporter
    ) -> Preparation:
        """Check, split and convert a raw folder; see `models.detection.data.prepare`."""
        from models.detection.data.prepare import prepare

        return prepare(source, target, options, reporter)

    def train(
        self, dataset: Path, options: BaseModel, checkpoints: Checkpoints, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit a detector; its package lies in `package` below the checkpoints' folder."""
        from models.detection.packaging import save_package
        from models.detection.train import learn
        from models.training.shipping import ship

        options = TrainOptions.model_validate(options)
        fitted = learn(dataset, options, checkpoints, reporter)
        return ship(
            fitted,
            checkpoints,
            lambda package, weights: save_package(package, weights, fitted, dataset, options),
        )

    def tune(self, package: Path, dataset: Path, options: BaseModel, reporter: Reporter) -> Tuning:
        """Find the best confidence threshold on val."""
        from models.detection.judging import tune

        return tune(package, dataset, TuneOptions.model_validate(options), reporter)

    def evaluate(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Evaluation:
        """Measure a package on one split."""
        from models.detection.judging import evaluate

        checked = EvaluateOptions.model_validate(options)
        return evaluate(package, dataset, split, checked, reporter)

    def audit(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Audit:
        """List mistakes and labels that are likely wrong; see `models.detection.audit`."""
        from models.detection.audit import audit

        return audit(package, dataset, split, AuditOptions.model_validate(options), reporter)

    def networks(self, text: str, latency: bool) -> NetworkTable:
        """List the catalogue; see `models.detection.networks.listing`."""
        from models.detection.networks.listing import listing

        return listing(text, latency)

    def network(self, card: ModelCard, weights: Mapping[str, Tensor]) -> nn.Module:
        """Build a package's network; see `models.detection.networks`."""
        from models.detection.networks.building import build_network
        from models.training.weights import load_network_weights

        try:
            options = NetworkOptions.model_validate(card.network)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(["network", *map(str, first["loc"])])
            raise ValueError(f"model.json: {where}: {first['msg']}") from error
        network = build_network(options, len(card.classes))
        load_network_weights(network, weights)
        return network

    def postprocessor(self, card: ModelCard) -> Postprocessor:
        """Make what turns output tensors into `Detections`."""
        from models.detection.postprocessing import postprocessor

        return postprocessor(card)

    def fused(self, card: ModelCard) -> Fused:
        """Describe the fused form; see `models.detection.postprocessing.fused`."""
        from models.detection.postprocessing.fused import fused

        return fused(card)

    def result_tensors(
        self, card: ModelCard, results: Sequence[Detections]
    ) -> dict[str, NDArray[Any]]:
        """Lay detections out as tensors; see `models.detection.result_tensors`."""
        from models.detection.result_tensors import result_tensors

        return result_tensors(card.class_names, results)

    def input_step(self, card: ModelCard) -> int | None:
        """Allow it for YOLOX on backbones of convolutions alone, in its coarsest stride.

        Queries look at the whole input, SSD's anchors are shares of it, and ATSS and
        squeeze-and-excite blocks take means over it.
        """
        options = NetworkOptions.model_validate(card.network)
        if options.name.startswith("yolox-"):
            return 32
        plain = _CONVOLUTIONS_ALONE.match(options.timm_backbone)
        return 32 if options.name == "yolox" and plain else None

    def presenter(self, card: ModelCard) -> Presenter:
        """Make what draws and writes boxes; see `models.detection.presenting`."""
        from models.detection.presenting import DetectionPresenter

        return DetectionPresenter(card)

    def card_terms(self) -> CardTerms:
        """Speak of objects, average precision and boxes found."""
        from models.detection.networks.options import effective
        from models.model_card.terms import CardTerms

        return CardTerms(
            figures=("mAP", "mAP50", "mAP75", "precision", "recall", "f1", "iou"),
            class_columns=("class", "objects", "AP", "AP50", "precision", "recall", "f1"),
            things="objects",
            counted="boxes",
            empty="without objects",
            effective=effective,
        )

    def standalone(self, card: ModelCard) -> Standalone:
        """Describe the shipped detector."""
        from models.deployment.entry import Standalone, listed
        from models.detection.postprocessing.package import steps_of

        return Standalone(
            model="models.detection.standalone:Detector",
            result="models.detection.detections:Detections",
            postprocessing=steps_of(card).model_dump(mode="json"),
            does=f"finds {listed(card.class_names)} in pictures",
            usage=(
                "for box, score, label in zip(found.boxes, found.scores, found.classes):",
                "    print(model.classes[label], score, box)  # left, top, right, bottom in pixels",
            ),
        )

    def validation(self, card: ModelCard, dataset: Path, split: str, most: int) -> Validation:
        """Open labelled pictures; see `models.detection.validation`."""
        from models.detection.validation import DetectionValidation

        return DetectionValidation(card, dataset, split, most)

    def finetune(
        self,
        card: ModelCard,
        network: nn.Module,
        dataset: Path,
        options: FinetuneOptions,
        scratch: Path,
        reporter: Reporter,
    ) -> dict[str, float]:
        """Teach a detector some more; see `models.detection.finetune`."""
        from models.detection.finetune import finetune

        return finetune(card, network, dataset, options, scratch, reporter)

    def attends(self, card: ModelCard) -> bool:
        """Say whether it is a query network: their decoders are transformers."""
        return "queries" in NetworkOptions.model_validate(card.network).entry.options

    def differences(
        self, reference: Sequence[Detections], candidate: Sequence[Detections], floor: float
    ) -> dict[str, NDArray[np.float64]]:
        """Compare two runtimes' detections; see `models.detection.differences`."""
        from models.detection.differences import differences

        return differences(reference, candidate, floor)


DETECTION = Detection()
