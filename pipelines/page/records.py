"""What the stages of a pipeline have kept, read back for its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.run.api import call
from components.run.tracked import fetch_artifact
from models.benchmark.record import BenchmarkRecord
from models.model_card import CardPicture, read_evidence
from pipelines import cache, state
from pipelines.console import log
from pipelines.state import PipelineState

_MOST_SAMPLES = 8


@dataclass(frozen=True)
class Kept:
    """An artifact of a stage."""

    stage: str
    name: str
    url: str
    bytes: int


@dataclass(frozen=True)
class Sample:
    """A debug sample."""

    title: str
    url: str


@dataclass(frozen=True)
class Records:
    """What is known of a pipeline's run beyond its state; empty where nobody kept it."""

    results: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Results by stage, by field, as text."""
    artifacts: tuple[Kept, ...] = ()
    models: tuple[tuple[str, str, str], ...] = ()
    """Stage, name and id of each model that was made."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The dataset as the evaluation saw it: `name`, `version`, `id`, `statistics` by split."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Charts and confusion by split."""
    pictures: tuple[CardPicture, ...] = ()
    samples: tuple[Sample, ...] = ()
    """Some of the evaluation's debug samples."""
    benchmark: BenchmarkRecord | None = None
    challenge: Mapping[str, Any] = field(default_factory=dict)
    """How the model did against the champion."""


def read_records(now: PipelineState) -> Records:
    """Read what the stages that ended well have kept.

    A record that can't be had is left out, with a line in the log.
    """
    steps = {s.task: s.stage for s in now.steps.values() if s.task and s.status in state.WELL}
    if not steps:
        return Records()
    tasks = call(
        "tasks.get_all",
        id=list(steps),
        only_fields=["id", "hyperparams.Result", "execution.artifacts", "models.output"],
        search_hidden=True,
    )["tasks"]
    by_stage = {steps[task["id"]]: task for task in tasks}
    ordered = [by_stage[stage] for stage in now.steps if stage in by_stage]
    files = {
        (stage, name): file
        for stage, name in _WANTED
        if stage in by_stage and (file := _fetch(by_stage[stage], name)) is not None
    }
    evaluation, pictures, benchmark, challenge = (files.get(one) for one in _WANTED)
    evidence = read_evidence(evaluation, pictures, benchmark)
    return Records(
        results={steps[task["id"]]: cache.result_of(task) for task in ordered},
        artifacts=tuple(_artifacts(ordered, steps)),
        models=tuple(
            (steps[task["id"]], str(entry.get("name") or ""), _model_id(entry))
            for task in ordered
            for entry in (task.get("models") or {}).get("output") or []
        ),
        data=evidence.data,
        details=evidence.details,
        pictures=evidence.pictures,
        samples=_samples(by_stage["evaluate"]["id"]) if "evaluate" in by_stage else (),
        benchmark=evidence.benchmark,
        challenge=json.loads(challenge.read_text(encoding="utf-8")) if challenge else {},
    )


_WANTED = (
    ("evaluate", "evaluation"),
    ("evaluate", "pictures"),
    ("benchmark", "benchmark"),
    ("publish", "challenge"),
)


def _samples(task: str) -> tuple[Sample, ...]:
    answer = call("events.debug_images", metrics=[{"task": task}], iters=1)
    events = [
        event
        for metric in answer.get("metrics") or []
        for iteration in metric.get("iterations") or []
        for event in iteration.get("events") or []
    ]
    found = [
        Sample(f"{event.get('metric', '')} {event.get('variant', '')}".strip(), str(event["url"]))
        for event in events
        if event.get("url")
    ]
    return tuple(sorted(found, key=lambda one: one.title)[:_MOST_SAMPLES])


def _artifacts(tasks: list[dict[str, Any]], steps: Mapping[str, str]) -> list[Kept]:
    return [
        Kept(
            steps[task["id"]],
            str(one["key"]),
            str(one.get("uri") or ""),
            int(one.get("content_size") or 0),
        )
        for task in tasks
        for one in (task.get("execution") or {}).get("artifacts") or []
        if one.get("mode") != "input" and one["key"] != "result"
    ]


def _model_id(entry: Mapping[str, Any]) -> str:
    model = entry["model"]
    return str(model if isinstance(model, str) else model["id"])


def _fetch(task: Mapping[str, Any], name: str) -> Path | None:
    kept = (task.get("execution") or {}).get("artifacts") or []
    if not any(one["key"] == name for one in kept):
        return None
    try:
        return fetch_artifact(task["id"], name)
    except Exception as error:  # whatever the storage's client raises: the page goes without
        log(f"note: the report goes without '{name}' of task {task['id']}: {error}")
        return None
