"""Patterns as SQL find what the pattern itself finds."""

from __future__ import annotations

import random
import sqlite3

import pytest
import regex

from agent.server import matching
from agent.server.patterns import compare, fold, literal


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("task 7.*77$", "task 7"),
        (r"\d+abc", "abc"),
        (r"a\.b\.c", "a.b.c"),
        ("ab?c", "a"),
        ("ab*cde", "cde"),
        ("x{2,3}yz", "yz"),
        ("a+bc", "bc"),
        ("[abc]def[^]x]gh", "def"),
        ("(?:abc)d", "abc"),
        # What may be left out, or means another letter, is not relied on.
        ("abc|b", ""),
        ("(abc)?d", ""),
        ("(?i)abc", ""),
        ("(?=abc).", ""),
        (r"\x41bcd", ""),
        (r"(.)\1abc", ""),
        (r"\p{L}abc", ""),
    ],
)
def test_what_a_pattern_spells_out(pattern: str, expected: str) -> None:
    assert literal(pattern) == expected


def test_sql_agrees_with_the_pattern_itself() -> None:
    connection = sqlite3.connect(":memory:")
    connection.create_function("matches", 2, matching.matches, deterministic=True)
    chance = random.Random(3)
    pieces = ["a", "b", "ab", "aba", "%", "_", ".", ".*", "b+", "a?", "[ab]", "[^a]", r"\w", r"\.",
              "(ab)", "(?:b|a)", "(a)?", "b{2}", "a{0,1}", "^", "$", "B", " "]  # fmt: skip
    texts = ["".join(chance.choices("abAB%_. ", k=chance.randrange(9))) for _ in range(60)]
    for _ in range(600):
        written = "".join(chance.choices(pieces, k=chance.randrange(1, 5)))
        for pattern in (written, fold(written), f"(?i){written}"):
            expected = {text for text in texts if regex.search(pattern, text)}
            sql, bound = compare("t.value", pattern)
            matching.begin()
            found = connection.execute(
                f"SELECT value FROM (SELECT ? AS value) t WHERE {sql}", ("", *bound)
            )
            assert bool(found.fetchall()) == bool(regex.search(pattern, "")), pattern
            rows = connection.execute(
                "WITH t(value) AS (VALUES " + ",".join(["(?)"] * len(texts)) + ") "
                f"SELECT value FROM t WHERE {sql}",
                (*texts, *bound),
            ).fetchall()
            assert {row[0] for row in rows} == expected, pattern


@pytest.mark.parametrize("pattern", ["(a+)+$", "a.*a.*a.*a.*a.*b"])
def test_a_pattern_without_end_is_ended(pattern: str) -> None:
    matching.begin()
    with pytest.raises(TimeoutError):
        for _ in range(200):
            matching.matches(pattern, "a" * 3000 + "!")
