"""The light page in a real Chromium: logging in, and the acts that change things."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.stack

ANOTHER_USER = """
const real = window.fetch;
window.fetch = (url, options) => (String(url).endsWith('/web.login')
  && !JSON.parse(options.body).code
  ? Promise.resolve(Response.json({meta: {result_msg: 'no'}, data: {}}, {status: 401}))
  : real(url, options));
"""
"""Has the server refuse the browser, as it does where the browser is another user's."""


def task(server: Any, identity: str) -> dict[str, Any]:
    return server.call("tasks.get_all", id=[identity])["tasks"][0]


def test_a_clone_is_edited_enqueued_and_taken_off(browser: Any, server: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}")
    browser.click(".head button", "Clone")
    browser.fill("dialog input[name=name]", "cloned here")
    browser.act("Clone this task", "Clone")
    browser.one("h1", "cloned here")
    clone = browser.path.split("/")[4]
    assert task(server, clone)["status"] == "created"

    browser.fill("input[name='optimizer.lr']", "0.25")
    browser.click("form.parameters button[type=submit]", "Save")
    browser.one(".toast", "Saved optimizer.lr.")
    assert task(server, clone)["hyperparams"]["Args"]["optimizer.lr"]["value"] == "0.25"
    assert task(server, clone)["hyperparams"]["Args"]["note"]["value"].startswith("<img")
    browser.run("document.querySelector('details textarea').value = 'changed'")
    browser.run("document.querySelector('details textarea').dispatchEvent(new Event('input'))")
    browser.click("details button", "Save")
    browser.one(".toast", "Saved data.")
    assert task(server, clone)["configuration"]["data"]["value"] == "changed"

    browser.click(".head button", "Enqueue")
    queue = server.call("queues.get_all", name="^default$")["queues"][0]["id"]
    browser.run("arguments[0].value = arguments[1]", browser.one("dialog select"), queue)
    browser.act("Enqueue this task", "Enqueue")
    browser.one(".toast", "Enqueued on default, which no agent serves.")
    browser.one(".head .badge", "queued")
    browser.open("/workers-and-queues")
    browser.one("section.card .row-line a", "cloned here")
    browser.click(".row-line button[aria-label='Take off the queue']")
    browser.gone(".row-line a", "cloned here")
    assert task(server, clone)["status"] == "created"


def test_abort_reset_archive_and_delete(browser: Any, server: Any, filled: Any) -> None:
    made = server.task("short-lived", project=filled["project"])
    server.call("tasks.started", task=made)
    browser.open(f"/projects/*/tasks/{made}")
    browser.one(".head .badge", "running")
    browser.click(".head button", "Abort")
    browser.act("Abort short-lived?", "Abort")
    server.call("tasks.stopped", task=made, force=True)  # as its agent does
    browser.one(".head .badge", "aborted")
    browser.menu("More acts", "Reset …")
    browser.act("Reset short-lived?", "Reset")
    browser.one(".head .badge", "draft")
    browser.menu("More acts", "Rename …")
    browser.fill("dialog input", "renamed")
    browser.act("Rename", "Save")
    browser.one("h1", "renamed")
    browser.menu("More acts", "Archive")
    browser.one(".toast", "Archived.")
    assert "archived" in task(server, made)["system_tags"]
    browser.menu("More acts", "Delete …")
    browser.click("dialog footer button", "Cancel")
    assert task(server, made)["id"] == made
    browser.menu("More acts", "Delete …")
    browser.act("Delete renamed?", "Delete")
    browser.one(".toast", "Deleted.")
    assert server.call("tasks.get_all", id=[made])["tasks"] == []
    assert browser.path == f"/projects/{filled['project']}/tasks"


def test_several_at_once(browser: Any, server: Any) -> None:
    project = server.call("projects.create", name="Web several")["id"]
    made = [server.task(f"one of {number}", project=project) for number in range(3)]
    browser.open(f"/projects/{project}/tasks")
    browser.click("thead input[type=checkbox]")
    browser.one(".several", "3 picked")
    browser.click(".several button", "Archive")
    browser.one(".empty", "No tasks here yet.")
    assert all("archived" in task(server, one)["system_tags"] for one in made)
    browser.click("label.tick", "Archive")
    browser.one("td a", "one of 1")
    browser.click("thead input[type=checkbox]")
    browser.click(".several button", "Delete")
    browser.act("Delete 3 tasks?", "Delete")
    browser.one(".empty", "No task fits.")


