"""Names by which a server may be reached."""

from __future__ import annotations

import pytest

from agent.stack.errors import StackError
from agent.stack.hostnames import check_names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), None),
        (("none",), ()),
        (("Clearml.Example.com.", "b"), ("clearml.example.com", "b")),
        (("a.b", "a.b"), ("a.b",)),
    ],
)
def test_names(given: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    assert check_names(given) == expected


@pytest.mark.parametrize("name", ["http://a.b", "a.b:80", "", "-a.b", "a..b", "a b", "a_b/", "é.b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(StackError, match=r"as in clearml\.example\.com"):
        check_names((name,))
