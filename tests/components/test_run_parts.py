from __future__ import annotations

from pathlib import Path

import pytest

from components.failure import Failure, failure_kind, is_users
from components.options import OptionError
from components.run.attempt import Throttle
from components.run.progress import Progress, span
from components.run.records import file_name
from components.run.references import DatasetReference, is_id, next_version, version_key
from components.run.trees import same_tree, tree_hash


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("name", DatasetReference(None, "name", None)),
        ("a/b/name", DatasetReference("a/b", "name", None)),
        ("a/name@latest", DatasetReference("a", "name", None)),
        ("a/name@1.2", DatasetReference("a", "name", "1.2")),
    ],
)
def test_dataset_reference(text: str, reference: DatasetReference) -> None:
    assert DatasetReference.parse(text) == reference


@pytest.mark.parametrize(
    ("versions", "following"),
    [
        ([], "1.0.0"),
        (["1.0.0"], "1.0.1"),
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.1"),
        (["v3"], "v4"),
        (["draft"], "draft.1"),
        (["1.0.0-rc1", "1.0.0"], "1.0.1"),
    ],
)
def test_next_version(versions: list[str], following: str) -> None:
    assert next_version(versions) == following


def test_versions_are_ordered_by_number() -> None:
    assert sorted(["1.10.0", "1.9.0", "2.0"], key=version_key) == ["1.9.0", "1.10.0", "2.0"]


def test_ids() -> None:
    assert is_id("0123456789abcdef" * 2)
    assert not is_id("0123456789abcdeg" * 2) and not is_id("abc")


def test_tree_hash_sees_names_and_contents(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    for folder in (one, two):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a").write_text("a")
    assert tree_hash(one) == tree_hash(two) and same_tree(one, two)
    (two / "sub" / "a").write_text("b")
    assert tree_hash(one) != tree_hash(two) and not same_tree(one, two)
    (two / "sub" / "a").rename(two / "a")
    (two / "a").write_text("a")
    assert tree_hash(one) != tree_hash(two) and not same_tree(one, two)


def test_progress_writes_few_lines_with_an_estimate() -> None:
    lines: list[str] = []
    now = 0.0
    progress = Progress(lines.append, seconds=10, clock=lambda: now)
    for done in range(0, 101):
        now = done * 0.5
        progress("checking", done, 100)
    assert lines == [
        "checking: 20 of 100 (20%), 40 s left",
        "checking: 40 of 100 (40%), 30 s left",
        "checking: 60 of 100 (60%), 20 s left",
        "checking: 80 of 100 (80%), 10 s left",
        "checking: 100 of 100 in 50 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_throttle() -> None:
    now = 0.0
    may = Throttle(5, clock=lambda: now)
    assert may() and not may()
    now = 5.0
    assert may() and not may()


@pytest.mark.parametrize(
    ("title", "name"), [("a b/c", "a_b_c"), ("..", "_"), ("", "_"), ("mAP@0.5", "mAP@0.5")]
)
def test_file_name(title: str, name: str) -> None:
    assert file_name(title) == name


@pytest.mark.parametrize(
    ("runtime", "reason", "kind"),
    [
        ({"sightline_failure": "user"}, "worker execution exit code 64", Failure.USER),
        ({}, "worker execution exit code 64", Failure.USER),
        ({"sightline_failure": "machine"}, "worker execution exit code 1", Failure.MACHINE),
        ({}, "worker execution exit code 164", Failure.MACHINE),
        (None, None, Failure.MACHINE),
    ],
)
def test_failure_kind(runtime: dict[str, str] | None, reason: str | None, kind: Failure) -> None:
    assert failure_kind(runtime, reason) is kind


def test_a_value_error_from_a_library_is_our_fault() -> None:
    assert is_users(OptionError("x"))
    with pytest.raises(ValueError) as ours:
        DatasetReference.parse("a/")
    assert is_users(ours.value)
    with pytest.raises(ValueError) as theirs:
        int("x")
    assert not is_users(theirs.value)
    assert not is_users(RuntimeError("x"))