def test_new_run_with_other_parameters(browser: Any, server: Any, filled: Any) -> None:
    browser.open("/pipelines")
    browser.click("article h2 a", "pipe")
    browser.click("td a", "pipe")
    assert browser.path == f"/pipelines/{filled['runs']}/tasks/{filled['run']}"
    browser.click(".head button", "New run")
    browser.fill("dialog input[name=epochs]", "many")
    browser.click("dialog footer button", "Run")
    assert browser.run("return !document.querySelector('dialog input[name=epochs]').validity.valid")
    browser.fill("dialog input[name=epochs]", "7")
    queue = server.call("queues.get_all", name="^web-services$")["queues"][0]["id"]
    browser.run("arguments[0].value = arguments[1]", browser.one("dialog select"), queue)
    browser.act("New run of pipe", "Run")
    browser.wait(lambda: filled["run"] not in browser.path, "the new run's page")
    run = task(server, browser.path.split("/")[4])
    arguments = {name: item["value"] for name, item in run["hyperparams"]["Args"].items()}
    assert arguments == {"epochs": "7", "source": "synthetic"}
    assert (run["status"], run["execution"]["queue"]) == ("queued", queue)
    browser.one(".head .badge", "queued")
    assert len(browser.all(".box[data-status=pending]")) == 4


def test_a_graph_is_live(browser: Any, server: Any, filled: Any) -> None:
    run = server.call("tasks.clone", task=filled["run"], new_task_name="live run")["id"]
    steps = {name: server.task(name) for name in ("one", "two", "three")}
    graph = {
        name: {
            "parents": parents,
            "queue": "default",
            "job_id": steps.get(name),
            "status": "pending",
        }
        for name, parents in (
            ("one", []),
            ("two", ["one"]),
            ("three", ["one"]),
            ("four", ["one", "two", "three"]),
        )
    }
    server.call(
        "tasks.edit", task=run, force=True, runtime={"_pipeline_hash": "x"},
        configuration={"Pipeline": {"name": "Pipeline", "value": json.dumps(graph)}},
    )  # fmt: skip
    browser.open(f"/pipelines/*/tasks/{run}")

    def shown() -> dict[str, str]:
        return browser.run(
            "return Object.fromEntries([...document.querySelectorAll('.box')]"
            ".map(box => [box.dataset.step, box.dataset.status]))"
        )

    browser.wait(lambda: shown() == dict.fromkeys(graph, "pending"), "all steps")
    assert len(browser.all(".edges path")) == 4
    server.call("tasks.started", task=steps["one"])
    browser.wait(lambda: shown()["one"] == "in_progress", "a running step")
    server.call("tasks.completed", task=steps["one"])
    server.call("tasks.started", task=steps["two"])
    server.call("tasks.failed", task=steps["two"], status_reason="out of memory")
    browser.wait(
        lambda: (
            shown() == {"one": "completed", "two": "failed", "three": "pending", "four": "pending"}
        ),
        "the ends",
    )
    browser.click(".box[data-step=two]")
    browser.one(".side-panel .reason", "out of memory")
    assert browser.path.endswith("?step=two")
    browser.click(".side-panel .links a", "console")
    browser.one("h1", "two")


def test_another_user_logs_in_with_the_keys(browser: Any, server: Any) -> None:
    browser.open("/web/favicon.svg")
    browser.run("localStorage.clear()")
    script = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": ANOTHER_USER}
    )
    try:
        browser.open("/models")
        browser.fill("input[name=key]", server.keys["access_key"])
        browser.fill("input[name=secret]", "wrong\n")
        browser.one(".problem", "Invalid credentials")
        browser.fill("input[name=secret]", f"{server.keys['secret_key']}\n")
        browser.one("h1", "Models")
        complaints = browser.complaints()
        assert all("401" in line for line in complaints), complaints
        browser.run("localStorage.setItem('sightline.token', 'forged')")
        browser.open("/models")
        browser.one("input[name=key]")
        browser.complaints()
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_a_link_logs_in_once(browser: Any, server: Any, filled: Any) -> None:
    browser.open("/web/favicon.svg")
    browser.run("localStorage.clear()")
    code = server.call("web.create_code")["code"]
    browser.open(f"/web/link.html#code={code}&to=/projects/*/tasks/{filled['task']}")
    browser.one("h1", "trained")
    assert browser.run("return !JSON.stringify(history.state ?? '').includes('code')")
    browser.open(f"/web/link.html#code={code}")
    browser.one("main", "This link was used already or is too old")
    assert len(browser.complaints()) == 1  # the refusal, as the browser's log shows it
    for place in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ):
        code = server.call("web.create_code")["code"]
        browser.open("/web/favicon.svg")
        browser.open(f"/web/link.html#code={code}&to={place}")
        browser.one("h1", "Overview")


@pytest.mark.slow
def test_an_outage_is_told_and_waited_out(chromium: Any, start_server: Any, tmp_path: Any) -> None:
    own = start_server()
    chromium.url = own.url
    chromium.open("/workers-and-queues")
    chromium.one("h2", "default")
    own.kill()
    chromium.one(".notice", "The server does not answer.")
    own.start()
    own.call("queues.create", name="after the outage")
    chromium.one("h2", "after the outage")
    chromium.gone(".notice:not([hidden])")
    chromium.complaints()
