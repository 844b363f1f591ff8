"""Find things with one model, read them with another, and measure both together.

Run `python -m components.read --help` for its options.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.failure import GateError
from components.run import Run
from components.stage import Stage, StageOptions, StageResult
from models.chain.options import ReadOptions

if TYPE_CHECKING:
    from models.chain.evaluating import Page


class ReadConfig(StageOptions):
    """Options of `read`."""

    detector: str
    """Model package that finds things: an id, a name, or a folder or zip on disk."""
    reader: str
    """Model package that reads what is found, likewise."""
    dataset: str
    """Raw detection data whose annotations have texts (COCO, Pascal VOC): an id, project/name,
    project/name@version, a name or a folder on disk."""
    split: Literal["train", "val", "test", "all"] = "test"
    """Split to measure; `all` takes every picture, whatever its split."""
    attribute: str = ""
    """Name of the attribute that holds the text; found by its usual names unless given."""
    iou: float = Field(0.5, gt=0.0, lt=1.0)
    """IoU from which a region that was found lies on an object."""
    threshold: float | None = Field(None, ge=0.0, le=1.0)
    """Least confidence of what the detector finds; null takes its own."""
    device: str = "auto"
    """Where both run, as for predict."""
    runtime: str | None = None
    """What runs the detector; null takes the fastest there is."""
    read: ReadOptions = ReadOptions()
    """How the reader looks at what was found."""
    limit: int = Field(0, ge=0)
    """Pictures looked at, at most; 0 takes all."""
    samples: int = Field(16, ge=0, le=200)
    """Pictures shown on which something was not found or not read right."""
    minimum: float | None = Field(None, ge=0.0, le=1.0)
    """Least share of texts that must be found and read right; without it every pair passes."""


class ReadResult(StageResult):
    """What `read` measured."""

    detector: str
    reader: str
    texts: int
    """Texts known to be on the pictures."""
    found: float
    """Share of them whose object was found."""
    read: float
    """Share of them found and read right."""
    precision: float
    """Share of right texts among those accepted on an object."""


def read(config: ReadConfig, run: Run) -> ReadResult:
    """Measure a detector and a reader in a row on pictures whose texts are known.

    Raises:
        ValueError: no such model or dataset, or no texts in it.
        GateError: fewer texts than asked for were found and read right.
    """
    from models.chain.evaluating import evaluate_chain
    from models.chain.opening import chain_presenter, open_chain
    from models.families import family
    from models.package import ModelPackage
    from models.prediction.runtime import best_runtime
    from models.runtimes import load_predictor

    data = run.dataset(config.dataset)
    pages = _pages(data.folder, config, run)
    detector, reader = run.model(config.detector), run.model(config.reader)
    first, second = ModelPackage.load(detector.folder), ModelPackage.load(reader.folder)
    presenter = family(first.card.family).presenter(first.card)
    both = chain_presenter(presenter, second)
    if "text" not in both.columns:
        raise ValueError(
            f"reader: a model for {second.card.family} reads no texts; give one for ocr"
        )
    runtime = config.runtime or best_runtime(first, config.device)
    with load_predictor(first, runtime, config.device) as predictor:
        look = partial(predictor, threshold=config.threshold)
        with open_chain(look, presenter, second, config.read, config.device) as chain:
            values, kinds, outcomes = evaluate_chain(
                chain, both, pages, config.iou, run, config.samples
            )
    for name, value in values.items():
        run.value(f"{config.split}/{name}", value)
    if kinds:
        rows = [list(row.values()) for row in kinds]
        run.table(f"{config.split}: found and read", "by kind", list(kinds[0]), rows)
    run.artifact(
        "reading",
        {
            "detector": detector.id,
            "reader": reader.id,
            "dataset": data.id,
            "split": config.split,
            "figures": values,
            "by kind": kinds,
            "texts": [
                {
                    "picture": pages[one.page].file.name,
                    "text": one.written.text,
                    "read": one.text,
                    "found": one.found,
                    "accepted": one.accepted,
                    "confidence": round(one.confidence, 4),
                }
                for one in outcomes
            ],
        },
    )
    verdict = (
        f"{len(outcomes)} texts on {len(pages)} pictures: {values['found']:.1%} found, "
        f"{values['read']:.1%} found and read right, {values['precision']:.1%} of what was "
        f"accepted is right"
    )
    run.log(verdict)
    if config.minimum is not None and values["read"] < config.minimum:
        raise GateError(f"{verdict}; minimum={config.minimum:g}")
    return ReadResult(
        detector=detector.id,
        reader=reader.id,
        texts=len(outcomes),
        found=round(values["found"], 6),
        read=round(values["read"], 6),
        precision=round(values["precision"], 6),
    )


def _pages(folder: Path, config: ReadConfig, run: Run) -> list[Page]:
    """Take the pictures of a split with their texts.

    Raises:
        ValueError: there are none.
    """
    from models.chain.evaluating import Page, Written
    from models.ocr.data.formats import boxed
    from models.ocr.data.options import CropOptions
    from models.ocr.data.texts import tidy

    form = boxed.matches(folder, config.attribute)
    if form is None:
        raise ValueError(
            f"dataset {config.dataset}: no annotation in it has a text; expected COCO or Pascal "
            f"VOC with texts (raw data, as ingest makes it: prepare leaves texts out)"
        )
    options = CropOptions(of="object", straighten=False, attribute=config.attribute)
    found = boxed.read(folder, form, options)
    pages: dict[Path, list[Written]] = {}
    passed = 0
    for line in found.lines:
        if config.split not in ("all", line.split):
            continue
        if not isinstance(line.text, str):
            passed += 1
            continue
        written = Written(tidy(line.text), line.box, line.symbology or "")
        pages.setdefault(line.picture, []).append(written)
    if passed:
        run.log(f"warning: {passed} texts are numbers, not texts, and were passed over")
    if not pages:
        there = ", ".join(sorted({line.split for line in found.lines})) or "none"
        raise ValueError(
            f"dataset {config.dataset} has no texts in '{config.split}' (it has: {there})"
        )
    ordered = sorted(pages.items(), key=lambda one: str(one[0]))
    return [Page(file, written) for file, written in ordered[: config.limit or None]]


STAGE = Stage(
    name="read",
    title="Find things with one model, read them with another, and measure both together.",
    function=read,
    config=ReadConfig,
    result=ReadResult,
    needs="cpu",
    task_type="testing",
)

if __name__ == "__main__":
    STAGE.main()
