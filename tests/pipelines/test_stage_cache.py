from __future__ import annotations

from typing import Any

import pytest

from pipelines import cache

SECTIONS = {
    "Args": {"epochs": {"value": "3"}, "dataset": {"value": "d1"}},
    "Code": {"tree": {"value": "t1"}, "requirements": {"value": "r1"}},
}
SCRIPT = {"repository": "r", "version_num": "c", "diff": "", "entry_point": "-m components.train"}


def changed(section: str, name: str, value: str) -> dict[str, Any]:
    return {**SECTIONS, section: {**SECTIONS[section], name: {"value": value}}}


def key(sections: dict[str, Any], module: str = "components.train", image: str = "") -> str:
    return cache.cache_key(module, sections, image)


@pytest.mark.parametrize(
    "other",
    [
        key(changed("Args", "epochs", "4")),
        key(changed("Args", "dataset", "d2")),
        key(changed("Args", "fingerprint", "f")),
        key(changed("Code", "tree", "t2")),
        key(changed("Code", "requirements", "r2")),
        key(SECTIONS, module="components.tune"),
        key(SECTIONS, image="python:3.12"),
    ],
)
def test_what_a_result_depends_on_changes_the_key(other: str) -> None:
    assert other != key(SECTIONS)


def test_results_and_descriptions_leave_the_key_alone() -> None:
    told = {"epochs": {"value": "3", "description": "Passes"}, "dataset": {"value": "d1"}}
    after = {**SECTIONS, "Args": told, "Result": {"model": {"value": "m"}}, "Datasets": {}}
    assert key(after) == key(SECTIONS)


def finished(**changes: Any) -> dict[str, Any]:
    task = {"id": "a" * 32, "script": SCRIPT, "hyperparams": SECTIONS, "container": {}}
    task |= {"runtime": {cache.KEY: key(SECTIONS), cache.SEAL: cache.seal("a" * 32, SCRIPT)}}
    return task | changes


def test_a_finished_task_is_recognised() -> None:
    assert cache.unchanged(finished(), key(SECTIONS), "components.train")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "b" * 32},  # a clone, should a server copy runtime properties
        {"hyperparams": changed("Args", "epochs", "9")},  # reset, edited and run again
        {"script": {**SCRIPT, "version_num": "other"}},
        {"script": {**SCRIPT, "diff": "other"}},
        {"container": {"image": "other"}},
        {"runtime": {}},
    ],
)
def test_a_task_that_was_changed_is_not(changes: dict[str, Any]) -> None:
    assert not cache.unchanged(finished(**changes), key(SECTIONS), "components.train")
