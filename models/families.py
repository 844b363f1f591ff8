"""A task family: all that the stages can't know about detection, OCR or classification.

The stages are the same for every family and reach it only through `Family`. A family is named
by the prepared dataset (`dataset.json`) and by the model package (`model.json`), so a stage
never asks which one it has. Adding a family is one folder and one line in `_FAMILIES`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.outcomes import (
    Audit,
    Checkpoints,
    Evaluation,
    Preparation,
    TrainingOutcome,
    Tuning,
)
from models.reporting import Image, Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.deployment.entry import Standalone
    from models.model_card.terms import CardTerms
    from models.package import ModelCard, Output
    from models.preprocessing import Placement
    from models.training.options import FinetuneOptions

_FAMILIES = {
    "detection": "models.detection.family:DETECTION",
    "ocr": "models.ocr.family:OCR",
    "classification": "models.classification.family:CLASSIFICATION",
}
DEFAULT_FAMILY = "detection"
"""Where neither the user nor the data say which it is, as for synthetic data."""


class NoOptions(BaseModel):
    """Options of what a family doesn't have."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Postprocessor = Callable[
    [Sequence[NDArray[np.float32]], "Sequence[Placement]", float | None], list[Any]
]
"""Turns output tensors (in the order of `model.json`, batch first) and the placements of their
pictures into one result for each picture, cut at a threshold; None takes the package's own."""


class NodeList(Protocol):
    """Takes the operators (ONNX) of a postprocessor; tensors go by their names."""

    FLOAT: int
    BOOL: int

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output and name that."""

    def add_many(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add an operator and name its outputs."""

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant and name it."""


@dataclass(frozen=True)
class Fused:
    """A family's postprocessor as part of an ONNX graph."""

    outputs: Sequence[Output]
    """Of the whole graph."""
    write: Callable[[Sequence[str], NodeList], Sequence[str]]
    """From the names of the network's outputs to those of `outputs`."""
    place: Postprocessor
    """What is left to do with `outputs`: into the picture's pixels, and the threshold."""


Predict = Callable[[Sequence[Image], float | None], list[Any]]
"""Pictures and a threshold in, one result for each picture out; a `Predictor` is one."""


class Measurement(Protocol):
    """What predictions on labelled pictures are worth, on all of them and on any choice."""

    values: dict[str, float]
    """The family's main figures over all pictures; greater is better."""

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        """Compute the family's main metric with each picture counted so often; nan for none."""


@dataclass(frozen=True)
class Region:
    """A part of a picture that a result is about."""

    label: str
    box: tuple[float, float, float, float]
    """xyxy, pixels of the picture, inside it."""
    score: float


class Presenter(Protocol):
    """Shows and writes one model's results. May be used from several threads at once."""

    classes: Sequence[str]
    """Class names by index."""
    categories: Sequence[dict[str, Any]]
    """Of COCO."""
    columns: Sequence[str]
    """Keys of `rows`."""
    writes: Collection[str]
    """Which of `crops`, `yolo` and `coco` this family's results can be written as; the methods for
    the others are never called."""

    def draw(self, image: Image, result: Any) -> Image:
        """Draw a result on a copy of its picture."""

    def tally(self, result: Any) -> Mapping[str, int]:
        """Count what a picture shows, by the name that people know it by."""

    def colour(self, name: str) -> tuple[int, int, int]:
        """Give the RGB colour that a name of `tally` is drawn in."""

    def regions(self, result: Any) -> Sequence[Region]:
        """Name the parts of the picture that it is about."""

    def rows(self, result: Any) -> Sequence[dict[str, Any]]:
        """Make a JSON-able row of each thing found, the same keys in each."""

    def yolo(self, result: Any, height: int, width: int, scores: bool) -> Sequence[str]:
        """Make the lines of a YOLO label file for a picture of this size, pixels.

        Args:
            result: of the picture.
            height: of the picture.
            width: of the picture.
            scores: add the confidence to each line.
        """

    def coco(self, result: Any) -> Sequence[dict[str, Any]]:
        """Make COCO annotations with scores, without `id` and `image_id`."""


