"""Reports: texts of their own, in hidden projects, with figures of tasks."""

from __future__ import annotations

from typing import Any


def report_of(server: Any, report: str) -> dict[str, Any]:
    return server.call("reports.get_all_ex", id=[report])["tasks"][0]


def test_a_report_from_draft_to_publication(server: Any) -> None:
    project = server.call("projects.create", name="reported")["id"]
    made = server.call("reports.create", name="r", report="# One", project=project, tags=["x"])
    report = made["id"]
    folder = server.call("projects.get_by_id", project=made["project_id"])["project"]
    assert folder["name"] == "reported/.reports"
    assert "hidden" in folder["system_tags"]

    server.call("reports.update", task=report, report="# Two", comment="c", report_assets=["a"])
    seen = report_of(server, report)
    assert (seen["report"], seen["comment"], seen["report_assets"]) == ("# Two", "c", ["a"])
    assert (seen["project"]["id"], seen["status"]) == (folder["id"], "created")
    assert "x" in server.call("reports.get_tags")["tags"]

    target = server.call("reports.move", task=report, project_name="elsewhere")["project_id"]
    assert report_of(server, report)["project"] == {"id": target, "name": "elsewhere/.reports"}

    server.call("reports.archive", task=report)
    assert "archived" in report_of(server, report)["system_tags"]
    server.call("reports.unarchive", task=report)
    server.call("reports.publish", task=report)
    assert report_of(server, report)["status"] == "published"
    assert server.refuse("reports.update", task=report, name="n")["result_subcode"] == 110
    assert server.refuse("reports.publish", task=report)["result_subcode"] == 110
    assert server.refuse("reports.delete", task=report)
    server.call("reports.delete", task=report, force=True)
    assert server.refuse("reports.update", task=report, name="n")["result_subcode"] == 101


def test_a_task_is_no_report(server: Any) -> None:
    task = server.task()
    assert "not a report" in server.refuse("reports.update", task=task, name="n")["result_msg"]
    assert server.call("reports.get_all_ex", id=[task])["tasks"] == []
    assert server.refuse("reports.create", name=" ")
    assert server.refuse("reports.create", name="n", project="no-such-id")


def test_figures_for_a_report(server: Any) -> None:
    task = server.task("with figures")
    server.add(
        {"task": task, "type": "training_stats_scalar", "metric": "loss", "variant": "v",
         "iter": 1, "value": 0.5},
        {"task": task, "type": "plot", "metric": "p", "variant": "v", "iter": 0,
         "plot_str": '{"data": []}'},
        {"task": task, "type": "training_debug_image", "metric": "i", "variant": "v", "iter": 0,
         "url": "http://f/i.png"},
    )  # fmt: skip
    answer = server.call(
        "reports.get_task_data", id=[task], only_fields=["name"],
        plots={"iters": 1}, scalar_metrics_iter_histogram={}, debug_images={"iters": 1},
    )  # fmt: skip
    assert answer["tasks"] == [{"id": task, "name": "with figures"}]
    assert list(answer["scalar_metrics_iter_histogram"]["loss"]["v"]) == [task]
    assert "p" in answer["plots"]
    assert answer["debug_images"][0]["task"] == task
    assert answer["debug_images"][0]["iterations"]
