"""Going through events: samples one after the other, pages of points, logs as files."""

from __future__ import annotations

import json
from typing import Any

import pytest


def image(task: str, at: int, metric: str, variant: str) -> dict[str, Any]:
    return {"type": "training_debug_image", "task": task, "metric": metric, "variant": variant,
            "iter": at, "url": f"http://f/{metric}/{variant}/{at}.png"}  # fmt: skip


def place(answer: dict[str, Any]) -> tuple[int, str, str] | None:
    event = answer["event"]
    return (event["iter"], event["metric"], event["variant"]) if event else None


@pytest.fixture
def shown(server: Any) -> str:
    """A task with images of two metrics and two variants at three iterations."""
    task = server.task()
    server.add(*(image(task, at, metric, variant) for at in (1, 2, 5) for metric in "ab"
                 for variant in "vw"))  # fmt: skip
    return task


def test_an_image_at_an_iteration(server: Any, shown: str) -> None:
    wanted = {"task": shown, "metric": "a", "variant": "v"}
    latest = server.call("events.get_debug_image_sample", **wanted)
    assert place(latest) == (5, "a", "v")
    assert (latest["min_iteration"], latest["max_iteration"]) == (1, 5)
    assert place(server.call("events.get_debug_image_sample", **wanted, iteration=2)) == (
        2, "a", "v",
    )  # fmt: skip
    # A slider may stand between two iterations.
    assert place(server.call("events.get_debug_image_sample", **wanted, iteration=4)) == (
        2, "a", "v",
    )  # fmt: skip
    none = server.call("events.get_debug_image_sample", **{**wanted, "metric": "none"})
    assert none["event"] is None


@pytest.mark.parametrize(
    ("one", "more", "expected"),
    [
        (True, {"navigate_earlier": True}, [(5, "a", "v"), (2, "a", "w"), (2, "a", "v")]),
        (False, {"navigate_earlier": True}, [(5, "a", "v"), (2, "b", "w"), (2, "b", "v")]),
        (True, {"navigate_earlier": False}, [(5, "a", "v"), (5, "a", "w"), None]),
        (False, {"navigate_earlier": False}, [(5, "a", "v"), (5, "a", "w"), (5, "b", "v")]),
        (True, {"next_iteration": True}, [(5, "a", "v"), (2, "a", "v"), (1, "a", "v"), None]),
    ],
)
def test_images_one_after_the_other(
    server: Any, shown: str, one: bool, more: dict[str, Any], expected: list[Any]
) -> None:
    answer = server.call(
        "events.get_debug_image_sample", task=shown, metric="a", variant="v",
        navigate_current_metric=one,
    )  # fmt: skip
    seen = [place(answer)]
    while len(seen) < len(expected):
        answer = server.call(
            "events.next_debug_image_sample", task=shown, scroll_id=answer["scroll_id"], **more
        )
        seen.append(place(answer))
    assert seen == expected


def test_plots_of_one_metric_and_iteration_are_shown_together(server: Any) -> None:
    task = server.task()
    plot = {"type": "plot", "task": task, "plot_str": "{}"}
    server.add(*({**plot, "metric": metric, "variant": variant, "iter": at}
                 for at in (1, 2) for metric in "ab" for variant in "vw"))  # fmt: skip
    answer = server.call("events.get_plot_sample", task=task, metric="a")
    assert [event["variant"] for event in answer["events"]] == ["v", "w"]
    assert (answer["min_iteration"], answer["max_iteration"]) == (1, 2)
    answer = server.call("events.next_plot_sample", task=task, scroll_id=answer["scroll_id"],
                         navigate_earlier=True)  # fmt: skip
    assert [(event["iter"], event["variant"]) for event in answer["events"]] == [(1, "v"), (1, "w")]
    server.refuse("events.next_plot_sample", task=task, scroll_id="eyJhIjoxfQ==")


def test_images_onwards_and_back(server: Any, shown: str) -> None:
    def page(scroll: str | None, earlier: bool) -> tuple[list[int], str]:
        answer = server.call(
            "events.debug_images", metrics=[{"task": shown, "metric": "a"}], iters=1,
            navigate_earlier=earlier, **({"scroll_id": scroll} if scroll else {}),
        )  # fmt: skip
        found = answer["metrics"][0]["iterations"]
        return [entry["iter"] for entry in found], answer["scroll_id"]

    seen = []
    scroll: str | None = None
    for earlier in (True, True, True, True, False, False, False):
        numbers, scroll = page(scroll, earlier)
        seen.append(numbers)
    assert seen == [[5], [2], [1], [], [2], [5], []]


def scalar(task: str, metric: str, at: int, time: int) -> dict[str, Any]:
    return {"type": "training_stats_scalar", "task": task, "metric": metric, "variant": "v",
            "iter": at, "value": at / 2, "timestamp": time}  # fmt: skip


