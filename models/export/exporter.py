"""From a trained package to one that other runtimes run, checked on real pictures."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from models.export.checks import Comparison, latency
from models.export.forms import RUNTIME_OF, check_possible, write_forms
from models.export.options import ExportOptions
from models.export.report import ExportError, ExportReport, FormReport
from models.families import Family, Validation, family
from models.package import Metric, ModelPackage, NewArtifact, Parity
from models.reporting import Reporter
from models.runtimes import Predictor, load_predictor


def export(
    package: Path | str,
    target: Path | str,
    dataset: Path | str,
    options: ExportOptions,
    reporter: Reporter,
) -> ExportReport:
    """Write a new package that holds the weights and the exported forms.

    Every form is compared with PyTorch in float32 on real pictures, result by result in batches of
    1 and 3 and by the family's main metric. Nothing is written if one of them isn't the model any
    more.

    Args:
        package: folder of the trained package.
        target: folder to make.
        dataset: prepared dataset folder with the model's classes.
        options: what to write and what it must stand.
        reporter: takes progress and the table.

    Returns:
        The figures of every form.

    Raises:
        ExportError: a form is wrong or lost accuracy, with the figures.
        ValueError: a damaged package, a dataset that doesn't fit, a library that isn't there, or a
            target that isn't empty.
    """
    source, target = ModelPackage.load(package), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} is not empty; export into a new folder")
    check_possible(source, options)
    kind = family(source.card.family)
    validation = kind.validation(source.card, Path(dataset), options.split, options.metric_pictures)
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        made = write_forms(source, room, options, reporter)
        draft = source.with_artifacts(list(made.values()))
        forms = _measure(kind, draft, validation, options, reporter)
        _refuse_losses(forms, kind.primary_metric, options.budget)
        _save(draft, made, forms, validation, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    report = ExportReport(
        package=target,
        metric=kind.primary_metric,
        budget=options.budget,
        split=validation.split,
        pictures=len(validation),
        forms=tuple(forms),
    )
    reporter.table("export", "forms", *report.table())
    return report


def _measure(
    kind: Family,
    draft: ModelPackage,
    validation: Validation,
    options: ExportOptions,
    reporter: Reporter,
) -> list[FormReport]:
    """Measure PyTorch, then each form against it."""
    metric = kind.primary_metric
    with load_predictor(draft, "torch", "cpu", options.threads) as reference:
        comparison = Comparison(kind, reference, validation, options)
        reporter.log(f"measuring torch on {len(validation)} pictures of {validation.split}")
        forms = [_form(draft, reference, comparison, None, validation.measure(reference), options)]
    best = forms[0].metrics.get(metric, 0.0)
    for wanted in options.forms:
        runtime = RUNTIME_OF[wanted.format]
        device = "cuda" if wanted.format == "tensorrt" else "cpu"
        with load_predictor(
            draft, runtime, device, options.threads, precision=wanted.precision
        ) as candidate:
            parity = comparison.parity(candidate, options.tolerance_of(wanted.precision))
            if parity is None:
                reporter.log(
                    f"warning: the model finds nothing surer than {options.floor:g} on these "
                    f"pictures, so the runtimes' results could not be compared"
                )
            reporter.log(f"measuring {candidate.engine.artifact} on {len(validation)} pictures")
            metrics = validation.measure(candidate)
            form = _form(draft, candidate, comparison, parity, metrics, options, best, metric)
            forms.append(form)
    return forms


def _form(
    draft: ModelPackage,
    predictor: Predictor,
    comparison: Comparison,
    parity: Parity | None,
    metrics: dict[str, float],
    options: ExportOptions,
    best: float = 0.0,
    metric: str = "",
) -> FormReport:
    file = predictor.engine.artifact
    artifact = next(artifact for artifact in draft.card.artifacts if artifact.file == file)
    return FormReport(
        runtime=predictor.runtime,
        file=file,
        precision=artifact.precision,
        bytes=artifact.bytes,
        metrics=metrics,
        drop=best - metrics.get(metric, 0.0) if metric else 0.0,
        parity=parity,
        latency=latency(predictor, comparison.images, options.latency_calls),
    )


def _refuse_losses(forms: list[FormReport], metric: str, budget: float) -> None:
    lines = [
        f"{form.file} under {form.runtime} has {metric} {form.metrics.get(metric, 0.0):.4f}, "
        f"{form.drop:.4f} less than PyTorch"
        for form in forms
        if form.drop > budget
    ]
    if lines:
        raise ExportError(f"{'; '.join(lines)}: more than the budget of {budget:g}")


def _save(
    draft: ModelPackage,
    made: dict[str, NewArtifact],
    forms: list[FormReport],
    validation: Validation,
    target: Path,
) -> ModelPackage:
    parities = {form.file: form.parity for form in forms}
    checked = [replace(new, parity=parities[file]) for file, new in made.items()]
    figures = [
        Metric(
            name=name,
            value=value,
            split=validation.split,
            artifact=form.file,
            pictures=len(validation),
        )
        for form in forms
        if form.file in made
        for name, value in form.metrics.items()
    ]
    return draft.with_artifacts(checked).with_metrics(figures).save(target)
