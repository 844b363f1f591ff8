"""The sections of a card. Each says only what the package and the records say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.families import family
from models.model_card.blocks import Block, Bullets, Heading, Item, Paragraph, Table
from models.model_card.evidence import Evidence
from models.model_card.limits import limits
from models.model_card.recipe import count, recipe
from models.model_card.terms import CardTerms
from models.package import Artifact, ModelCard

_MOST_CLASSES = 30
_SPLITS = ("test", "val", "train")


def sections(card: ModelCard, evidence: Evidence) -> list[Block]:
    """Write the card's blocks, without its title and pictures."""
    terms = family(card.family).card_terms()
    return [
        *_summary(card, terms),
        *_data(card, evidence, terms),
        *_figures(card, evidence, terms),
        *_speed(evidence),
        *_by_class(evidence, terms),
        *_limits(card, evidence, terms),
        *recipe(card, terms),
        *_files(card),
        *_licence(card),
        *_lineage(card, evidence),
    ]


def _summary(card: ModelCard, terms: CardTerms) -> Iterator[Block]:
    names = card.class_names
    more = f" and {len(names) - _MOST_CLASSES} more" if len(names) > _MOST_CLASSES else ""
    size = f"{card.preprocessing.width} x {card.preprocessing.height}"
    yield Paragraph(
        f"Task: {card.family}. Network: {_network(card, terms)}. Input: RGB, {size} pixels "
        f"({card.preprocessing.resize_mode})."
        + (f" {terms.classes}: {', '.join(names[:_MOST_CLASSES])}{more}." if names else "")
    )
    limit = card.threshold
    if limit.metric is None:
        yield Paragraph(f"Confidence threshold: {limit.value:g} (nobody has tuned it).")
        return
    at = f" at IoU {limit.iou:g}" if limit.iou is not None else ""
    reached = f" ({limit.result:.4f})" if limit.result is not None else ""
    yield Paragraph(
        f"Confidence threshold: {limit.value:.4g}, which makes {limit.metric}{at} greatest on "
        f"{limit.split}{reached}."
    )
    if limit.per_class:
        own = ", ".join(f"{name} {value:.4g}" for name, value in limit.per_class.items())
        yield Paragraph(f"Classes with a threshold of their own: {own}.")


def _data(card: ModelCard, evidence: Evidence, terms: CardTerms) -> Iterator[Block]:
    origin, data = card.lineage.dataset, evidence.data
    statistics: Mapping[str, Any] = data.get("statistics") or {}
    named = " ".join(filter(None, (origin.name, origin.version)))
    if not (named or origin.id or statistics):
        return
    yield Heading("Data")
    if named or origin.id:
        identity = f" ({origin.id})" if origin.id and _told(origin.id) else ""
        yield Paragraph(f"Trained on {named or 'a dataset'}{identity}.")
    measured = data.get("id")
    if measured and origin.id and measured != origin.id:
        version = " ".join(filter(None, (str(data.get("name", "")), str(data.get("version", "")))))
        identity = f" ({measured})" if str(measured).isalnum() else ""
        yield Paragraph(
            "Figures by class, limits and pictures are of another dataset or version: "
            f"{version or 'without a name'}{identity}."
        )
    splits = [split for split in ("train", "val", "test") if split in statistics]
    if splits:
        totals = [*terms.totals, *([(terms.empty, "empty")] if terms.empty else [])]
        rows = [
            [said, *(str(statistics[split].get(key, "")) for split in splits)]
            for said, key in totals
        ]
        names = card.class_names[:_MOST_CLASSES]
        rows += [
            [name, *(str(terms.in_class(statistics[one], name)) for one in splits)]
            for name in names
        ]
        yield Table([f"{terms.things} by {terms.a_class}" if names else "", *splits], rows)


def _figures(card: ModelCard, evidence: Evidence, terms: CardTerms) -> Iterator[Block]:
    if not card.metrics:
        return
    yield Heading("Figures")
    names = list(dict.fromkeys(metric.name for metric in card.metrics))
    main = [name for name in terms.figures if name in names] or names[:10]
    values = {(m.name, m.split, m.artifact): m for m in card.metrics}
    columns = sorted({(m.split, m.artifact) for m in card.metrics}, key=_column_order)
    columns = [one for one in columns if any((name, *one) in values for name in main)]
    rows = []
    for split, artifact in columns:
        found = [values.get((name, split, artifact)) for name in main]
        pictures = next((str(m.pictures) for m in found if m and m.pictures), "all")
        rows.append([split, artifact, pictures, *(f"{m.value:.4f}" if m else "" for m in found)])
    yield Table(["split", "file", "pictures", *main], rows)
    told = "Each figure was measured on the very file it is stated for."
    if len(names) > len(main):
        more = len(names) - len(main)
        told += f" {more} more {'figure is' if more == 1 else 'figures are'} in model.json."
    yield Paragraph(told)
    if evidence.hardware:
        yield Paragraph(f"The evaluation ran on {machine(evidence.hardware)}.")


