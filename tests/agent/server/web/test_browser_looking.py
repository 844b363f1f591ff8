"""The light page in a real Chromium: what it shows of what the real SDK has reported."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.stack


def test_overview(browser: Any) -> None:
    browser.open("/")
    browser.one(".run-line strong", "pipe")
    browser.one(".row-line strong", "trained <img")
    browser.one("a.row-line", "web-services")
    assert browser.driver.title == "Overview · Sightline"


def test_the_projects_are_a_tree(browser: Any, filled: Any) -> None:
    browser.open("/projects")
    branch = browser.one(".branch[aria-level='1']", "Web")
    assert "first" in branch.text
    browser.click("button[aria-label='Inside Web']")
    browser.wait(lambda: "first" not in branch.text, "a closed branch")
    browser.open("/projects")
    browser.click("button[aria-label='Inside Web']")
    browser.click(".branch[aria-level='2'] a", "first")
    browser.one("td a", "template")
    assert browser.path == f"/projects/{filled['project']}/tasks"


def test_a_list_is_filtered_sorted_and_turned(browser: Any, server: Any) -> None:
    project = server.call("projects.create", name="Web many")["id"]
    for number in range(60):
        server.task(f"task {number:02}", project=project, tags=["even"] if number % 2 == 0 else [])
    browser.open(f"/projects/{project}/tasks?order=name")

    def names() -> list[str]:
        return browser.run(
            "return [...document.querySelectorAll('td.main-cell a')].map(a => a.text)"
        )

    browser.wait(lambda: names()[:2] == ["task 00", "task 01"], "the first page")
    assert len(names()) == 50
    browser.click("button", "Next page")
    browser.wait(lambda: names() == [f"task {n}" for n in range(50, 60)], "the second page")
    assert browser.path.endswith("?order=name&page=1")
    browser.click("th button", "Name")
    browser.wait(
        lambda: names()[:1] == ["task 09"] or names()[:1] == ["task 59"], "the other order"
    )
    browser.fill(".filters input[type=search]", "task 4")
    browser.wait(lambda: len(names()) == 10, "what fits")
    assert "q=task+4" in browser.path
    browser.open(browser.path)
    browser.wait(lambda: len(names()) == 10, "the same by its address")
    browser.fill(".filters input[type=search]", "no such")
    browser.one(".empty", "No task fits.")


@pytest.mark.parametrize(
    ("address", "tab"),
    [
        ("projects/{project}/tasks/{task}/output/log", "Console"),
        ("projects/{project}/experiments/{task}/output/log", "Console"),
        ("projects/*/tasks/{task}/info-output/metrics/plots", "Plots"),
        ("projects/*/tasks/{task}", "Scalars"),
        ("projects/*/experiments/{task}/hyper-params/hyper-param/Args", "Configuration"),
        ("projects/*/tasks/{task}/info-output/debugImages", "Debug samples"),
    ],
)
def test_links_that_the_sdk_prints_lead_somewhere(
    browser: Any, filled: Any, address: str, tab: str
) -> None:
    browser.open("/" + address.format(**filled))
    browser.one(".tabs a[aria-current]", tab)
    assert browser.one("h1").text.startswith("trained <img")


def test_scalars(browser: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}/scalars")
    chart = browser.one("figure.chart canvas")
    browser.wait(lambda: "points" in chart.get_attribute("aria-label"), "a chart's description")
    said = chart.get_attribute("aria-label")
    assert said == "loss: train, 50 points, last 0.02; val, 50 points, last 0.04"
    assert browser.one(".singles").text.split() == ["mAP50", "0.5"]
    painted = (
        "return [...arguments[0].getContext('2d').getImageData(0, 0, 600, 240).data].some(v => v)"
    )
    assert browser.run(painted, chart)
    browser.click(".legend button", "val")
    assert browser.one(".legend button", "val").get_attribute("aria-pressed") == "false"
    browser.click("label.tick", "Logarithmic")
    assert browser.path.endswith("?log=1")


def test_plots_are_drawn_in_a_frame_of_their_own(browser: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}/plots")
    frame = browser.one("iframe.plots")
    browser.driver.switch_to.frame(frame)
    try:
        browser.wait(lambda: len(browser.all("section .main-svg")) >= 2, "plots", 60)
        titles = {one.text for one in browser.all("h2")}
        assert titles == {"confusion · valiteration 0", "result · tableiteration 0"}
        locked = "try { return parent.document.title } catch (error) { return error.name }"
        assert browser.run(locked) == "SecurityError"
        held = "try { return localStorage.length } catch (error) { return error.name }"
        assert browser.run(held) == "SecurityError"
        assert browser.run("return window.hacked === undefined")
    finally:
        browser.driver.switch_to.default_content()
    browser.wait(lambda: frame.size["height"] > 300, "a frame as tall as its plots")


def test_debug_samples(browser: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}/samples")
    picture = browser.one(".sample img")
    size = "return arguments[0].complete && [arguments[0].naturalWidth, arguments[0].naturalHeight]"
    assert browser.wait(lambda: browser.run(size, picture), "the picture") == [60, 40]
    browser.click(".sample button")
    browser.one("dialog.viewer img")
    browser.click("dialog.viewer button[aria-label=Close]")


def test_console_follows(browser: Any, server: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}/console")
    browser.one(".line", "a line with <img src=x")
    assert browser.one(".line span[data-ink='2']").text == "green"
    task = server.task("talking")
    server.call("tasks.started", task=task)
    browser.open(f"/projects/*/tasks/{task}/console")
    browser.one(".empty", "Nothing printed yet.")
    stamp = int(__import__("time").time() * 1000)
    for number in range(2):
        server.add(
            {"type": "log", "task": task, "msg": f"line {number}", "timestamp": stamp + number}
        )
        browser.one(".line", f"line {number}")
    lines = browser.run("return [...document.querySelectorAll('.line')].map(l => l.textContent)")
    assert lines == ["line 0", "line 1"]


def test_an_artifact_is_downloaded(browser: Any, filled: Any) -> None:
    browser.open(f"/projects/*/tasks/{filled['task']}/artifacts")
    browser.one("a.tile strong", "the model")
    assert '"ok": true' in browser.one("pre.preview").text
    browser.click("button", "Download")
    path = browser.downloads / "result.json"
    browser.wait(path.exists, "the file")
    assert '"ok": true' in path.read_text()


def test_models_datasets_and_search(browser: Any, filled: Any) -> None:
    browser.open("/models")
    browser.click("td a", "the model")
    browser.one("h1", "the model")
    assert browser.path == f"/projects/*/models/{filled['model']}"
    browser.open("/datasets")
    browser.click("article h2 a", "words")
    browser.one("h1", "words 1.0.0")
    assert "a.txt" in browser.one("pre.preview").text
    browser.open("/")
    browser.one("main .row-line")
    browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))")
    browser.fill("input[name=q]", "the model\n")
    browser.one(".row-line strong", "the model")
    assert browser.path == "/search?q=the%20model"


def test_two_tasks_side_by_side(browser: Any, server: Any, filled: Any) -> None:
    other = server.call("tasks.clone", task=filled["task"], new_task_name="other")["id"]
    lr = {"section": "Args", "name": "optimizer.lr", "value": "0.5"}
    server.call("tasks.edit_hyper_params", task=other, hyperparams=[lr])
    browser.open(f"/projects/*/compare/{filled['task']},{other}")
    row = browser.one("tr.differs", "Args/optimizer.lr")
    assert row.text.split()[-2:] == ["0.001", "0.5"]
    browser.one("figure.chart figcaption", "loss / train")


def test_light_dark_and_narrow(browser: Any) -> None:
    browser.open("/")
    browser.one("main .row-line")
    background = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(background)
    browser.click("button[aria-label='Light or dark']")
    assert browser.run(background) != light
    browser.open("/")
    assert browser.run(background) != light
    browser.run("localStorage.removeItem('sightline.theme')")
    narrow = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    for path, sign in (
        ("/", ".row-line"),
        ("/pipelines", "article"),
        ("/projects/*/tasks", "td a"),
    ):
        browser.open(path)
        browser.one(f"main {sign}")
        assert browser.run("return document.documentElement.scrollWidth") <= 390, path
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_report_is_read_and_edited(browser: Any, server: Any, filled: Any) -> None:
    text = (
        "# What came out\nAll **well**, see <script>alert(1)</script> [bad](javascript:alert(1)).\n"
        "\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx < y\n```\n"
        f'<iframe src="/widgets/?type=scalar&tasks={filled["task"]}&metrics=loss"></iframe>\n'
    )
    made = server.call("reports.create", name="Findings", report=text, tags=["weekly"])
    browser.open("/reports")
    browser.click("td.main-cell a", "Findings")
    browser.one(".prose h2", "What came out")
    browser.one(".prose strong", "well")
    browser.one(".prose td", "2")
    browser.one(".prose code", "x < y")
    browser.one(".prose p", "<script>alert(1)</script>")
    assert browser.path == f"/reports/{made['project_id']}/{made['id']}"
    assert not browser.all(".prose a", "bad")
    browser.click(".head button", "Edit")
    browser.fill("dialog textarea", "## Changed here")
    browser.act("Edit this report", "Save")
    browser.one(".prose h3", "Changed here")
    browser.open(f"/reports/{made['project_id']}/{made['id']}")
    server.call("reports.update", task=made["id"], report=text)
    browser.click(".prose a.figure-link", "Figure: loss")
    browser.one(".tabs a[aria-current]", "Scalars")


def test_scalars_and_parameters_are_columns_that_sort(browser: Any, server: Any) -> None:
    project = server.call("projects.create", name="Web columns")["id"]
    for number, rate in enumerate(["0.5", "1e-3", "10"]):
        lr = {"section": "Args", "name": "o.lr", "value": rate}
        task = server.task(f"run {number}", project=project, hyperparams={"Args": {"o.lr": lr}})
        server.add({"type": "training_stats_scalar", "task": task, "metric": "loss",
                    "variant": "val", "iter": 1, "value": [0.2, 0.3, 0.1][number]})  # fmt: skip

    def names() -> list[str]:
        return browser.run(
            "return [...document.querySelectorAll('td.main-cell a')].map(a => a.text.slice(-1))"
        )

    browser.open(f"/projects/{project}/tasks?order=name")
    for name in ("loss/val", "Args/o.lr"):
        browser.click(".filters button", "Columns")
        browser.click("[role=menuitem]", name)
        browser.one("th button", name)
    browser.one("td.figure", "1e-3")
    browser.click("th button", "loss/val")
    browser.wait(lambda: names() == ["1", "0", "2"], "the greatest loss first")
    browser.click("th button", "Args/o.lr")
    browser.wait(lambda: names() == ["2", "0", "1"], "the greatest rate first")
    browser.click("th button", "Args/o.lr")
    browser.wait(lambda: names() == ["1", "0", "2"], "the least rate first")
