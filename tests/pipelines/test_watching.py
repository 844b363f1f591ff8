from __future__ import annotations

import pytest

from pipelines.watch import last_telling_line


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        ([], ""),
        (["training: 7 of 9"], "training: 7 of 9"),
        (["newest", "older"], "newest"),
        (["first\nsecond\n\n"], "second"),
        (["10 %\r20 %\r"], "20 %"),
        (["█████ 100% | 140.5/140.5 MB [00:00<00:00, 337.58MB/s]:", "epoch 1/8"], "epoch 1/8"),
        (["2026-11-20 10:00:00,000 - clearml.Task - INFO - waiting", "epoch 1/8"], "epoch 1/8"),
        (["ClearML Monitor: GPU monitoring failed"], ""),
        (["x" * 500], "x" * 160),
    ],
)
def test_the_line_shown_is_the_stages_own(messages: list[str], line: str) -> None:
    assert last_telling_line(messages) == line