def _speed(evidence: Evidence) -> Iterator[Block]:
    record = evidence.benchmark
    if record is None:
        return
    yield Heading("Speed")
    rows = []
    for row in record.own:
        metric = row.metrics.get(record.metric)
        whole, network = row.end_to_end, row.network
        rows.append(
            [
                row.label,
                row.precision,
                row.device,
                "" if metric is None else f"{metric:.4f}",
                "" if whole is None else f"{whole.p50:.2f} / {whole.p90:.2f} / {whole.p99:.2f}",
                "" if network is None else f"{network.p50:.2f}",
                "" if row.memory_mb is None else f"{row.memory_mb:.0f}",
            ]
        )
    columns = ["file and runtime", "precision", "device", f"{record.metric} on {record.split}"]
    columns += ["ms a picture, p50 / p90 / p99", "network alone, ms", "MB of memory"]
    yield Table(columns, rows)
    threads = f"{record.threads} threads" if record.threads else "as many threads as each takes"
    yield Paragraph(
        f"Measured on {machine(record.hardware.model_dump())}, with {threads}, from a picture in "
        f"memory to its results."
    )
    if record.notes:
        yield Bullets([Item(note) for note in record.notes])


def _by_class(evidence: Evidence, terms: CardTerms) -> Iterator[Block]:
    split = next((one for one in _SPLITS if evidence.per_class.get(one)), None)
    if split is None:
        return
    rows: Sequence[Mapping[str, Any]] = evidence.per_class[split]
    columns = [name for name in terms.class_columns if name in rows[0]]
    if not columns:
        return
    file = f" ({evidence.artifact})" if evidence.artifact else ""
    yield Heading(f"By {terms.a_class}, on {split}{file}")
    cells = [[_cell(row.get(name)) for name in columns] for row in rows[:_MOST_CLASSES]]
    yield Table(columns, cells)
    if len(rows) > _MOST_CLASSES:
        yield Paragraph(f"The first {_MOST_CLASSES} of {len(rows)} classes.")


def _limits(card: ModelCard, evidence: Evidence, terms: CardTerms) -> Iterator[Block]:
    found = limits(card, evidence, terms)
    if found:
        yield Heading("Limits")
        yield Bullets([Item(line) for line in found])


def _files(card: ModelCard) -> Iterator[Block]:
    if not card.artifacts:
        return
    yield Heading("Files")
    rows = [
        [one.file, one.format, one.precision, f"{one.bytes / 1e6:.1f}", _parity(one)]
        for one in card.artifacts
    ]
    yield Table(["file", "format", "precision", "MB", "same results as"], rows)
    for one in card.artifacts:
        if (made := one.quantization) is not None:
            way = f"{made.method}{' after training with rounding' if made.trained else ''}"
            yield Paragraph(
                f"{one.file}: INT8 by {way}, ranges from {made.pictures} pictures of "
                f"{made.split}; {count(made.layers, 'layer')} in INT8, "
                f"{len(made.float_layers)} kept in float."
            )


def _licence(card: ModelCard) -> Iterator[Block]:
    yield Heading("Licence")
    stated = "not stated" if card.licence.id == "unstated" else card.licence.id
    yield Bullets(
        [
            Item(f"Weights: {stated}. {card.licence.note}".strip()),
            Item("Code: Apache-2.0."),
        ]
    )


def _lineage(card: ModelCard, evidence: Evidence) -> Iterator[Block]:
    origin, web = card.lineage, evidence.web
    items = []

    def entry(what: str, identity: str, place: str, said: str = "") -> None:
        if not (said or _told(identity)):
            return
        link = f"{web}/projects/*/{place}/{identity}" if web and identity.isalnum() else ""
        items.append(Item(f"{what}: {said or identity}", link))

    if origin.dataset.id:
        named = " ".join(filter(None, (origin.dataset.name, origin.dataset.version)))
        said = f"{named} ({origin.dataset.id})" if named and _told(origin.dataset.id) else named
        entry("dataset", origin.dataset.id, "experiments", said)
    if origin.task:
        entry("training task", origin.task, "experiments")
    if origin.commit:
        items.append(Item(f"commit: {origin.commit}"))
    for parent in origin.parents:
        entry("made from model", parent, "models")
    for what, page in evidence.pages.items():
        if page.startswith(("http://", "https://")):
            items.append(Item(f"{what}: {page}", page))
        else:
            entry(what, page, "experiments")
    if items:
        yield Heading("Where it comes from")
        yield Bullets(items)


def _told(identity: str) -> bool:
    """Outside of a server ids are paths, which no page shows and strangers shouldn't see."""
    return not Path(identity).is_absolute()


def machine(hardware: Mapping[str, Any]) -> str:
    """Say in a line what machine a figure comes from."""
    parts = [str(hardware.get("cpu") or "an unknown processor")]
    if hardware.get("usable"):
        parts.append(f"{hardware['usable']:g} cores")
    parts += [str(gpu) for gpu in hardware.get("gpus") or ()]
    return ", ".join(parts)


def _network(card: ModelCard, terms: CardTerms) -> str:
    network = terms.effective(card.network)
    keys = ("name", "backbone", "architecture")
    return " ".join(str(network[key]) for key in keys if network.get(key)) or "unnamed"


def _column_order(column: tuple[str, str]) -> tuple[int, str, str]:
    split, artifact = column
    return (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS), split, artifact)


def _parity(artifact: Artifact) -> str:
    parity = artifact.parity
    if parity is None:
        return "(not compared)" if artifact.format != "safetensors" else "(reference)"
    same = parity.compared - parity.outside
    return f"{parity.reference}: {same} of {parity.compared} on {parity.pictures} pictures"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
