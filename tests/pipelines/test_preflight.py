from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines import preflight
from pipelines.preflight import absolute_source, settle
from pipelines.queues import Queue
from pipelines.recipe import check, read_recipe
from pipelines.starting import UNKNOWN_CONTENT

QUEUES = {name: Queue(f"id of {name}", name, ("agent",), ()) for name in ("cpu", "gpu")}


@pytest.fixture(autouse=True)
def queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.queues, "read_queues", lambda: QUEUES)


def settled(*arguments: str, local: bool = True) -> Any:
    return settle(check(read_recipe(None, arguments)), local).options


def fingerprint(source: Path | str, local: bool = True) -> str:
    found = settled("pipeline=data", f"data.source={source}", local=local)
    return str(found["ingest"]["data.fingerprint"])


def test_changed_raw_data_has_another_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    first = fingerprint(tmp_path)
    assert first == fingerprint(tmp_path)
    (tmp_path / "b.jpg").write_bytes(b"b")
    second = fingerprint(tmp_path)
    assert second != first
    os.utime(tmp_path / "a.jpg", (1, 1))
    assert fingerprint(tmp_path) not in (first, second)


def test_a_synthetic_source_is_known_by_its_options_alone() -> None:
    assert settled("pipeline=data")["ingest"]["data.fingerprint"] == ""


@pytest.mark.parametrize(
    ("source", "local"),
    [("/only/on/the/agent", False), ("s3://bucket/set", True), ("gs://bucket/set", False)],
)
def test_a_source_that_cannot_be_seen_from_here_is_never_taken_for_known(
    source: str, local: bool
) -> None:
    one, other = (fingerprint(source, local=local) for _ in range(2))
    assert one.startswith(UNKNOWN_CONTENT)
    assert one != other


def test_a_source_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no file or folder '/not/there'"):
        fingerprint("/not/there")


def test_a_queue_that_is_not_there_is_refused_with_the_stages_that_need_it() -> None:
    with pytest.raises(ValueError, match=r"no queue 'cpi' \(for ingest, prepare\); did you mean"):
        settled("pipeline=data", "queue.cpu=cpi")


def test_a_dataset_by_name_becomes_the_version_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def find(reference: str, project: str) -> str:
        asked.append((reference, project))
        return "f" * 32

    monkeypatch.setattr(preflight, "find_dataset", find)
    users = ("train", "tune", "evaluate", "export", "quantize", "benchmark")
    found = settled("pipeline=train-eval", "dataset=cells@latest", "project=P")
    assert {found[n]["dataset"] for n in users} == {"f" * 32}
    assert asked == [("cells@latest", "P")]


def test_relative_sources_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    monkeypatch.chdir(tmp_path)
    assert absolute_source("raw") == str(tmp_path / "raw")
    for other in ("synthetic", "https://example.com/raw.zip", "not-there"):
        assert absolute_source(other) == other


def test_a_stage_that_needs_more_agents_at_once_than_there_are_is_told_of() -> None:
    plan = check(read_recipe(None, ["pipeline=detection", "train.nodes=3"]))
    assert plan.agents_at_once == {"train": ("gpu", 3)}
    (line,) = preflight.queues.too_few(plan.agents_at_once, QUEUES)
    assert line.startswith("train needs 3 agents of the queue 'gpu' at once, and 1 serve(s) it")
    three = {"gpu": Queue("id", "gpu", ("a", "b", "c"), ())}
    assert preflight.queues.too_few(plan.agents_at_once, three) == []
    assert check(read_recipe(None, ["pipeline=detection"])).agents_at_once == {}
