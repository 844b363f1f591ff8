"""Scalars, logs, plots and images: what is reported is what is read."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import random
from pathlib import Path
from typing import Any

import pytest

from agent.server.documents import TASKS
from agent.server.events import blocks, ingest, scalars
from agent.server.store import Session, Store


def scalar(task: str, value: float | None, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "training_stats_scalar", "task": task, "metric": "loss", "variant": "train",
            "value": value, "iter": at, **more}  # fmt: skip


def digest(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()


def last(server: Any, task: str, metric: str = "loss", variant: str = "train") -> dict[str, Any]:
    found = server.call("tasks.get_all", id=[task], only_fields=["last_metrics"])["tasks"][0]
    return found["last_metrics"][digest(metric)][digest(variant)]


def curves(server: Any, task: str, **more: Any) -> dict[str, Any]:
    return server.call("events.scalar_metrics_iter_histogram", task=task, **more)


def test_a_curve_and_its_summary(server: Any) -> None:
    task = server.task()
    assert server.add(*(scalar(task, 10 - at, at) for at in range(5)))["added"] == 5
    expected = {"name": "train", "x": [0, 1, 2, 3, 4], "y": [10, 9, 8, 7, 6]}
    assert curves(server, task) == {"loss": {"train": expected}}
    summary = last(server, task)
    assert (summary["value"], summary["min_value"], summary["max_value"]) == (6, 6, 10)
    assert (summary["min_value_iteration"], summary["max_value_iteration"]) == (4, 0)
    assert (summary["metric"], summary["variant"]) == ("loss", "train")
    seen = server.call("tasks.get_by_id", task=task)["task"]
    assert seen["last_iteration"] == 4
    assert server.call("events.get_task_latest_scalar_values", task=task)["metrics"] == [
        {"name": "loss", "variants": [{"name": "train", "last_value": 6, "last_100_value": 8}]}
    ]


def test_a_repeated_iteration_is_overwritten(server: Any) -> None:
    task = server.task()
    server.add(*(scalar(task, value, at) for at, value in enumerate([1, 100, 2])))
    server.add(scalar(task, 5, 1), scalar(task, 6, 1))
    assert curves(server, task)["loss"]["train"]["y"] == [1, 6, 2]
    summary = last(server, task)
    # The greatest value was taken back, so the summary follows; the last one stays the last.
    assert (summary["max_value"], summary["max_value_iteration"]) == (6, 1)
    assert (summary["value"], summary["min_value"]) == (2, 1)


def test_single_values_belong_to_no_iteration(server: Any) -> None:
    task = server.task()
    server.add(scalar(task, 3, 7))
    single = {"metric": "Summary", "variant": "mAP", "iter": -(2**31)}
    server.add({**scalar(task, 0.5), **single}, {**scalar(task, 0.6), **single})
    found = server.call("events.get_task_single_value_metrics", tasks=[task])["tasks"]
    assert [(v["variant"], v["value"]) for v in found[0]["values"]] == [("mAP", 0.6)]
    assert list(curves(server, task)) == ["loss"]
    assert server.call("tasks.get_by_id", task=task)["task"]["last_iteration"] == 7
    assert last(server, task, "Summary", "mAP")["value"] == 0.6


def test_the_axis_and_the_choice_of_curves(server: Any) -> None:
    task = server.task()
    server.add(scalar(task, 1, 3, timestamp=1_000), scalar(task, 2, 4, timestamp=2_000),
               scalar(task, 3, 0, variant="test"), scalar(task, 4, 0, metric="other"))  # fmt: skip
    wanted = {"metrics": [{"metric": "loss", "variants": ["train"]}]}
    assert curves(server, task, key="timestamp", **wanted) == {
        "loss": {"train": {"name": "train", "x": [1000, 2000], "y": [1, 2]}}
    }
    times = curves(server, task, key="iso_time", **wanted)["loss"]["train"]["x"]
    assert times[1].startswith("1970-01-01T00:00:02")
    assert list(curves(server, task, metrics=[{"metric": "loss"}])["loss"]) == ["test", "train"]
    names = server.call("events.get_scalar_metrics_and_variants", task=task)["metrics"]
    assert names == {"loss": ["test", "train"], "other": ["train"]}
    server.refuse("events.scalar_metrics_iter_histogram", task=task, key="moon")


def test_a_long_curve_is_thinned(server: Any) -> None:
    task = server.task()
    server.add(*(scalar(task, at, at) for at in range(1000)))
    assert len(curves(server, task, samples=0)["loss"]["train"]["x"]) == 1000
    assert len(curves(server, task, samples=1000)["loss"]["train"]["x"]) == 1000
    thin = curves(server, task, samples=10)["loss"]["train"]
    assert thin["x"] == list(range(0, 1000, 100))
    assert thin["y"] == [100 * step + 49.5 for step in range(10)]


def test_scrolling_over_points_and_lines(server: Any) -> None:
    task = server.task()
    server.add(*(scalar(task, at, at, variant=name) for name in "ab" for at in range(5)))
    server.add(*({"type": "log", "task": task, "msg": str(at), "timestamp": 5} for at in range(7)))
    for kind, count in (("training_stats_scalar", 10), ("log", 7), ("plot", 0)):
        seen: list[Any] = []
        scroll: dict[str, Any] = {}
        while True:
            page = server.call(
                "events.get_task_events", task=task, event_type=kind, batch_size=4, **scroll
            )
            assert page["total"] == count
            assert page["returned"] == len(page["events"])
            seen += page["events"]
            if not page["events"]:
                break
            scroll = {"scroll_id": page["scroll_id"]}
        assert len(seen) == count
        if kind == "log":
            assert [line["msg"] for line in seen] == [str(at) for at in range(7)]
    server.refuse("events.get_task_events", task=task, scroll_id="????")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_events_of_all_types_come_by_time(server: Any, order: str) -> None:
    task = server.task()
    server.add(
        scalar(task, 1.0, timestamp=10),
        *({"type": "log", "task": task, "msg": "m", "timestamp": at} for at in (20, 50, 50)),
        sample(task, "plot", 1, plot_str="{}", timestamp=30),
        sample(task, "training_debug_image", 1, url="u", timestamp=40),
        scalar(task, 1.0, at=1, timestamp=60),
    )
    seen: list[Any] = []
    scroll: dict[str, Any] = {}
    while True:
        page = server.call("events.get_task_events", task=task, order=order, batch_size=2, **scroll)
        assert page["total"] == 7
        if not page["events"]:
            break
        seen += page["events"]
        scroll = {"scroll_id": page["scroll_id"]}
    expected = [
        (10, "training_stats_scalar"), (20, "log"), (30, "plot"), (40, "training_debug_image"),
        (50, "log"), (50, "log"), (60, "training_stats_scalar"),
    ]  # fmt: skip
    found = [(event["timestamp"], event["type"]) for event in seen]
    assert found == (expected if order == "asc" else expected[::-1])
    for wrong in ({"log": [1]}, {"log": "x"}, [1, 2]):
        text = base64.urlsafe_b64encode(json.dumps(wrong).encode()).decode()
        server.refuse("events.get_task_events", task=task, scroll_id=text)


def log(server: Any, task: str, **more: Any) -> list[str]:
    answer = server.call("events.get_task_log", task=task, **more)
    return [line["msg"] for line in answer["events"]]


def test_the_log_is_read_in_both_directions(server: Any) -> None:
    task = server.task()
    times = [10, 20, 30, 30, 30, 40]
    server.add(*({"type": "log", "task": task, "msg": f"{number}", "timestamp": at, "level": "INFO",
                  "worker": "w"} for number, at in enumerate(times)))  # fmt: skip
    assert log(server, task) == ["5", "4", "3", "2", "1", "0"]
    assert log(server, task, navigate_earlier=False) == ["0", "1", "2", "3", "4", "5"]
    assert log(server, task, order="asc") == ["0", "1", "2", "3", "4", "5"]
    assert log(server, task, batch_size=1) == ["5"]
    # The SDK asks for any number of lines, and takes a refusal for an empty log.
    assert log(server, task, batch_size=20_000) == log(server, task)
    server.refuse("events.get_task_log", task=task, batch_size=-1)
    # Lines of one time stay together, since the next page is asked for by time.
    assert log(server, task, batch_size=2) == ["5", "4", "3", "2"]
    assert log(server, task, batch_size=2, from_timestamp=30) == ["1", "0"]
    later = {"navigate_earlier": False, "from_timestamp": 20}
    assert log(server, task, **later, batch_size=1) == ["2", "3", "4"]
    event = server.call("events.get_task_log", task=task, batch_size=1)["events"][0]
    assert (event["level"], event["worker"], event["timestamp"]) == ("info", "w", 40)
    assert server.call("events.clear_task_log", task=task)["deleted"] == 6
    assert log(server, task) == []


def sample(task: str, kind: str, at: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "task": task, "metric": "m", "variant": "v", "iter": at, **more}


def test_plots(server: Any) -> None:
    task = server.task()
    plots = [sample(task, "plot", at, plot_str=f'{{"at": {at}}}') for at in (1, 2, 3)]
    server.add(*plots, {**plots[0], "variant": "w"})
    server.add({**plots[2], "plot_str": "{}"})

    def read(**more: Any) -> list[tuple[str, int, str]]:
        found = server.call("events.get_task_plots", task=task, **more)["plots"]
        return [(plot["variant"], plot["iter"], plot["plot_str"]) for plot in found]

    assert read() == [("v", 3, "{}"), ("w", 1, '{"at": 1}')]
    assert len(read(iters=2)) == 3
    assert read(iters=2, metrics=[{"metric": "m", "variants": ["v"]}])[0][1] == 2
    several = server.call("events.get_multi_task_plots", tasks=[task])["plots"]
    assert several["m"]["v"][task]["3"]["plots"][0]["iter"] == 3
    by_iteration = server.call("events.plots", metrics=[{"task": task, "metric": "m"}], iters=2)
    numbers = [entry["iter"] for entry in by_iteration["metrics"][0]["iterations"]]
    assert numbers == [3, 2]


def test_debug_images(server: Any) -> None:
    task = server.task()
    images = [
        sample(task, "training_debug_image", at, url=f"http://f/{at % 3}.png", key="k")
        for at in range(5)
    ]
    server.add(*images)
    # Iterations 3 and 4 wrote over the files of 0 and 1.
    scroll: dict[str, Any] = {}
    seen = []
    for _ in range(4):
        answer = server.call(
            "events.debug_images", metrics=[{"task": task, "metric": "m"}], iters=1, **scroll
        )
        seen += [entry["iter"] for entry in answer["metrics"][0]["iterations"]]
        scroll = {"scroll_id": answer["scroll_id"]}
    assert seen == [4, 3, 2]
    kinds = {"event_type": "training_debug_image"}
    assert server.call("events.get_task_metrics", tasks=[task], **kinds)["metrics"] == [
        {"task": task, "metrics": ["m"]}
    ]
    assert server.call("tasks.get_by_id", task=task)["task"]["last_iteration"] == 4


def test_events_of_models(server: Any) -> None:
    model = server.call("models.create", name="m", uri="u")["id"]
    added = server.add(scalar(model, 1, 1, model_event=True), scalar(model, 1, 1, variant="no"))
    assert added["added"] == 2
    assert list(curves(server, model, model_events=True)["loss"]) == ["no", "train"]
    server.refuse("events.scalar_metrics_iter_histogram", task=model)
    # The interface that the web application is generated from declares it for models too.
    found = server.call("models.get_by_id", model=model)["model"]["last_metrics"]
    assert {summary["value"] for summary in found[digest("loss")].values()} == {1}
    value = f"last_metrics.{digest('loss')}.{digest('train')}.value"
    ranged = server.call("models.get_all", id=[model], only_fields=["id"], **{value: [1, 2]})
    assert ranged["models"] == [{"id": model}]
    assert server.call("models.get_all", id=[model], **{value: [2, None]})["models"] == []
    assert server.call("events.delete_for_model", model=model)["deleted"] is True
    assert curves(server, model, model_events=True) == {}
    assert server.call("models.get_by_id", model=model)["model"]["last_metrics"] == {}


def test_wrong_events_are_counted_and_the_others_kept(server: Any) -> None:
    task = server.task()
    answer = server.add(
        scalar(task, 1), scalar("nobody", 1), scalar(task, "x"), {"task": task, "type": "dance"},  # type: ignore[arg-type]
        scalar(task, 1, 2**60), {"type": "log"}, [], scalar(task, 1, math.nan),  # type: ignore[arg-type]
        scalar(task, float("nan"), 1), scalar(task, None, 2),
    )  # fmt: skip
    assert (answer["added"], answer["errors"]) == (3, 7)
    assert sum(answer["errors_info"].values()) == 7
    assert curves(server, task)["loss"]["train"] == {
        "name": "train", "x": [0, 1, 2], "y": [1, None, None],
    }  # fmt: skip
    # A batch with nothing good in it is an error, so that senders which don't count learn of it.
    said = server.refuse("events.add", **scalar("nobody", 1))
    assert said["result_subcode"] == 131
    assert said["result_msg"] == "Events not added: Invalid task id: nobody"
    said = server.refuse_events({"type": "log"}, scalar("nobody", 1), {"type": "log"})
    assert said["result_msg"] == "Events not added: an event needs a task"
    reasons = {"an event needs a task": 2, "Invalid task id: nobody": 1}
    assert said["error_data"] == {"errors": reasons}
    assert server.add() == {"added": 0, "errors": 0, "errors_info": {}}
    server.call("events.add", **scalar(task, 9, 3))
    assert last(server, task)["value"] == 9


def test_a_text_that_is_none_hinders_no_other_event(server: Any) -> None:
    task = server.task()
    half = os.fsdecode(b"caf\xe9")  # so printed where the locale is C
    plot = {"type": "plot", "task": task, "metric": half, "variant": "v", "plot_str": "{}"}
    answer = server.add(
        {"type": "log", "task": task, "msg": half, "worker": half, "level": half},
        scalar(task, 1), {**plot, "url": half, "more": [half]}, scalar(half, 1),
    )  # fmt: skip
    assert (answer["added"], answer["errors_info"]) == (3, {"Invalid task id: caf?": 1})
    assert server.call("events.get_task_log", task=task)["events"][0]["msg"] == "caf?"
    shown = server.call("events.get_task_plots", task=task)["plots"][0]
    assert (shown["metric"], shown["url"], shown["more"]) == ("caf?", "caf?", ["caf?"])


@pytest.fixture
def db(tmp_path: Path) -> Session:
    session = Store(tmp_path / "server.db").writer
    session.insert(TASKS, {"id": "t"})
    return session


@pytest.mark.parametrize("beyond", [math.inf, -math.inf])
def test_an_infinite_value_is_shown_as_none_and_stops_no_report(db: Session, beyond: float) -> None:
    for at, value in enumerate([1, beyond, 3]):
        assert ingest.add(db, [scalar("t", value, at)]) == (1, {})
    curve = scalars.histogram(db, "t", key="iter", samples=0)["loss"]["train"]
    assert (curve["x"], curve["y"]) == ([0, 1, 2], [1, None, 3])
    summary = db.require(TASKS, "t")["last_metrics"][digest("loss")][digest("train")]
    assert (summary["min_value"], summary["max_value"], summary["value"]) == (1, 3, 3)


def test_a_summary_that_holds_an_infinite_value_is_mended(db: Session) -> None:
    """So older versions left it, and each further report of the metric failed."""
    ingest.add(db, [scalar("t", 2, 0)])
    blocks.put(db, db.rows("SELECT id FROM series")[0][0], {1: (0, math.inf)})
    summaries = db.require(TASKS, "t")["last_metrics"]
    summaries[digest("loss")][digest("train")].update(max_value=None, value=None, iteration=1)
    db.patch(TASKS, "t", {"last_metrics": summaries})
    ingest.add(db, [scalar("t", 3, 2)])
    summary = db.require(TASKS, "t")["last_metrics"][digest("loss")][digest("train")]
    assert (summary["min_value"], summary["max_value"], summary["value"]) == (2, 3, 3)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_reports_gives_the_same_curve_and_summary(db: Session, seed: int) -> None:
    """Against a plain dictionary: reports in any order, repeated, in batches of any size."""
    chance = random.Random(seed)
    expected: dict[int, float] = {}
    reports = [(chance.randrange(30), chance.randrange(1000) / 8) for _ in range(200)]
    while reports:
        size = chance.randrange(1, 20)
        batch, reports = reports[:size], reports[size:]
        ingest.add(db, [scalar("t", value, at) for at, value in batch])
        expected.update(batch)
        document = db.require(TASKS, "t")
        summary = document["last_metrics"][digest("loss")][digest("train")]
        assert summary["min_value"] == min(expected.values())
        assert summary["max_value"] == max(expected.values())
        assert summary["value"] == expected[max(expected)]
        assert document["last_iteration"] == max(expected)
    curve = scalars.histogram(db, "t", key="iter", samples=0)["loss"]["train"]
    assert dict(zip(curve["x"], curve["y"], strict=True)) == expected
