"""Tasks made, found, cloned, edited, moved through their life, queued and deleted."""

from clearml import Task
from clearml.backend_api.session.client import APIClient

made = Task.create(project_name="examples/management", task_name="base", task_type="training")
made.set_parameters({"Args/lr": 0.1})
made.add_tags(["one", "two"])
made.set_comment("a comment")
archived = Task.create(
    project_name="examples/management", task_name="archived", task_type="testing"
)
archived.set_system_tags(["archived"])

where = {"project_name": "examples/management"}


def found(**query: object) -> list[str]:
    return sorted(task.name for task in Task.get_tasks(**where, **query))


assert found(tags=["one"]) == ["base"]
assert found(tags=["__$all", "one", "two"]) == ["base"]
assert found(tags=["__$all", "one", "__$not", "two"]) == []
assert found(task_name="ba.e") == ["base"]
assert found(task_filter={"status": ["created"], "system_tags": ["-archived"]}) == ["base"]
assert found(task_filter={"type": ["training"], "order_by": ["-last_update"]}) == ["base"]
assert found(task_filter={"_any_": {"fields": ["comment"], "pattern": "COMMENT"}}) == ["base"]
assert Task.query_tasks(**where, additional_return_fields=["hyperparams.Args.lr.value"])[0][
    "hyperparams.Args.lr.value"
] in ("0.1", None)
assert Task.get_task(**where, task_name="base", allow_archived=False).id == made.id
assert "examples/management" in [project.name for project in Task.get_projects()]
project = Task.get_project_id("examples/management")
assert made.project == project

clone = Task.clone(made, name="clone", comment="cloned", parent=made.id)
assert (clone.status, clone.parent, clone.data.comment) == ("created", made.id, "cloned")
assert sorted(clone.get_tags()) == ["one", "two"]
clone.set_parameter("Args/lr", 0.2)
clone.set_name("renamed")
clone.set_script(repository="https://x/y.git", branch="main", entry_point="train.py")
clone.set_packages(["numpy"])
clone.move_to_project(new_project_name="examples/moved")
clone.reload()
assert (clone.name, clone.get_parameter("Args/lr")) == ("renamed", "0.2")
assert clone.get_project_name() == "examples/moved"
assert clone.data.script.entry_point == "train.py"

clone.mark_started()
assert clone.status == "in_progress"
clone.mark_stopped(status_message="enough")
assert clone.status == "stopped"
clone.mark_started(force=True)
clone.mark_failed(status_reason="because", status_message="it failed")
clone.reload()
assert (clone.status, clone.data.status_message) == ("failed", "it failed")
clone.reset(force=True)
assert clone.status == "created"

client = APIClient()
queue = client.queues.create(name="examples queue")
Task.enqueue(clone, queue_id=queue.id)
other = Task.clone(made, name="second")
Task.enqueue(other, queue_name="examples queue")
assert [entry.task for entry in client.queues.get_by_id(queue=queue.id).entries] == [
    clone.id, other.id,
]  # fmt: skip
client.queues.move_task_to_front(queue=queue.id, task=other.id)
assert client.queues.get_by_id(queue=queue.id).entries[0].task == other.id
Task.dequeue(clone)
clone.reload()
assert clone.status == "created"
client.tasks.dequeue(task=other.id)
client.queues.delete(queue=queue.id)

copy = Task.import_task(clone.export_task())
assert copy.id != clone.id
assert copy.get_parameter("Args/lr") == "0.2"
clone.mark_started()
clone.mark_completed()
clone.publish()
assert clone.status == "published"
for task in (copy, other):
    assert task.delete()
assert found() == ["archived", "base"]
