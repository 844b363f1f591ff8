from __future__ import annotations

import pytest

from pipelines.watch import News, last_telling_line


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        ([], ""),
        (["training: 7 of 9"], "training: 7 of 9"),
        (["newest", "older"], "newest"),
        (["first\nsecond\n\n"], "second"),
        (["10 %\r20 %\r"], "20 %"),
        (["█████ 100% | 140.5/140.5 MB [00:00<00:00, 337.58MB/s]:", "epoch 1/8"], "epoch 1/8"),
        (["0% | 0.00/73.75 MB [00:00<?, ?MB/s]:", "epoch 1/8"], "epoch 1/8"),
        (["100% | 28.04/28.04 MB [00:00<-00:00, 932.54MB/s]:", "epoch 1/8"], "epoch 1/8"),
        (["W1201 00:31:21.694000 4212 torch/utils/cpp_extension.py:183] No CUDA", "b"], "b"),
        (["2026-11-20 10:00:00,000 - clearml.Task - INFO - waiting", "epoch 1/8"], "epoch 1/8"),
        (["ClearML Monitor: GPU monitoring failed"], ""),
        (["x" * 500], "x" * 160),
    ],
)
def test_the_line_shown_is_the_stages_own(messages: list[str], line: str) -> None:
    assert last_telling_line(messages) == line


def test_a_log_says_a_line_of_a_stage_once() -> None:
    news = News()
    assert news.tell({"train": "1 of 9", "export": ""}) == [("train", "1 of 9")]
    assert news.tell({"train": "1 of 9"}) == []
    assert news.tell({"train": "2 of 9", "export": "1 of 9"}) == [
        ("train", "2 of 9"),
        ("export", "1 of 9"),
    ]
    assert news.tell({"train": ""}) == []
    assert news.tell({"train": "2 of 9"}) == []
