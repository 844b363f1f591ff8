"""The sections of a pipeline's page. Each says only what the stages have kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from models.benchmark.record import Row
from models.model_card.blocks import Block, Bullets, Heading, Item, Paragraph, Table
from models.model_card.html import charts_of, document, element, picture_of
from models.model_card.markdown import plain, text
from models.model_card.sections import machine
from pipelines import state
from pipelines.page.figures import figure_rows
from pipelines.page.records import Records
from pipelines.recipe import Plan, dotted
from pipelines.state import PipelineState

_NAME_LENGTH = 60
_URL = ":/%?=&"


@dataclass(frozen=True)
class Page:
    """All that a pipeline's page is made of."""

    title: str
    pipeline: str
    """Id of the controller's task."""
    commit: str
    web: str
    """Address of ClearML's web application; empty if it isn't known."""
    now: PipelineState
    plan: Plan
    figures: Mapping[str, float]
    records: Records

    def markdown(self) -> str:
        """Write it for ClearML's reports, with links to pictures, and without charts."""
        pictures = [
            f"![{plain(one.title)}]({quote(one.url, safe=':/%?=&')})"
            for one in self.records.samples
        ]
        lines = ["## Pictures", "", *pictures, ""] if pictures else []
        return text(self.title, self.blocks()) + "\n".join(lines)

    def html(self) -> str:
        """Write it as one file that loads nothing, with charts and pictures inside."""
        body = "".join(map(element, self.blocks()))
        drawn = "".join(charts_of(self.records.details))
        shown = "".join(map(picture_of, self.records.pictures))
        pictures = f"<h2>Pictures</h2>\n{drawn}{shown}" if drawn or shown else ""
        return document(self.title, body + pictures)

    def blocks(self) -> list[Block]:
        """Write its sections."""
        return [
            *self._outcome(),
            *self._stages(),
            *self._data(),
            *self._figures(),
            *self._forms(),
            *self._champion(),
            *self._options(),
            *self._kept(),
        ]

    def _task(self, task: str, words: str = "") -> Item:
        link = f"{self.web}/projects/*/experiments/{task}" if self.web else ""
        return Item(words or task, link)

    def _model(self, model: str) -> Item:
        return Item(model, f"{self.web}/projects/*/models/{model}" if self.web else "")

    def _outcome(self) -> Iterator[Block]:
        steps = self.now.steps.values()
        starts = [s.started for s in steps if s.started and s.status != state.CACHED]
        ends = [s.ended for s in steps if s.ended and s.status != state.CACHED]
        took = f" in {_span(max(ends) - min(starts))}" if starts and ends else ""
        cached = sum(s.status == state.CACHED for s in steps)
        well = all(s.status in state.WELL for s in steps)
        yield Paragraph(
            f"{self.plan.recipe.graph.title} "
            + (f"Completed{took}" if well else f"Not completed: {self.now.reason or 'no reason'}")
            + (f"; {cached} of {len(steps)} stages came from cache." if cached else ".")
        )
        items = [Item(f"gate: {self.records.results['evaluate'].get('gate', '')}")] if (
            "evaluate" in self.records.results
        ) else []  # fmt: skip
        if self.records.challenge:
            promoted = "promoted" if self.records.challenge.get("promoted") else "not promoted"
            items.append(Item(f"{promoted}: {self.records.challenge.get('why', '')}"))
        published = self.records.results.get("publish", {})
        if published.get("model"):
            name = str(self.records.challenge.get("name") or "model")
            link = self._model(published["model"]).link
            items.append(Item(f"registered as {name}: {published['model']}", link))
        items.append(self._task(self.pipeline, f"pipeline {self.pipeline}"))
        if self.commit:
            items.append(Item(f"commit {self.commit}"))
        yield Bullets(items)

    def _stages(self) -> Iterator[Block]:
        yield Heading("What ran")
        rows = [
            [
                step.stage,
                step.status,
                "" if step.seconds is None else _span(step.seconds),
                self._task(step.task) if step.task else "",
                step.reason,
            ]
            for step in self.now.steps.values()
        ]
        yield Table(["stage", "status", "time", "task", "remark"], rows)

    def _data(self) -> Iterator[Block]:
        made = [
            (name, result)
            for name, result in self.records.results.items()
            if result.get("dataset") and name in ("ingest", "prepare")
        ]
        data = self.records.data
        if not (made or data):
            return
        yield Heading("Data")
        if made:
            rows: list[list[str | Item]] = [
                [
                    name,
                    f"{result.get('name', '')} {result.get('version', '')}".strip(),
                    self._task(result["dataset"]),
                    result.get("pictures", ""),
                    result.get("rejected", ""),
                ]
                for name, result in made
            ]
            yield Table(["made by", "dataset", "id", "pictures", "set aside"], rows)
        statistics = data.get("statistics") or {}
        splits = [split for split in ("train", "val", "test") if split in statistics]
        counts = {
            key: [statistics[split].get(key) for split in splits]
            for split in splits
            for key, value in statistics[split].items()
            if isinstance(value, int | float)
        }
        if data:
            version = f"{data.get('name') or ''} {data.get('version') or ''}".strip()
            yield Paragraph(
                f"Measured on {version or data.get('id') or 'a dataset without a name'}."
            )
        if counts:
            cells = [[key, *(_number(value) for value in row)] for key, row in counts.items()]
            yield Table(["", *splits], cells)

    def _figures(self) -> Iterator[Block]:
        if not self.figures:
            return
        yield Heading("Figures")
        splits, rows, rest = figure_rows(self.figures)
        if rows:
            yield Table(
                ["figure", *splits], [[name, *map(_number, cells)] for name, cells in rows.items()]
            )
        if rest:
            yield Table(["figure", "value"], [[name, _number(v)] for name, v in rest.items()])

    def _forms(self) -> Iterator[Block]:
        record = self.records.benchmark
        if record is None:
            return
        yield Heading("Forms")
        columns = ["form", f"{record.metric} on {record.split}", "ms a picture", "MB"]
        rows = [_form(row, record.metric) for row in record.rows]
        yield Table([*columns, "worse than the baseline"], rows)
        yield Paragraph(
            f"All were measured in one run on {machine(record.hardware.model_dump())}, on "
            f"{record.pictures} pictures."
        )
        if record.notes:
            yield Bullets([Item(note) for note in record.notes])

    def _champion(self) -> Iterator[Block]:
        challenge = self.records.challenge
        if not challenge:
            return
        yield Heading("Against the champion")
        yield Paragraph(str(challenge.get("why", "")))
        if challenge.get("champion"):
            yield Bullets([Item(f"champion: {challenge['champion']}",
                                self._model(str(challenge["champion"])).link)])  # fmt: skip
        forms = challenge.get("forms") or []
        if forms:
            columns = list(forms[0])
            yield Table(columns, [[_text(form.get(c)) for c in columns] for form in forms])

    def _options(self) -> Iterator[Block]:
        given = [
            [dotted(name), value] for name, value in self.plan.recipe.parameters.items() if value
        ]
        if given:
            yield Heading("Parameters")
            yield Table(["parameter", "value"], given)
        # Those that a parameter fills in are said already.
        own = [
            [f"{name}.{option}", value]
            for name, options in self.plan.recipe.stages.items()
            for option, value in options.items()
        ]
        if own:
            yield Heading("Options of stages")
            yield Table(["option", "value"], own)

    def _kept(self) -> Iterator[Block]:
        if self.records.models:
            yield Heading("Models")
            models: list[list[str | Item]] = [
                [stage, name, self._model(model)] for stage, name, model in self.records.models
            ]
            yield Table(["stage", "model", "id"], models)
        if self.records.artifacts:
            yield Heading("Artifacts")
            yield Table(
                ["stage", "artifact", "kB"],
                [
                    [one.stage, Item(one.name[:_NAME_LENGTH], one.url), f"{one.bytes / 1e3:.1f}"]
                    for one in self.records.artifacts
                ],
            )


def _form(row: Row, metric: str) -> list[str]:
    value = row.metrics.get(metric)
    return [
        row.label,
        "" if value is None else f"{value:.4f}",
        "" if row.end_to_end is None else f"{row.end_to_end.p50:.2f}",
        f"{row.bytes / 1e6:.1f}",
        "; ".join(row.regressions) or row.problem,
    ]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _span(seconds: float) -> str:
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"
