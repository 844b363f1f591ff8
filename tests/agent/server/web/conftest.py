"""Servers with pages, and what stands in for ClearML's web application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = "console.log('the application');\n" * 100


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a built single-page application."""
    folder = tmp_path_factory.mktemp("built") / "webapp"
    files = {
        "index.html": '<!doctype html><base href="/"><script src="main-ABCDEF12.js"></script>',
        "main-ABCDEF12.js": SCRIPT,
        "runtime.1a2b3c4d5e6f7a8b.js": "1;",
        "polyfills.js": "2;",
        "styles-XYZ123AB.css": "body{}",
        "assets/logo.svg": "<svg/>",
        "assets/fonts/heebo.woff2": "font",
        "env.js": "window.configuration = undefined;",
        "configuration.json": '{"apiBaseUrl": "https://elsewhere.example"}',
        "secret/.hidden": "hidden",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "outside.txt").symlink_to("/etc/hostname")
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of the pages' own: lists show nothing that other tests have left."""
    from tests.agent.server.conftest import ServerProcess

    running = ServerProcess(tmp_path_factory.mktemp("pages") / "state")
    yield running
    running.stop()


FILL = """
import json
import numpy as np
from clearml import Dataset, OutputModel, PipelineController, Task
EVIL = "<img src=x onerror='window.hacked=1'>"
task = Task.init("Web/first", "trained " + EVIL, auto_connect_frameworks=False, output_uri=True,
                 auto_resource_monitoring=False)
task.connect({"optimizer.lr": 0.001, "note": EVIL}, name="Args")
task.connect_configuration({"classes": ["a", "b"]}, name="data")
task.add_tags(["best"])
logger = task.get_logger()
for step in range(50):
    logger.report_scalar("loss", "train", 1 / (step + 1), step)
    logger.report_scalar("loss", "val", 2 / (step + 1), step)
logger.report_single_value("mAP50", 0.5)
logger.report_confusion_matrix("confusion", "val", np.arange(4).reshape(2, 2), iteration=0,
                               xlabels=["a", EVIL], ylabels=["a", "b"])
logger.report_table("result", "table", iteration=0, table_plot=[["class"], [EVIL]])
logger.report_image("input", "one", iteration=1, image=np.full((40, 60, 3), 90, np.uint8))
print("a line with", EVIL)
print("\\x1b[32mgreen\\x1b[0m")
task.upload_artifact("result", {"ok": True}, wait_on_upload=True)
open("weights.bin", "wb").write(bytes(1000))
model = OutputModel(task, name="the model", framework="PyTorch", tags=["good"])
model.update_weights("weights.bin", async_enable=False)
task.close()
data = Dataset.create(dataset_name="words", dataset_project="Web")
open("a.txt", "w").write("A")
data.add_files("a.txt"); data.upload(); data.finalize()
pipe = PipelineController("pipe", "Web", version="1.0.0", add_pipeline_tags=False)
pipe.add_parameter("epochs", 20, "How often", param_type="int")
pipe.add_parameter("source", "synthetic")
base = Task.create("Web/first", "template", task_type="training")
pipe.set_default_execution_queue("default")
graph = {"one": [], "two": ["one"], "three": ["one"], "four": ["two", "three"]}
for name, parents in graph.items():
    pipe.add_step(name, base_task_id=base.id, parents=parents)
print("made", json.dumps({"task": task.id, "project": task.project, "dataset": data.id,
                  "template": base.id, "model": model.id}))
pipe.start("web-services")
"""


@pytest.fixture(scope="session")
def filled(server: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the real SDK has put onto the server: ids of a task, a dataset, a pipeline's run."""
    from tests.agent.server.conftest import Home

    server.call("queues.create", name="web-services")
    home = Home(tmp_path_factory.mktemp("filled") / "home", server)
    lines = home.run(FILL).splitlines()
    made = json.loads(next(line for line in lines if line.startswith("made "))[5:])
    run = server.call("tasks.get_all", system_tags=["pipeline"], type=["controller"])["tasks"][-1]
    return {**made, "run": run["id"], "runs": run["project"]}


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the session."""
    pytest.importorskip("selenium", reason="the developer's packages aren't installed")
    from tests.agent.server.web.browser import Browser, installed

    if installed() is None:
        pytest.skip("no Chromium with its driver here; as root on Debian, make test installs both")
    running = Browser(tmp_path_factory.mktemp("chromium"))
    yield running
    running.driver.quit()


@pytest.fixture
def browser(chromium: Any, server: Any, filled: dict[str, str]) -> Iterator[Any]:
    """The browser at the shared server; afterwards it must have found nothing to complain about."""
    chromium.url = server.url
    chromium.complaints()
    chromium.requested()
    yield chromium
    foreign = [
        url
        for url in chromium.requested()
        if not url.startswith((f"{server.url}/", "data:", f"blob:{server.url}", "about:"))
    ]
    assert not foreign
    assert not chromium.complaints()
    assert chromium.run("return window.hacked === undefined")
    chromium.open("/web/favicon.svg")  # away from live pages