class Validation(Protocol):
    """Labelled pictures on which the forms of one model are compared."""

    split: str

    def __len__(self) -> int:
        """Count the pictures."""

    def picture(self, index: int) -> Image:
        """Decode one of them."""

    def measure(self, predict: Predict) -> dict[str, float]:
        """Compute the family's main figures over all of them; greater is better."""

    def measure_each(self, predict: Predict, indices: Sequence[int] | None = None) -> Measurement:
        """Measure so that figures can be had for any choice of the pictures.

        Args:
            predict: the model.
            indices: pictures to predict; all unless given.
        """


@dataclass(frozen=True)
class NetworkTable:
    """The networks of a family, for people and programs."""

    columns: Mapping[str, str]
    """Headings of the columns that people see, by key of `rows`."""
    rows: Sequence[dict[str, Any]]
    """JSON-able, one for each network; `name` and `family` are among the keys."""
    note: str = ""
    """A line below the table."""


class Family(Protocol):
    """The door between the stages and one kind of task."""

    name: str
    primary_metric: str
    """The figure that picks the best epoch unless the options say otherwise."""
    gate_metric: str
    """The figure that lets a model go on unless the options say otherwise."""
    synthetic_options: type[BaseModel]
    prepare_options: type[BaseModel]
    train_options: type[BaseModel]
    evaluate_options: type[BaseModel]
    tune_options: type[BaseModel]
    audit_options: type[BaseModel]

    # Data: no torch.

    def recognise(self, folder: Path) -> str | None:
        """Name the annotation format of a raw folder, or None if it isn't this family's."""

    def synthesize(self, options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
        """Write a raw synthetic dataset into `folder`; the same options give the same bytes.

        Returns JSON-able facts about it, such as the share that a decoder reads.
        """

    def prepare(
        self, source: Path, target: Path, options: BaseModel, reporter: Reporter
    ) -> Preparation:
        """Check, split and convert the raw folder `source` into the dataset folder `target`."""

    # Learning: torch from here on.

    def train(
        self, dataset: Path, options: BaseModel, checkpoints: Checkpoints, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit a model on the dataset's train split, judged on its val split."""

    def tune(self, package: Path, dataset: Path, options: BaseModel, reporter: Reporter) -> Tuning:
        """Find the best threshold on val predictions that no threshold has cut."""

    def evaluate(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Evaluation:
        """Measure the package on one split with the threshold stored in it."""

    def audit(
        self, package: Path, dataset: Path, split: str, options: BaseModel, reporter: Reporter
    ) -> Audit:
        """List the package's mistakes on one split, and the labels that are likely wrong.

        Raises:
            ValueError: no such split, or other classes than the model's.
        """

    # What there is to choose from: no torch.

    def networks(self, text: str, latency: bool) -> NetworkTable:
        """List the networks whose name holds a text; all for an empty one.

        Args:
            text: part of a name, any case.
            latency: measure each on this machine (seconds each).
        """

    # Running and shipping a model package.

    def network(self, card: ModelCard, weights: Mapping[str, Tensor]) -> nn.Module:
        """Build the network that a model package describes, with its weights; no hub is asked.

        It takes normalised pictures, float32 [B, 3, H, W], and returns a tuple of tensors: the
        outputs of `model.json`, batch first.

        Raises:
            ValueError: the description or the weights are another network's.
        """

    def assemble(self, parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
        """Put a raw folder together from annotations and pictures named for each split.

        Args:
            parts: annotations and the folder of pictures, by split.
            target: folder to make, which `recognise` then knows.

        Raises:
            ValueError: something isn't there or doesn't fit together.
        """

    def postprocessor(self, card: ModelCard) -> Postprocessor:
        """Make what turns output tensors into results, as the package describes it. No torch.

        Raises:
            ValueError: the description isn't understood.
        """

    def fused(self, card: ModelCard) -> Fused:
        """Describe the form whose postprocessor is inside the ONNX graph. No torch.

        Raises:
            ValueError: the description isn't understood.
        """

    def result_tensors(self, card: ModelCard, results: Sequence[Any]) -> dict[str, NDArray[Any]]:
        """Lay the results of some pictures out as tensors, for a service.

        Returns:
            By name: `count` (B,) int32, how many results each picture has, then tensors with the
            results of all pictures one behind the other; texts as objects. One that begins with
            `character_` has an entry for each character, as many for a result as `lengths` says.
        """

    def input_step(self, card: ModelCard) -> int | None:
        """Say in which steps of pixels the input may be cut smaller by padding alone.

        None where the network takes one size only, or finds other things on another. No torch.
        """

    def card_terms(self) -> CardTerms:
        """Say how such models are spoken of in their cards. No torch."""

    def standalone(self, card: ModelCard) -> Standalone:
        """Describe the code that runs this model without this project. No torch.

        Raises:
            ValueError: the description isn't understood, or such models can't be shipped.
        """

    def presenter(self, card: ModelCard) -> Presenter:
        """Make what shows and writes this model's results. No torch."""

    def validation(self, card: ModelCard, dataset: Path, split: str, most: int) -> Validation:
        """Open a split of a dataset folder, at most `most` pictures spread over it.

        Raises:
            ValueError: no such split, or other classes than the model's.
        """

    def finetune(
        self,
        card: ModelCard,
        network: nn.Module,
        dataset: Path,
        options: FinetuneOptions,
        scratch: Path,
        reporter: Reporter,
    ) -> dict[str, float]:
        """Teach a package's network some more, in place, with the family's own loss.

        Args:
            card: of the package.
            network: from `network`, ready to learn; it ends with the best epoch's weights.
            dataset: prepared dataset folder.
            options: how long and how fast.
            scratch: for checkpoints.
            reporter: takes progress.

        Returns:
            Validation figures of the best epoch.

        Raises:
            ValueError: another dataset, or the training diverged.
        """

    def attends(self, card: ModelCard) -> bool:
        """Say whether the network is built on attention, which is quantised in a way of its own."""

    def differences(
        self, reference: Sequence[Any], candidate: Sequence[Any], floor: float
    ) -> dict[str, NDArray[np.float64]]:
        """Compare two runtimes' uncut results on the same pictures.

        Only results at least as sure as `floor` in one of the two count; each is paired with its
        like in the other.

        Returns:
            For each quantity (`score`; `position` in pixels) the absolute differences, one for
            each result and in the same order; infinite for a result without a partner.
        """


@runtime_checkable
class WithBaseline(Protocol):
    """A family that has a simple model to hold the trained ones against."""

    baseline_options: type[BaseModel]

    def baseline(
        self, dataset: Path, options: BaseModel, folder: Path, reporter: Reporter
    ) -> TrainingOutcome:
        """Fit the simple model on train; its package lies in `folder`."""


@runtime_checkable
class WithModels(Protocol):
    """A family whose training may take in other models, as a teacher or as a start."""

    def models_needed(self, options: BaseModel) -> Mapping[str, str]:
        """Name the models that training takes in: references by dotted option."""


def family(name: str) -> Family:
    """Load a family by name.

    Raises:
        ValueError: no such family.
    """
    try:
        module, attribute = _FAMILIES[name].split(":")
    except KeyError:
        raise ValueError(f"no task family '{name}'; there are: {', '.join(families())}") from None
    found: Family = getattr(importlib.import_module(module), attribute)
    return found


def families() -> Sequence[str]:
    """Names of all task families, the one tried first in front."""
    return tuple(name for name, place in _FAMILIES.items() if _is_here(place.partition(":")[0]))


@cache
def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
