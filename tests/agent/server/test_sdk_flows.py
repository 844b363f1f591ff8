"""The unmodified SDK against a real server."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.stack


def test_a_task_from_init_to_a_queued_clone(home: Any, server: Any) -> None:
    seen = home.script("""
        import json, numpy as np
        from clearml import OutputModel, Task
        task = Task.init("flows/deep", "trained", auto_connect_frameworks=False, output_uri=True,
                         auto_resource_monitoring=False)
        task.connect({"lr": 0.1, "optimizer.name": "adam"}, name="Args")
        task.connect_configuration({"a": [1, 2]}, name="graph")
        logger = task.get_logger()
        for step in range(4):
            logger.report_scalar("loss", "train", 1 / (step + 1), step)
        logger.flush(wait=True)
        logger.report_scalar("loss", "train", 7, 1)
        logger.report_single_value("mAP50", 0.5)
        logger.report_image("input", "one", iteration=1, image=np.zeros((4, 4, 3), np.uint8))
        logger.report_table("result", "table", iteration=0, table_plot=[["a"], [1]])
        open("weights.bin", "wb").write(bytes(1000))
        model = OutputModel(task, name="a model", framework="PyTorch")
        model.update_weights("weights.bin", async_enable=False)
        model.set_metadata("threshold", "0.4", "float")
        task.upload_artifact("result", {"ok": True}, wait_on_upload=True)
        task.set_user_properties(stage="train")
        task.add_tags(["best"])
        task.close()

        read = Task.get_task(task.id)
        clone = Task.clone(read, name="cloned", parent=read.id)
        clone.set_parameter("Args/lr", 0.2)
        Task.enqueue(clone, queue_name="default")
        clone.reload()
        queued = clone.status
        Task.dequeue(clone)
        clone.reload()
        print(json.dumps({
            "id": task.id, "clone": clone.id, "status": read.status,
            "scalars": read.get_reported_scalars(), "singles": read.get_reported_single_values(),
            "last": read.get_last_scalar_metrics(), "plots": len(read.get_reported_plots()),
            "log": read.get_reported_console_output(9), "artifact": read.artifacts["result"].get(),
            "weights": len(open(read.models["output"][0].get_weights(), "rb").read()),
            "metadata": read.models["output"][0].get_metadata("threshold"),
            "properties": read.get_user_properties(value_only=True),
            "parameters": read.get_parameters(), "configuration":
            read.get_configuration_object_as_dict("graph"), "clone_parameters":
            clone.get_parameters(), "queued": queued, "dequeued": clone.status,
            "found": [t.id for t in Task.get_tasks(project_name="flows/deep", tags=["best"],
                      task_filter={"status": ["completed"]})],
            "iteration": read.get_last_iteration(),
        }))
    """)
    assert seen["status"] == "completed"
    curve = seen["scalars"]["loss"]["train"]
    assert curve == {"name": "train", "x": [0, 1, 2, 3], "y": [1, 7, pytest.approx(1 / 3), 0.25]}
    assert seen["last"]["loss"]["train"] == {"last": 0.25, "min": 0.25, "max": 7}
    assert seen["singles"] == {"mAP50": 0.5}
    assert seen["iteration"] == 3
    assert seen["plots"] == 1
    assert seen["artifact"] == {"ok": True}
    assert seen["weights"] == 1000
    assert seen["metadata"] == "0.4"
    assert seen["configuration"] == {"a": [1, 2]}
    assert seen["parameters"]["Args/optimizer.name"] == "adam"
    assert seen["properties"] == {"stage": "train"}
    assert seen["clone_parameters"]["Args/lr"] == "0.2"
    assert seen["clone_parameters"]["Args/optimizer.name"] == "adam"
    assert (seen["queued"], seen["dequeued"]) == ("queued", "created")
    assert seen["found"][0] == seen["id"]
    clone = server.call("tasks.get_by_id", task=seen["clone"])["task"]
    assert clone["models"]["output"] == []
    assert clone["execution"]["artifacts"] == []
    assert clone["parent"] == seen["id"]


def test_dataset_versions(home: Any) -> None:
    seen = home.script("""
        import json, os
        from clearml import Dataset
        os.makedirs("data")
        open("data/a.txt", "w").write("A")
        first = Dataset.create(dataset_name="words", dataset_project="sets")
        first.add_files("data"); first.upload(); first.finalize()
        open("data/b.txt", "w").write("B")
        second = Dataset.create(dataset_name="words", dataset_project="sets",
                                parent_datasets=[first.id])
        second.sync_folder("data"); second.upload(); second.finalize(); second.publish()
        latest = Dataset.get(dataset_project="sets", dataset_name="words")
        older = Dataset.get(dataset_project="sets", dataset_name="words", dataset_version="1.0.0")
        print(json.dumps({
            "latest": latest.id == second.id, "version": latest.version,
            "older": older.id == first.id,
            "files": sorted(os.listdir(latest.get_local_copy())),
            "listed": sorted(item["version"] for item in Dataset.list_datasets("sets")),
        }))
    """)
    assert seen == {
        "latest": True,
        "version": "1.0.1",
        "older": True,
        "files": ["a.txt", "b.txt"],
        "listed": ["1.0.0", "1.0.1"],
    }


def test_a_task_and_its_files_are_deleted(home: Any, server: Any) -> None:
    seen = home.script("""
        import json
        from clearml import OutputModel, Task
        task = Task.init("flows", "doomed · 5% <of> all", auto_connect_frameworks=False,
                         output_uri=True, auto_resource_monitoring=False)
        task.upload_artifact("text", "some text", wait_on_upload=True)
        open("weights.bin", "wb").write(bytes(10))
        model = OutputModel(task, name="doomed")
        model.update_weights("weights.bin", async_enable=False)
        task.close()
        urls = [task.artifacts["text"].url, model.url]
        read = Task.get_task(task.id).artifacts["text"].get()
        gone = read == "some text" and Task.get_task(task.id).delete()
        print(json.dumps({"id": task.id, "urls": urls, "gone": bool(gone), "model": model.id}))
    """)
    assert seen["gone"] is True
    assert server.refuse("tasks.get_by_id", task=seen["id"])["result_subcode"] == 101
    assert server.refuse("models.get_by_id", model=seen["model"])["result_subcode"] == 201
    for url in seen["urls"]:
        assert server.http.get(url, timeout=10).status_code == 404


def test_what_a_trigger_asks_for(home: Any) -> None:
    """Triggers query with `_or_`; the SDK swallows what goes wrong, so look at its log."""
    seen = home.script("""
        import json, time
        from clearml import Model, OutputModel, Task
        from clearml.automation import TriggerScheduler
        fired = []
        scheduler = TriggerScheduler(pooling_frequency_minutes=0.001, sync_frequency_minutes=600)
        scheduler.add_task_trigger(
            name="ended", schedule_function=lambda task: fired.append(task),
            trigger_project="triggers", trigger_on_status=["completed"])
        task = Task.create("triggers", "watched", task_type="training")
        import threading
        threading.Thread(target=scheduler.start, daemon=True).start()
        time.sleep(1)
        task.mark_started(); task.mark_completed()
        for _ in range(100):
            if fired:
                break
            time.sleep(0.1)
        print(json.dumps({"fired": fired == [task.id]}))
        import os, sys
        sys.stdout.flush(); os._exit(0)
    """)
    assert seen == {"fired": True}


@pytest.mark.slow
def test_a_search_over_hyperparameters(
    home: Any, server: Any, start_agent: Any, wait_for: Any
) -> None:
    start_agent("trials")
    wait_for(lambda: server.call("queues.get_all", name="^trials$")["queues"])
    code = """
