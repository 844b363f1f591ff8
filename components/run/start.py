"""How a process becomes a ClearML task, without anything that the SDK would do on its own."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import requests

from components.code import CodeState
from components.drafts import REGISTERED
from components.options import flatten, options_of
from components.run.api import ServerError, call, server_url
from components.template import SECTION, hyperparameters

if TYPE_CHECKING:
    from components.stage import Stage

_FRAMEWORKS = """hydra scikit joblib matplotlib tensorflow tensorboard tfdefines pytorch megengine
xgboost catboost fastai lightgbm gradio"""
_NO_HOOKS = dict.fromkeys(["detect_repository", *_FRAMEWORKS.split()], False)
"""Everything is reported explicitly, once; the script section is ours (`components.code`)."""
_PATIENCE = 6.0
"""Seconds that a server may be away, since one that has died is replaced."""
_PAUSE = 0.5


def connect() -> str:
    """Make sure that a ClearML server is configured and takes our credentials.

    Returns:
        The API's URL.

    Raises:
        ValueError: with one line that says what to do.
    """
    advice = "start one with 'sightline up', set CLEARML_API_HOST, or use --local FOLDER"
    from agent.stack import active_server

    if url := active_server().url:
        _wait_for(url, advice)
    try:
        call("projects.get_all", page=0, page_size=1)
    except ServerError as error:
        raise ValueError(f"the ClearML server at {server_url()} refused: {error}") from None
    except (ValueError, OSError) as error:
        line = str(error).strip().split("\n")[0]
        raise ValueError(f"no ClearML server: {line}; {advice}") from None
    return server_url()


def _wait_for(url: str, advice: str) -> None:
    """Give a server a while to come back; the SDK would ask for ever, and say nothing.

    Raises:
        ValueError: nothing listens there.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            requests.head(url, timeout=_PATIENCE)
        except (requests.ReadTimeout, requests.exceptions.SSLError):
            return  # something is there: the SDK knows better how to talk to it
        except requests.ConnectionError:
            if time.monotonic() > end:
                raise ValueError(f"the ClearML server at {url} doesn't answer; {advice}") from None
            time.sleep(_PAUSE)
        except requests.RequestException:
            return  # an address that only the SDK can read
        else:
            return


def start_from_shell(
    stage: Stage[Any, Any], config: Any, code: CodeState | None, project: str, name: str
) -> Any:
    """Create a task that can be cloned and enqueued, and run it in this process."""
    task = init_task(project_name=project, task_name=name, task_type=stage.task_type)
    if code is not None:
        script = code.script(stage.module)
        task.set_script(
            repository=script["repository"],
            branch=script["branch"],
            commit=script["version_num"],
            diff=script["diff"],
            working_dir=script["working_dir"],
            entry_point=script["entry_point"],
            binary=script["binary"],
        )
        call("tasks.set_requirements", task=task.id, requirements=script["requirements"])
    sections = hyperparameters(options_of(type(config)), flatten(config), code)
    call(
        "tasks.edit_hyper_params",
        task=task.id,
        force=True,
        hyperparams=[item for section in sections.values() for item in section.values()],
    )
    task.reload()
    return task


def start_on_agent(stage: Stage[Any, Any]) -> tuple[Any, dict[str, str]]:
    """Join the task that an agent has started this process for.

    Returns:
        The task, and its own options as text.
    """
    task = init_task(task_type=stage.task_type)
    if not task.output_uri:
        task.output_uri = True
    _forget_former_run(task)
    prefix = f"{SECTION}/"
    parameters = task.get_parameters(backwards_compatibility=False)
    values = {
        name.removeprefix(prefix): value
        for name, value in parameters.items()
        if name.startswith(prefix)
    }
    return task, values


def init_task(**names: Any) -> Any:
    """Make this process's task, or join the agent's, with the SDK's hooks off."""
    from clearml import Task

    # With the SDK's default on Linux a forked reporter can hang the task's end for minutes.
    Task._report_subprocess_enabled = False
    task = Task.init(
        **names,
        reuse_last_task_id=False,
        # Steps are absolute: without this the SDK shifts every report after a restart.
        continue_last_task=0,
        output_uri=True,
        auto_connect_arg_parser=False,
        auto_connect_frameworks=_NO_HOOKS,
    )
    # The SDK's handler would close the task before the stage can save what it has.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return task


def _forget_former_run(task: Any) -> None:
    """Take off what a clone inherits although it was never its own: result and template tags."""
    from components.run.tracked import RESULT_SECTION

    if RESULT_SECTION in (task.data.hyperparams or {}):
        call(
            "tasks.delete_hyper_params",
            task=task.id,
            force=True,
            hyperparams=[{"section": RESULT_SECTION}],
        )
    shed_tags(task)


def shed_tags(task: Any) -> None:
    """Take off the tags that say of a draft or a template what isn't true of its clones."""
    tags = task.get_tags() or []
    strange = ("template", REGISTERED)
    kept = [t for t in tags if t not in strange and not t.startswith("template:")]
    if kept != list(tags):
        task.set_tags(kept)
