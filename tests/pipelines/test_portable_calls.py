"""What we ask of a server is what ClearML's SDK declares, so that ClearML Server answers it too.

The embedded server ignores fields that it doesn't know, as ClearML's does; a field that only one of
them takes into account would go unnoticed. All calls of a session with triggers, drafts, runs and
champions are noted and held against the schemas of the SDK.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Pipelines

ROOT = Path(__file__).parents[2]

SESSION = """
import json
from components.run import api

seen, real = {}, api.call

def spy(action, **data):
    seen.setdefault(action, set()).update(data)
    return real(action, **data)

api.call = spy  # before anyone takes it from there
from agent.stack import activate
activate()
from components.run import champions
from pipelines import launch, queues, registering, tasks
from pipelines.recipe import read_recipe
from pipelines.triggers import making
from pipelines.triggers.launching import Event, launch_once

project = "Portable"
if not api.find_project(project):
    api.find_or_create_project(project)
if "portable" not in queues.read_queues():
    real("queues.create", name="portable")
recipe = read_recipe(None, ["pipeline=data", f"project={project}", "queue.services=portable"])
for _ in range(2):
    draft, *_ = registering.register([recipe], stages=[("train", "ocr")], project=project)
base = draft.task
run, _ = launch_once(Event("x", "y", "z"), base, {"seed": "3"}, "portable", "why")
launch_once(Event("x", "y", "z"), base, {"seed": "3"}, "portable", "why")
launch.stop(run)
launch.resume(run)
launch.stop(run)
made, _ = making.make(recipe, {"on": "schedule", "every": "6h"}, "portable")
making.listed()
making.stop(made.id)
making.start(made.id)
making.stop(made.id)
home = api.find_project(project)
models = []
for _ in range(2):
    model = api.call("models.create", name="m", uri="http://x/y", project=home)["id"]
    api.call("models.set_ready", model=model, publish_task=False)
    models.append(champions.find_published(model, project))
    champions.promote(models[-1], "why")
champions.roll_back("m", project, "why")
champions.explain(models[0].id, "why")
tasks.delete(registering.put_draft(home, "x", {"name": "x", "type": "custom"})[0])
print("SEEN", json.dumps({action: sorted(fields) for action, fields in seen.items()}))
"""

UNDECLARED = {
    # Sent by the SDK itself, or by ClearML's web application, though its schemas leave them out.
    "search_hidden",
    "_all_",
    "runtime",
}


def declared(action: str) -> set[str]:
    """The fields of an action, as the SDK declares them."""
    service, _, method = action.partition(".")
    module = importlib.import_module(f"clearml.backend_api.services.v2_23.{service}")
    for request in module.response_mapping:
        if request._action == method and getattr(request, "_schema", None):
            return set(request._schema["properties"])
    raise AssertionError(f"the SDK has no {action}")


@pytest.mark.stack
def test_every_call_and_every_field_is_declared_by_the_sdk(pipelines: Pipelines) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        cwd=ROOT,
        env=pipelines.environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "SEEN " in done.stdout, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.split("SEEN ")[1].split("\n")[0])
    assert {"tasks.clone", "tasks.edit", "tasks.create", "models.edit", "tasks.enqueue"} <= set(
        seen
    )
    strange = {
        action: extra
        for action, fields in seen.items()
        if (extra := set(fields) - declared(action) - UNDECLARED)
    }
    assert not strange
