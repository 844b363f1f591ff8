"""Show a model's mistakes, and rank the labels that are likely wrong.

Run `python -m components.audit --help` for its options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from components.packages import artifact_for
from components.prepared import prepared_dataset
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.families import family
from models.outcomes import Audit


class AuditConfig(StageOptions):
    """Options of `audit`."""

    model: str
    """Model package: an id, a name, or a folder or zip on disk."""
    dataset: str
    """Prepared dataset: an id, project/name, project/name@version, a name or a folder on disk."""


class AuditResult(StageResult):
    """What `audit` found."""

    model: str
    dataset: str
    pictures: int
    """Pictures looked at."""
    mistakes: dict[str, int]
    """Counts by `split/kind`."""
    suspects: dict[str, int]
    """Labels that are likely wrong, counted by `split/kind`."""


def audit(config: AuditConfig, run: Run) -> AuditResult:
    """List only what went wrong, the worst first, and what may be wrong with the labels.

    Raises:
        ValueError: no such model or dataset, or they don't belong together.
    """
    from models.package import ModelPackage

    found = family(config.family)
    data = prepared_dataset(run, config.dataset, config.family)
    options = STAGE.part(config, found.audit_options)
    splits: Sequence[str] = getattr(options, "splits", ("train", "val"))
    for split in splits:
        data.need(split)
    model = run.model(config.model)
    # Refused before any work if the package has no such form.
    artifact_for(ModelPackage.load(model.folder), str(getattr(options, "runtime", "torch")))
    done = [found.audit(model.folder, data.folder, split, options, run) for split in splits]
    mistakes, suspects = _counts(done, "mistakes"), _counts(done, "suspects")
    for name, count in mistakes.items():
        run.value(f"{name} mistakes", count)
    for name, count in suspects.items():
        run.value(f"{name} suspected labels", count)
    run.artifact(
        "audit",
        {
            "model": model.id,
            "dataset": data.copy.id,
            "mistakes": {one.split: list(one.mistakes) for one in done},
            "suspects": {one.split: list(one.suspects) for one in done},
        },
    )
    return AuditResult(
        model=model.id,
        dataset=data.copy.id,
        pictures=sum(one.pictures for one in done),
        mistakes=mistakes,
        suspects=suspects,
    )


def _counts(done: Sequence[Audit], what: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in done:
        counts.update(f"{one.split}/{row['kind']}" for row in getattr(one, what))
    return dict(sorted(counts.items()))


STAGE = Stage(
    name="audit",
    title="Show a model's mistakes, and rank the labels that are likely wrong.",
    function=audit,
    config=AuditConfig,
    result=AuditResult,
    needs="gpu",
    task_type="qc",
    mixin=lambda found: found.audit_options,
)

if __name__ == "__main__":
    STAGE.main()
