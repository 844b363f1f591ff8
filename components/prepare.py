"""Check, split and convert raw data into a dataset version that training never has to doubt.

Run `python -m components.prepare --help` for its options.
"""

from __future__ import annotations

from components.run import Run
from components.run.links import take_links
from components.stage import Stage, StageOptions, StageResult
from models.families import family
from models.outcomes import Preparation

_SHOWN_REJECTED = 200


class PrepareConfig(StageOptions):
    """Options of `prepare`."""

    dataset: str
    """Raw dataset: an id, project/name, project/name@version, a name or a folder on disk."""
    project: str | None = None
    """ClearML project of the new version; the task's own unless given."""
    name: str | None = None
    """Name of the new dataset; the raw one's without `-raw` unless given."""
    version: str | None = None
    """Version as 1.2.3; the next free one unless given."""
    increment: bool = True
    """Store only what differs from the dataset's latest version, where half or more of it stays
    the same. Readers then fetch that version too; with false, all files are stored anew."""
    keep_local: bool = True
    """Leave the local copy of the raw data in the cache."""


class PrepareResult(StageResult):
    """What `prepare` made."""

    dataset: str
    """Id of the prepared dataset version."""
    name: str
    version: str
    classes: tuple[str, ...]
    pictures: dict[str, int]
    """Pictures by split."""
    rejected: int
    """Files and annotations set aside."""


def prepare(config: PrepareConfig, run: Run) -> PrepareResult:
    """Make a prepared dataset version; what is bad is set aside and listed.

    Raises:
        ValueError: no such dataset, or nothing good in it.
    """
    found = family(config.family)
    raw = run.dataset(config.dataset, keep=config.keep_local)
    target = run.folder / "prepared"
    options = STAGE.part(config, found.prepare_options)
    done = found.prepare(raw.folder, target, options, run)
    _report(done, run)
    links = take_links(target, raw.links, raw.folder) if raw.links else {}
    saved = run.save_dataset(
        target,
        project=config.project or run.project,
        name=config.name or raw.name.removesuffix("-raw") or "data",
        version=config.version,
        parents=[raw.id],
        tags=["prepared", config.family],
        previews=done.previews,
        increment=config.increment,
        links=links,
        statistics={"pictures": done.pictures, "rejected": len(done.rejected), **done.statistics},
    )
    return PrepareResult(
        dataset=saved.id,
        name=saved.name,
        version=saved.version,
        classes=tuple(done.classes),
        pictures=dict(done.pictures),
        rejected=len(done.rejected),
    )


def _report(done: Preparation, run: Run) -> None:
    for split, count in done.pictures.items():
        run.value(f"pictures/{split}", count)
    run.value("rejected", len(done.rejected))
    if done.classes:
        run.log(f"{len(done.classes)} classes: {', '.join(done.classes)}")
    if done.rejected:
        rows = [[bad.item, bad.reason] for bad in done.rejected]
        run.log(f"set aside {len(rows)}, such as {rows[0][0]}: {rows[0][1]}")
        run.table("Set aside", "", ["item", "reason"], rows[:_SHOWN_REJECTED])
        run.artifact("rejected", [{"item": item, "reason": reason} for item, reason in rows])
    for title, image in done.previews:
        run.image("Previews", title, image, 0)


STAGE = Stage(
    name="prepare",
    title="Check, split and convert raw data into a prepared dataset version.",
    function=prepare,
    config=PrepareConfig,
    result=PrepareResult,
    needs="cpu",
    task_type="data_processing",
    mixin=lambda found: found.prepare_options,
)

if __name__ == "__main__":
    STAGE.main()
