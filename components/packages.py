"""What stages write into a model package: where it comes from, its figures, its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from components.run import DatasetCopy, Run
from models.outcomes import TrainingOutcome
from models.package import (
    Artifact,
    DatasetLineage,
    Lineage,
    Metric,
    ModelCard,
    ModelPackage,
    Training,
)
from models.runtimes import RUNTIMES

Config = TypeVar("Config", bound=BaseModel)
RUNTIME_FORMATS = {name: entry.format for name, entry in RUNTIMES.items()}
"""Which form of a model each runtime opens."""


def record_training(
    done: TrainingOutcome, run: Run, dataset: DatasetCopy, options: BaseModel
) -> ModelPackage:
    """Write lineage, recipe and validation figures into a package that was just trained."""
    package = ModelPackage.load(done.package)
    lineage = Lineage(
        dataset=DatasetLineage(
            id=dataset.id, name=dataset.name or None, version=dataset.version or None
        ),
        task=run.id,
        commit=run.commit or None,
    )
    measured = artifact_for(package, "torch")
    figures = [
        Metric(name=name, value=value, split="val", artifact=measured)
        for name, value in done.metrics.items()
    ]
    package = package.with_lineage(lineage).with_training(recipe_of(done, options))
    return package.with_metrics(figures).save(done.package)


def recipe_of(done: TrainingOutcome, options: BaseModel) -> Training:
    """Write down how a model was trained, but for its network, which the package has already."""
    given, usual = (_flat(one.model_dump(mode="json")) for one in (options, type(options)()))
    given = {name: value for name, value in given.items() if not name.startswith("network.")}
    return Training(
        epochs=done.epochs,
        best_epoch=done.best_epoch,
        seconds=round(done.seconds, 1),
        options=given,
        chosen=tuple(name for name, value in given.items() if value != usual.get(name)),
    )


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Write a table's entries under dotted names; lists stay what they are."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def with_models(options: Config, needed: Mapping[str, str], run: Run) -> Config:
    """Fetch the models that options name, and let the options name their folders instead.

    Args:
        options: of a family.
        needed: references by dotted option.
        run: fetches.

    Raises:
        ValueError: there is no such model.
    """
    if not needed:
        return options
    values = options.model_dump()
    for name, reference in needed.items():
        table = values
        *path, leaf = name.split(".")
        for part in path:
            table = table[part]
        # What stands before a reference, such as `model:`, says what it is.
        before = str(table[leaf]).removesuffix(reference)
        table[leaf] = before + str(run.model(reference).folder)
    return type(options).model_validate(values)


def record_parent(package: ModelPackage, parent: str) -> ModelPackage:
    """Note the id of the model that a package was made from."""
    lineage = package.card.lineage
    if parent in lineage.parents:
        return package
    parents = (parent, *lineage.parents)
    return package.with_lineage(lineage.model_copy(update={"parents": parents}))


def artifact_for(package: ModelPackage, runtime: str, precision: str | None = None) -> str:
    """Name the file of a package that a runtime opens; the first unless a precision is given.

    Raises:
        ValueError: the package has no such form.
    """
    wanted = RUNTIME_FORMATS[runtime]
    for artifact in package.card.artifacts:
        if artifact.format == wanted and precision in (None, artifact.precision):
            return artifact.file
    there = ", ".join(f"{a.format} {a.precision}" for a in package.card.artifacts)
    stage = "quantize stage with forms" if precision == "int8" else "export stage with formats"
    raise ValueError(
        f"the model has no {f'{precision} ' if precision else ''}form for {runtime} (it has: "
        f"{there}); run the {stage}={wanted} first"
    )


def form_name(artifact: Artifact) -> str:
    """Name a form as the export stage's option `formats` does."""
    if artifact.precision == "float32":
        return artifact.format
    return f"{artifact.format}-{artifact.precision}"


def forms_of(card: ModelCard) -> tuple[str, ...]:
    """Name the forms of a model."""
    return tuple(form_name(artifact) for artifact in card.artifacts)


def labels_of(names: Sequence[str]) -> dict[str, int]:
    """Enumerate class names as ClearML's label enumeration."""
    return {name: index for index, name in enumerate(names)}


def flat_figures(package: ModelPackage) -> dict[str, float]:
    """Write a package's figures as metadata, by `split/name`, and the form if it isn't torch's.

    A second artifact of a format, such as one in INT8, has its precision in the name too.

    ClearML keeps metadata as a table, whose keys may hold no dots.
    """
    forms = {artifact.file: form_name(artifact) for artifact in package.card.artifacts}
    figures = {}
    for metric in package.card.metrics:
        form = forms.get(metric.artifact, "safetensors")
        name = f"{metric.split}/{metric.name}".replace(".", "_")
        figures[name if form == "safetensors" else f"{name} {form}"] = metric.value
    return figures


def metadata_of(package: ModelPackage) -> dict[str, object]:
    """Gather what is shown beside a model in ClearML."""
    card = package.card
    return {
        **flat_figures(package),
        "family": card.family,
        "dataset": card.lineage.dataset.id or "",
        "commit": card.lineage.commit or "",
        "input": f"{card.preprocessing.width}x{card.preprocessing.height}",
        "threshold": card.threshold.value,
        **(
            {"thresholds by class": ", ".join(f"{n} {v:.4g}" for n, v in own.items())}
            if (own := card.threshold.per_class)
            else {}
        ),
        "formats": ", ".join(forms_of(card)),
    }