from clearml import Task
task = Task.init(auto_connect_frameworks=False, auto_resource_monitoring=False)
rate = float(task.get_parameters()["Args/rate"])
for step in range(3):
    task.get_logger().report_scalar("quality", "score", rate * (step + 1), step)
"""
    item = {"section": "Args", "name": "rate", "value": "0.5", "type": "float"}
    base = server.task(
        "base", script={"entry_point": "trial.py", "diff": code, "binary": "python"},
        hyperparams={"Args": {"rate": item}},
    )  # fmt: skip
    seen = home.script(
        """
        import json, sys
        from clearml import Task
        from clearml.automation import DiscreteParameterRange, GridSearch
        from clearml.automation import HyperParameterOptimizer
        Task.init("searches", "search", task_type="optimizer", auto_connect_frameworks=False)
        search = HyperParameterOptimizer(
            base_task_id=sys.argv[1], optimizer_class=GridSearch, execution_queue="trials",
            hyper_parameters=[DiscreteParameterRange("Args/rate", [1, 2, 3])],
            objective_metric_title="quality", objective_metric_series="score",
            objective_metric_sign="max", max_number_of_concurrent_tasks=1,
            total_max_jobs=3, pool_period_min=0.02, spawn_project="searches/trials")
        search.set_report_period(0.02)
        search.start()
        search.wait()
        best = search.get_top_experiments(top_k=3)
        search.stop()
        print(json.dumps([float(task.get_parameters()["Args/rate"]) for task in best]))
        """,
        base,
    )
    assert seen == [3, 2, 1]
    query = {"type": ["optimizer"], "order_by": ["-created"]}
    optimizer = server.call("tasks.get_all", **query)["tasks"][0]["id"]
    curves = server.call("events.scalar_metrics_iter_histogram", task=optimizer)
    assert max(curves["resources"]["queue workers"]["y"]) == 1