def test_points_come_by_time_over_all_curves(server: Any) -> None:
    task = server.task()
    server.add(*(scalar(task, "ab"[at % 2], at, 10_000 - at) for at in range(1500)))
    for order in ("asc", "desc"):
        seen: list[tuple[int, int]] = []
        scroll: dict[str, Any] = {}
        while True:
            answer = server.call("events.get_task_events", task=task, order=order, batch_size=400,
                                 event_type="training_stats_scalar", **scroll)  # fmt: skip
            assert answer["total"] == 1500
            if not answer["returned"]:
                break
            seen += [(event["timestamp"], event["iter"]) for event in answer["events"]]
            scroll = {"scroll_id": answer["scroll_id"]}
        assert seen == sorted(seen, reverse=order == "desc")
        assert len(set(seen)) == 1500


def test_raw_points_page_by_page(server: Any) -> None:
    task = server.task()
    server.add(*(scalar(task, "a", at, at) for at in range(1300)))
    wanted = {"task": task, "metric": {"metric": "a"}, "batch_size": 500, "count_total": True}
    seen: list[int] = []
    scroll: dict[str, Any] = {}
    while (answer := server.call("events.scalar_metrics_iter_raw", **wanted, **scroll))["returned"]:
        assert answer["total"] == 1300
        curve = answer["variants"]["v"]
        assert curve["y"] == [at / 2 for at in curve["iter"]]
        seen += curve["iter"]
        scroll = {"scroll_id": answer["scroll_id"]}
    assert seen == list(range(1300))
    uncounted = server.call("events.scalar_metrics_iter_raw", task=task, metric={"metric": "a"},
                            key="timestamp")  # fmt: skip
    assert uncounted["total"] is None
    assert uncounted["variants"]["v"]["timestamp"][:2] == [0, 1]
    server.refuse("events.scalar_metrics_iter_raw", **{**wanted, "batch_size": 200_001})


def test_the_log_as_a_file(server: Any) -> None:
    task = server.task()
    server.add(*({"type": "log", "task": task, "msg": f"line {n} ✓\n", "level": "info",
                  "worker": "w", "timestamp": 1_000 * n} for n in range(3)))  # fmt: skip
    answer = server.raw("events.download_task_log", {"task": task, "line_type": "text"})
    assert f"task_{task}.log" in answer.headers["Content-Disposition"]
    assert answer.text.splitlines()[2] == "1970-01-01 00:00:02.000 w info line 2 ✓"
    laid_out = {"task": task, "line_format": "{level}|{msg}|{msg.__class__}"}
    assert server.raw("events.download_task_log", laid_out).text.splitlines()[0] == (
        "info|line 0 ✓|{msg.__class__}"
    )
    lines = server.raw("events.download_task_log", {"task": task, "line_type": "json"}).text
    assert [json.loads(line)["msg"] for line in lines.splitlines()] == [
        "line 0 ✓\n", "line 1 ✓\n", "line 2 ✓\n",
    ]  # fmt: skip


@pytest.mark.parametrize(("at", "year"), [(1_796_000_000_000_000, "9999"), (-(2**52), "0001")])
def test_a_time_beyond_the_calendar_spoils_no_answer(server: Any, at: int, year: str) -> None:
    task = server.task()
    server.add({"type": "log", "task": task, "msg": "x", "timestamp": at},
               {**scalar(task, "a", 1, 1), "timestamp": at})  # fmt: skip
    assert server.raw("events.download_task_log", {"task": task}).text.startswith(f"{year}-")
    curve = server.call("events.scalar_metrics_iter_histogram", task=task, key="iso_time")["a"]["v"]
    assert curve["x"][0].startswith(f"{year}-")
    assert server.call("events.get_task_log", task=task)["events"][0]["timestamp"] == at


def test_events_of_chosen_metrics_go(server: Any) -> None:
    task = server.task()
    server.add(scalar(task, "a", 1, 1), scalar(task, "b", 1, 1), image(task, 1, "a", "v"))
    server.call("events.delete_for_task", task=task, metrics=[{"metric": "a"}])
    assert list(server.call("events.scalar_metrics_iter_histogram", task=task)) == ["b"]
    summary = server.call("tasks.get_by_id", task=task)["task"]["last_metrics"]
    assert [v["metric"] for entry in summary.values() for v in entry.values()] == ["b"]
    assert server.call("events.get_multi_task_metrics", tasks=[task])["metrics"] == [
        {"metric": "b", "variants": ["v"]}
    ]


def test_what_is_published_keeps_its_events(server: Any) -> None:
    task = server.task()
    server.add(scalar(task, "a", 1, 1))
    for step in ("started", "completed", "publish"):
        server.call(f"tasks.{step}", task=task)
    assert "published" in server.refuse_events(scalar(task, "a", 2, 2))["result_msg"]
    assert server.add({**scalar(task, "a", 2, 2), "allow_locked": True})["added"] == 1
    assert "published" in server.refuse("events.delete_for_task", task=task)["result_msg"]
    server.call("events.delete_for_task", task=task, allow_locked=True)
    assert server.call("events.scalar_metrics_iter_histogram", task=task) == {}


def test_a_plot_must_be_json_unless_it_says_otherwise(server: Any) -> None:
    plot = {"type": "plot", "task": server.task(), "metric": "m", "variant": "v", "iter": 1}
    assert "plot_str" in server.refuse_events({**plot, "plot_str": "{"})["result_msg"]
    assert server.add({**plot, "plot_str": "{", "skip_validation": True})["added"] == 1
