"""A pipeline's page put where people look: an artifact, and one of ClearML's reports."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from components.run.api import ServerError, call, find_or_create_project
from pipelines import tasks
from pipelines.console import log
from pipelines.page.records import read_records
from pipelines.page.sections import Page
from pipelines.recipe import Plan
from pipelines.state import PipelineState

ARTIFACT = "report"
"""Artifact of the controller's task: the page as one HTML file."""
_TAG = "pipeline:"


def publish_page(task: Any, now: PipelineState, plan: Plan, figures: dict[str, float]) -> str:
    """Put a pipeline's page on the server; a second time it replaces the first.

    Args:
        task: the controller's task.
        now: how its stages ended.
        plan: what was run.
        figures: of all its stages.

    Returns:
        Where the HTML file lies.
    """
    web = str(task.get_output_log_web_page()).partition("/projects/")
    page = Page(
        title=str(task.name),
        pipeline=str(task.id),
        commit=str(task.data.script.version_num or ""),
        web=web[0] if web[1] else "",
        now=now,
        plan=plan,
        figures=figures,
        records=read_records(now),
    )
    with tempfile.TemporaryDirectory(prefix="sightline-report-") as folder:
        file = Path(folder, "report.html")
        file.write_text(page.html(), encoding="utf-8")
        if not task.upload_artifact(ARTIFACT, str(file), wait_on_upload=True, retries=3):
            raise RuntimeError("the report couldn't be uploaded")
    url = str(task.artifacts[ARTIFACT].url)
    try:
        _put_report(task.id, page, plan.recipe.project)
    except ServerError as error:
        if tasks.is_outage(error):
            raise
        log(
            f"note: the server has taken no report ({error}); it is an artifact of this task: {url}"
        )
    return url


def _put_report(pipeline: str, page: Page, project: str) -> None:
    """Make or bring up to date the report of a pipeline's run."""
    tag = f"{_TAG}{pipeline}"
    fields = {"name": page.title, "comment": f"of pipeline {pipeline}", "report": page.markdown()}
    known = call(
        "tasks.get_all",
        type=["report"],
        tags=[tag],
        order_by=["created"],
        only_fields=["id", "status"],
        search_hidden=True,
    )["tasks"]
    if not known:
        call("reports.create", project=find_or_create_project(project), tags=[tag], **fields)
    elif known[0]["status"] == "created":  # one that was published stays as it is
        call("reports.update", task=known[0]["id"], **fields)
