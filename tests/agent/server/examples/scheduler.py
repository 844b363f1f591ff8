"""A scheduler that launches a task and calls a function, and stays in its project."""

import os
import threading
import time

from clearml import Task
from clearml.automation import TaskScheduler

base = Task.create("examples/scheduled", "base", task_type="training")
called = []
scheduler = TaskScheduler(
    sync_frequency_minutes=600,
    force_create_task_name="scheduler",
    force_create_task_project="examples/scheduled",
)
every = {"minute": 1, "execute_immediately": True}
scheduler.add_task(name="launch", schedule_task_id=base.id, queue="default", **every)
scheduler.add_task(name="call", schedule_function=lambda: called.append(1), **every)
assert len(scheduler.get_scheduled_tasks()) == 2
threading.Thread(target=scheduler.start, daemon=True).start()
for _ in range(120):
    launched = Task.get_tasks(
        project_name="examples/scheduled", task_filter={"status": ["queued"], "parent": base.id}
    )
    if called and launched:
        break
    time.sleep(0.5)
assert called
assert len(launched) == 1
os._exit(0)
