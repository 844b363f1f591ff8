"""A model's card for people, in markdown."""

from __future__ import annotations

from collections.abc import Mapping

from models.package import ModelCard, Parity


def markdown(card: ModelCard, name: str, pages: Mapping[str, str]) -> str:
    """Write what a model is, how good it is, where it comes from and how to run it.

    Args:
        card: the package's description.
        name: of the model.
        pages: links by what they show.
    """
    return "\n".join(
        [
            f"# {name}",
            "",
            f"Task: {card.family}. Network: {_network(card)}.",
            f"Input: RGB, {card.preprocessing.width} x {card.preprocessing.height} pixels"
            f" ({card.preprocessing.resize_mode}).",
            f"Classes: {', '.join(card.class_names)}.",
            f"Licence of the weights: {card.licence.id}. {card.licence.note}".rstrip(),
            "",
            *_threshold(card),
            "",
            *_figures(card),
            "## Files",
            "",
            "| file | format | precision | MB | same results as |",
            "|---|---|---|---|---|",
            *[
                f"| {a.file} | {a.format} | {a.precision} | {a.bytes / 1e6:.1f} | "
                + (_parity(a.parity) if a.parity else "(reference)")
                + " |"
                for a in card.artifacts
            ],
            "",
            "## Where it comes from",
            "",
            *_lineage(card),
            *[f"- {what}: {link}" for what, link in pages.items()],
            "",
        ]
    )


def _network(card: ModelCard) -> str:
    parts = [
        f"{key} {value}" for key, value in card.network.items() if isinstance(value, str | int)
    ]
    return ", ".join(parts)


def _threshold(card: ModelCard) -> list[str]:
    limit = card.threshold
    if limit.metric is None:
        return [f"Confidence threshold: {limit.value:g} (nobody has tuned it)."]
    at = f" at IoU {limit.iou:g}" if limit.iou is not None else ""
    reached = f" ({limit.result:.4f})" if limit.result is not None else ""
    return [
        f"Confidence threshold: {limit.value:.4g}, which makes {limit.metric}{at} greatest"
        f" on {limit.split}{reached}.",
        *(
            ["", "Classes with a threshold of their own: " + _own(limit.per_class) + "."]
            if limit.per_class
            else []
        ),
    ]


def _own(limits: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in limits.items())


def _figures(card: ModelCard) -> list[str]:
    if not card.metrics:
        return []
    values = {(m.name, m.split, m.artifact): m.value for m in card.metrics}
    columns = sorted({(m.split, m.artifact) for m in card.metrics}, key=_split_order)
    names = dict.fromkeys(m.name for m in card.metrics)
    head = "".join(f" {split}, {artifact} |" for split, artifact in columns)
    lines = ["## Figures", "", f"| figure |{head}", "|---|" + "---|" * len(columns)]
    for name in names:
        found = [values.get((name, *column)) for column in columns]
        cells = "".join(" |" if value is None else f" {value:.4f} |" for value in found)
        lines.append(f"| {name} |{cells}")
    return [*lines, ""]


def _split_order(column: tuple[str, str]) -> tuple[int, str, str]:
    split, artifact = column
    order = ("test", "val", "train")
    return (order.index(split) if split in order else len(order), split, artifact)


def _parity(parity: Parity) -> str:
    same = parity.compared - parity.outside
    return f"{parity.reference}: {same} of {parity.compared} on {parity.pictures} pictures"


def _lineage(card: ModelCard) -> list[str]:
    origin = card.lineage
    lines = []
    if origin.dataset.id:
        named = " ".join(filter(None, (origin.dataset.name, origin.dataset.version)))
        lines.append(f"- dataset: {named} ({origin.dataset.id})")
    if origin.task:
        lines.append(f"- training task: {origin.task}")
    if origin.commit:
        lines.append(f"- commit: {origin.commit}")
    if origin.parents:
        lines.append(f"- made from models: {', '.join(origin.parents)}")
    return lines
