"""A run as a ClearML task, through the unmodified SDK."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from components.drafts import STAGES_FOLDER
from components.run import champions
from components.run.api import call, find_project
from components.run.attempt import Attempt, Throttle
from components.run.checkpoints import Checkpoints
from components.run.door import Champion, DatasetCopy, DatasetRef, ModelCopy, ModelRef
from components.run.nodes import Nodes
from components.run.progress import Progress
from components.run.records import file_name, plain
from components.run.stop import StopRequest
from components.run.tracked_datasets import fetch_dataset, save_dataset
from components.run.tracked_models import (
    ModelGoneError,
    fetch_model,
    fetch_published,
    save_model,
)
from models.reporting import Image
from models.training.nodes import Node

RESULT = "result"
"""Artifact with the whole result as JSON."""
RESULT_SECTION = "Result"
"""Hyperparameter section with the scalar fields of a stage's result: a pipeline refers to one as
`${step.parameters.Result/model}`."""
_ABORT_SECONDS = 120.0
_LOOK_SECONDS = 3.0


class ClearMLRun:
    """Reports into a task that `Task.init` has started in this process."""

    def __init__(self, task: Any, options: Mapping[str, str], stage: str = "run") -> None:
        """Take the task over.

        Args:
            task: the process's main task.
            options: all options as text; outputs of an earlier attempt are taken for this one's
                only if its options were the same.
            stage: name of the stage, for scratch folders.
        """
        self._task = task
        self._logger = task.get_logger()
        self.folder = Path(tempfile.mkdtemp(prefix=f"sightline-{file_name(stage)}-"))
        # Templates lie in a hidden project below the one that is meant, drafts in a plain one.
        self.project: str = re.split(rf"/\.|/{STAGES_FOLDER}$", task.get_project_name())[0]
        self.attempt = Attempt(task)
        self.progress = Progress(self.log)
        self._once = f"once:{task.id[:12]}-{_short_hash(options)}"
        self._checkpoints = Checkpoints(task, self._once)
        self._may_look = Throttle(_LOOK_SECONDS)
        self._stop = StopRequest()
        self._ended = threading.Event()
        self._listening = False
        self._dropped: list[Path] = []

    @property
    def id(self) -> str:
        """The task's id."""
        return str(self._task.id)

    @property
    def commit(self) -> str:
        """The commit in the task's script section."""
        return str(self._task.data.script.version_num or "")

    def scalar(self, title: str, series: str, value: float, step: int) -> None:
        """Report one point of a curve."""
        self._logger.report_scalar(title, series, float(value), step)

    def value(self, name: str, value: float) -> None:
        """Report a single value."""
        self._logger.report_single_value(name, float(value))

    def image(self, title: str, series: str, image: Image, step: int) -> None:
        """Report a debug sample."""
        self._logger.report_image(title, series, iteration=step, image=image)

    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
        """Report an interactive plot."""
        self._logger.report_plotly(title, series, figure=figure, iteration=step)

    def table(
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None:
        """Report a table."""
        cells = json.loads(json.dumps([list(row) for row in rows], default=plain))
        self._logger.report_table(title, series, step, table_plot=[list(columns), *cells])

    def log(self, message: str) -> None:
        """Write one line to the console, which is the task's log."""
        print(message, flush=True)  # noqa: T201 (the SDK and the agent collect standard output)

    def dataset(self, reference: str, keep: bool = True) -> DatasetCopy:
        """Download a dataset version into ClearML's cache."""
        found = fetch_dataset(reference, self.project)
        if not keep and found.id != str(found.folder):
            self._dropped.append(found.folder)
        return found

    def model(self, reference: str) -> ModelCopy:
        """Download a model package."""
        found = fetch_model(reference, self.project, self.folder)
        if found.id != str(found.folder):
            call(
                "tasks.add_or_update_model",
                **{"task": self.id, "name": "input", "type": "input", "model": found.id},
            )
        return found

    def published_model(self, name: str) -> ModelCopy | None:
        """Download the champion of a name, or else the last published model package."""
        try:
            return fetch_published(name, self.project, self.folder)
        except ModelGoneError as error:
            self.log(f"note: {error}")
            return None

    def champion(self, name: str, project: str | None = None) -> Champion | None:
        """Find the champion of a name in the registry."""
        home = find_project(project or self.project)
        found = champions.find_champion(name, home) if home else None
        return Champion(found.id, found.facts.get(champions.BENCHMARK, "")) if found else None

    def promote(self, model: ModelRef, why: str) -> None:
        """Move the tag, and note why with the model."""
        self.attempt.check()
        champions.promote(champions.find_published(model.id, self.project), why)

    def explain(self, model: ModelRef, why: str) -> None:
        """Note why a model wasn't promoted in its metadata."""
        champions.explain(model.id, why)

    def save_dataset(
        self,
        folder: Path,
        *,
        project: str,
        name: str,
        version: str | None = None,
        parents: Sequence[str] = (),
        tags: Sequence[str] = (),
        previews: Sequence[tuple[str, Image]] = (),
        statistics: Mapping[str, Any] | None = None,
        increment: bool = True,
        links: Mapping[str, str] | None = None,
    ) -> DatasetRef:
        """Save a folder as a ClearML Dataset version."""
        self.attempt.check()
        return save_dataset(
            self._task,
            folder,
            project=project,
            name=name,
            version=version,
            parents=[parent for parent in parents if parent],
            tags=tags,
            previews=previews,
            statistics=statistics,
            once=self._once,
            increment=increment,
            links=links or {},
        )

    def save_model(
        self,
        folder: Path,
        *,
        name: str,
        tags: Sequence[str] = (),
        labels: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
        comment: str = "",
        project: str | None = None,
        publish: bool = False,
    ) -> ModelRef:
        """Register a package as an output model of the task."""
        self.attempt.check()
        return save_model(
            self._task,
            folder,
            name=name,
            tags=tags,
            labels=labels,
            metadata=metadata,
            comment=comment,
            project=project or self.project,
            publish=publish,
            once=self._once,
        )

    def result_of(self, reference: str) -> dict[str, Any]:
        """Read the result of another task."""
        file = fetch_artifact(reference, RESULT)
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def artifact_of(self, reference: str, name: str) -> Path:
        """Download an artifact of another task."""
        return fetch_artifact(reference, name)

    def page(self) -> str:
        """The task's page in the web application."""
        return str(self._task.get_output_log_web_page())

    def artifact(self, name: str, content: Any) -> str:
        """Upload an artifact and wait for it."""
        if not isinstance(content, Path):
            target = self.folder / f"{file_name(name)}.json"
            target.write_text(json.dumps(content, indent=2, default=plain, ensure_ascii=False))
            content = target
        done = self._task.upload_artifact(
            name, artifact_object=str(content), wait_on_upload=True, retries=3
        )
        if not done:
            raise RuntimeError(f"artifact '{name}' couldn't be uploaded")
        return str(self._task.artifacts[name].url)

    def checkpoint(self) -> Path | None:
        """Download the newest whole checkpoint of an earlier attempt."""
        return self._checkpoints.restore()

    def save_checkpoint(self, path: Path) -> None:
        """Upload a checkpoint, unless the last upload was a moment ago."""
        self.attempt.check()
        self._checkpoints.save(path)

    def nodes(self, count: int) -> AbstractContextManager[Node]:
        """Bring further agents of this task's queue together with this one."""
        return Nodes(self._task, self.attempt, self.log).join(count)

    def stop_requested(self) -> bool:
        """Tell whether Ctrl-C was pressed or the task aborted since the first call."""
        if not self._listening:
            self._listening = True
            self._stop.listen()
            self._task.register_abort_callback(self._on_abort, _ABORT_SECONDS)
        if self._may_look() and self.attempt.look():
            self._stop.ask()
        return bool(self._stop)

    @property
    def stopped(self) -> bool:
        """True once the run was asked to end early."""
        return bool(self._stop)

    def _on_abort(self) -> None:
        self._stop.ask()
        self._ended.wait(_ABORT_SECONDS)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Record the result, as an artifact and as hyperparameters that a pipeline can refer to."""
        fields = json.loads(json.dumps(dict(result), default=plain))
        self._task.flush(wait_for_uploads=True)
        self.attempt.check()
        self.artifact(RESULT, fields)
        call(
            "tasks.edit_hyper_params",
            task=self.id,
            replace_hyperparams="section",
            force=True,
            hyperparams=[
                {"section": RESULT_SECTION, "name": name, "value": _text(value), "type": "str"}
                for name, value in fields.items()
            ],
        )
        self.attempt.finished()

    def end(self) -> None:
        """Clean up on this machine, however the run went."""
        self._ended.set()
        self._stop.forget()
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in self._dropped:
            shutil.rmtree(folder, ignore_errors=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short_hash(options: Mapping[str, str]) -> str:
    text = json.dumps(dict(options), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def fetch_artifact(task: str, name: str) -> Path:
    """Download an artifact of a task.

    Raises:
        ValueError: there is no such task, or it has no such artifact.
    """
    fields = ["execution.artifacts", "name"]
    tasks = call("tasks.get_all", id=[task], only_fields=fields, search_hidden=True)["tasks"]
    if not tasks:
        raise ValueError(f"no task with the id {task} on this server")
    artifacts = (tasks[0].get("execution") or {}).get("artifacts") or []
    urls = [artifact["uri"] for artifact in artifacts if artifact["key"] == name]
    if not urls:
        raise ValueError(f"task {task} ({tasks[0]['name']}) has no {name} yet")
    from clearml import StorageManager

    return Path(StorageManager.get_local_copy(urls[0], force_download=True))
