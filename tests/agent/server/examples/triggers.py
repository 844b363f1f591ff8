"""Triggers on a task's tags, a model's publication and a dataset's tags."""

import os
import threading
import time

from clearml import Dataset, OutputModel, Task
from clearml.automation import TriggerScheduler

PROJECT = "examples/triggers"
base = Task.create(PROJECT, "watched", task_type="training")
dataset = Dataset.create(dataset_name="watched data", dataset_project=PROJECT)
dataset.finalize(auto_upload=True)
fired = set()
scheduler = TriggerScheduler(
    pooling_frequency_minutes=0.01,
    sync_frequency_minutes=600,
    force_create_task_name="triggers",
    force_create_task_project=PROJECT,
)
scheduler.add_task_trigger(
    name="task", schedule_function=lambda _: fired.add("task"), trigger_project=PROJECT,
    trigger_on_tags=["go"],
)  # fmt: skip
scheduler.add_model_trigger(
    name="model", schedule_function=lambda _: fired.add("model"), trigger_project=PROJECT,
    trigger_on_publish=True,
)  # fmt: skip
scheduler.add_dataset_trigger(
    name="dataset", schedule_function=lambda _: fired.add("dataset"), trigger_project=PROJECT,
    trigger_name="watched data", trigger_on_tags=["ready"],
)  # fmt: skip
threading.Thread(target=scheduler.start, daemon=True).start()
time.sleep(2)
base.add_tags(["go"])
model = OutputModel(Task.create(PROJECT, "maker"), name="model")
model.update_weights(register_uri="http://example.com/model")
model.publish()
dataset.tags = ["ready"]
for _ in range(120):
    if len(fired) == 3:
        break
    time.sleep(0.5)
assert fired == {"task", "model", "dataset"}, fired
os._exit(0)
