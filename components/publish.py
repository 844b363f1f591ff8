"""Register a finished model package: figures, labels, lineage and a card for people.

Run `python -m components.publish --help` for its options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.packages import artifact_for, labels_of, metadata_of, record_parent
from components.promotion import challenge_champion
from components.run import Run
from components.run.references import is_id
from components.stage import Stage, StageOptions, StageResult
from models.benchmark.options import PromotionOptions

if TYPE_CHECKING:
    from models.model_card import Evidence


class PublishConfig(StageOptions):
    """Options of `publish`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    evaluation: str = ""
    """Task id of an `evaluate` run (or its folder) whose figures go into the package. It must
    have measured this package or the one that it was exported from."""
    benchmark: str = ""
    """Task id of a `benchmark` run (or its folder) whose latencies go into the model's card, with
    the machine they were measured on."""
    project: str | None = None
    """Project of the model registry; the task's own unless given."""
    name: str | None = None
    """Name in the registry; the dataset's name unless given."""
    tags: tuple[str, ...] = ()
    """Further tags."""
    final: bool = True
    """Make the registered model read-only (ClearML's `published`)."""
    promotion: PromotionOptions = PromotionOptions()
    """When it becomes the champion: the model that its name stands for. The champion is compared
    with it in the record of `benchmark`."""


class PublishResult(StageResult):
    """What `publish` registered."""

    model: str
    """Id of the registered model."""
    url: str
    """Where its zip lies."""
    metrics: dict[str, float]
    """Its figures by `split/name`."""
    promoted: bool
    """Whether it is the champion of its name now."""
    verdict: str
    """Why it is or isn't."""


def publish(config: PublishConfig, run: Run) -> PublishResult:
    """Put the measured figures into the package, register it, and let it challenge the champion.

    Raises:
        ValueError: no such model or evaluation, or the evaluation is another model's.
    """
    from models.model_card import html, markdown
    from models.package import Metric, ModelPackage

    model = run.model(config.model)
    package = ModelPackage.load(model.folder)
    metrics: dict[str, float] = {}
    if config.evaluation:
        measured = run.result_of(config.evaluation)
        artifact = _measured_artifact(package, model.id, measured, config.evaluation)
        metrics = {str(k): float(v) for k, v in measured["metrics"].items()}
        figures = [
            Metric(name=name, value=value, split=split, artifact=artifact)
            for key, value in metrics.items()
            for split, _, name in [key.partition("/")]
        ]
        package = package.with_metrics(figures)
    package = record_parent(package, model.id).save(run.folder / "package")
    name = config.name or package.card.lineage.dataset.name or "model"
    evidence = _evidence(config, run, (model.id, *package.card.lineage.parents))
    card = markdown(package.card, name, evidence)
    run.artifact("model_card", _text_file(run, "model_card.md", card))
    page = html(package.card, name, evidence)
    run.artifact("model_card_page", _text_file(run, "model_card.html", page))
    for key, value in metrics.items():
        run.value(key, value)
    saved = run.save_model(
        package.folder,
        name=name,
        tags=["released", package.card.family, *config.tags],
        labels=labels_of(package.card.class_names),
        metadata={
            **metadata_of(package),
            **({"benchmark": config.benchmark} if is_id(config.benchmark) else {}),
        },
        comment=card,
        project=config.project,
        publish=config.final,
    )
    run.log(card)
    verdict = challenge_champion(config, run, saved, name, evidence.benchmark)
    return PublishResult(
        model=saved.id,
        url=saved.url,
        metrics=metrics,
        promoted=verdict.promoted,
        verdict=verdict.why,
    )


def _measured_artifact(package: Any, model: str, measured: dict[str, Any], reference: str) -> str:
    """Find which file of this package the figures are about."""
    try:
        owner, artifact = str(measured["model"]), str(measured["artifact"])
        measured["metrics"].items()
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"evaluation: {reference} isn't a run of the evaluate stage") from None
    if owner not in (model, *package.card.lineage.parents):
        raise ValueError(
            f"evaluation: {reference} measured model {owner}, not {model} or one it was made from"
        )
    names = [one.file for one in package.card.artifacts]
    return artifact if artifact in names else artifact_for(package, "torch")


def _evidence(config: PublishConfig, run: Run, models: Sequence[str]) -> Evidence:
    """Gather what other runs have kept about the model.

    Raises:
        ValueError: there is no such run, it kept something else, or it measured another model.
    """
    from models.model_card import read_evidence

    page = run.page()
    pages = {"published by": page}
    evaluation = pictures = benchmark = None
    if config.evaluation:
        pages["evaluated by"] = config.evaluation
        # Runs of earlier versions kept less.
        evaluation = _kept(run, config.evaluation, "evaluation")
        pictures = _kept(run, config.evaluation, "pictures")
    if config.benchmark:
        pages["benchmarked by"] = config.benchmark
        benchmark = run.artifact_of(config.benchmark, "benchmark")
    web = page.partition("/projects/")[0] if page.startswith("http") else ""
    return read_evidence(evaluation, pictures, benchmark, pages, web, models)


def _kept(run: Run, reference: str, name: str) -> Path | None:
    try:
        return run.artifact_of(reference, name)
    except ValueError:
        run.log(f"note: {reference} kept no '{name}', so the model's card goes without")
        return None


def _text_file(run: Run, name: str, text: str) -> Path:
    path = run.folder / name
    path.write_text(text, encoding="utf-8")
    return path


STAGE = Stage(
    name="publish",
    title="Register a finished model package with figures, labels, lineage and a card.",
    function=publish,
    config=PublishConfig,
    result=PublishResult,
    needs="cpu",
    task_type="custom",
)

if __name__ == "__main__":
    STAGE.main()
