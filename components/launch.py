"""Running a stage as a process: from a shell, into a folder, or as an agent's task."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from components.code import MODES, CodeError, CodeState, read_code_state, refuse_foreign_imports
from components.failure import (
    INTERRUPTED,
    MACHINE_FAILED,
    OK,
    USER_FAILED,
    Failure,
    full_disk,
    is_users,
    say,
)
from components.options import Layer, OptionError, command_line_layer, flatten, options_of
from components.run.door import FurtherNodeEnd, Run, SupersededError
from components.run.local import LocalRun
from components.run.monitor import keep_failure
from components.told import family_told
from models.families import DEFAULT_FAMILY

if TYPE_CHECKING:
    from components.run.attempt import Attempt
    from components.run.tracked import ClearMLRun
    from components.stage import Stage

DEFAULT_PROJECT = "Sightline"
_SHOWN_FIGURES = 8
AGENT_TASK_VARIABLE = "CLEARML_TASK_ID"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of the usage and a line."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(message)


def _parser(stage: Stage[Any, Any]) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"python -m {stage.module}", add_help=False, allow_abbrev=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--local", type=Path)
    parser.add_argument("--project", default=DEFAULT_PROJECT)
    parser.add_argument("--name")
    parser.add_argument("--code", choices=MODES, default=os.environ.get("SIGHTLINE_CODE", "auto"))
    parser.add_argument("options", nargs="*")
    return parser


def help_text(stage: Stage[Any, Any], family: str = DEFAULT_FAMILY) -> str:
    """Write all that `--help` says about a stage."""
    from components.usage import describe_options

    return f"""{stage.title}

  python -m {stage.module} [--config FILE] [--local FOLDER] [option=value ...]

Runs as a ClearML task; with --local without any server.

  --config FILE    options from a YAML file, nested or with dotted names
  --local FOLDER   keep everything in a folder, track nothing
  --project NAME   ClearML project (default: {DEFAULT_PROJECT})
  --name NAME      name of the task (default: {stage.name})
  --code MODE      where agents get the code of a clone of this task: local (this disk),
                   remote (the checkout's remote) or auto (default; local if the server is)

Defaults are overridden by the file, and the file by the command line. Lists: a,b or JSON.

{describe_options(stage.config_type(family))}
"""


def launch(stage: Stage[Any, Any], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a stage and end the process with its exit code."""
    # A pipe to a viewer or a log must show lines as they come.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if os.environ.get("RANK", "0") != "0":
        # One of torchrun's further processes: the first one has the task, and says what to do.
        from models.training.companions import follow

        follow()
        sys.exit(OK)
    if os.environ.get(AGENT_TASK_VARIABLE):
        code = _on_agent(stage)
        # The task is closed; to take torch apart would cost the next stage seconds.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = _from_shell(stage, sys.argv[1:] if arguments is None else arguments)
    sys.stdout.flush()
    sys.exit(code)


def _from_shell(stage: Stage[Any, Any], arguments: Sequence[str]) -> int:
    try:
        given = _parser(stage).parse_intermixed_args(list(arguments))
        overrides = command_line_layer(given.options)
        if given.help:
            values = overrides.values
            family = str(values.get("family") or family_told(values) or DEFAULT_FAMILY)
            sys.stdout.write(help_text(stage, family))
            return OK
        config = stage.configure(overrides, file=given.config)
        refuse_foreign_imports()
    except ValueError as error:
        say(str(error))
        return USER_FAILED
    if given.local is not None:
        return _local(stage, config, given.local, given.project)
    from agent.stack import activate

    activate()
    return _tracked(stage, config, given.project, given.name or stage.name, given.code)


def _local(stage: Stage[Any, Any], config: Any, folder: Path, project: str) -> int:
    try:
        run = LocalRun(folder, stage.name, project=project, commit=_commit())
        run.begin(flatten(config))
    except ValueError as error:
        say(f"--local: {error}")
        return USER_FAILED
    try:
        result = stage.function(config, run)
        run.finish(result.model_dump(mode="json"))
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except Exception as error:
        return _explain(error)[0]
    _tell(run, result.model_dump(mode="json"))
    run.log(f"all of it is in {run.home}")
    return INTERRUPTED if run.stop_requested() else OK


def _tell(run: Run, fields: Mapping[str, Any]) -> None:
    """Write the result for people; long tables of figures were written by the stage itself."""
    for name, value in fields.items():
        if not isinstance(value, dict) or len(value) <= _SHOWN_FIGURES:
            many = isinstance(value, dict | list)
            run.log(f"{name}: {json.dumps(value, ensure_ascii=False) if many else value}")


def _commit() -> str:
    try:
        return read_code_state("", "local").commit
    except CodeError:
        return ""


def _tracked(stage: Stage[Any, Any], config: Any, project: str, name: str, mode: str) -> int:
    from components.run.start import connect, start_from_shell

    try:
        server = connect()
    except ValueError as error:
        say(str(error))
        return USER_FAILED
    code: CodeState | None = None
    try:
        code = read_code_state(server, mode)
    except CodeError as error:
        say(f"note: a clone of this task couldn't run on an agent: {error}")
    task = start_from_shell(stage, config, code, project, name)
    return _run(stage, config, flatten(config), task)


def _on_agent(stage: Stage[Any, Any]) -> int:
    from components.run.attempt import Attempt
    from components.run.start import start_on_agent

    task, values = start_on_agent(stage)
    try:
        refuse_foreign_imports()
        config = stage.configure(Layer("", values))
    except ValueError as error:
        say(str(error))
        _end_as_failed(task, Attempt(task), Failure.USER, str(error), USER_FAILED)
    missing = {o.name for o in options_of(type(config))} - set(values)
    if missing:
        say(f"note: the task doesn't set {', '.join(sorted(missing))}: defaults are used")
    return _run(stage, config, flatten(config), task)


def _run(stage: Stage[Any, Any], config: Any, options: Mapping[str, str], task: Any) -> int:
    from components.run.tracked import ClearMLRun

    run = ClearMLRun(task, options, stage.name)
    door: Run = run
    try:
        result = stage.function(config, door)
        fields = result.model_dump(mode="json")
        run.finish(fields)
    except FurtherNodeEnd:
        run.end()
        task.close()
        return OK
    except SupersededError as error:
        say(f"{error}; this attempt ends without writing anything")
        # No at-exit handler may run: the SDK's would set the status of a task that isn't ours.
        os._exit(MACHINE_FAILED)
    except KeyboardInterrupt:
        _end_as_stopped(task, run, "interrupted")
    except Exception as error:
        code, kind, message = _explain(error)
        run.end()
        _end_as_failed(task, run.attempt, kind, message, code)
    _tell(door, fields)
    if run.stopped:
        _end_as_stopped(task, run, "ended early on request; what there was is kept")
    run.end()
    task.close()
    return OK


def _end_as_failed(task: Any, attempt: Attempt, kind: Failure, message: str, code: int) -> NoReturn:
    """Mark the task failed with the reason, and end the process.

    The SDK's at-exit handler would set a status of its own (`completed`, or `failed` with the
    reason "Signal None"), so it doesn't get to run.
    """
    line = message.strip().split("\n")[0][:200]
    attempt.failed(kind, message)
    task.flush(wait_for_uploads=True)
    task.mark_failed(status_reason=f"{kind}: {line}", status_message=message[:1000], force=True)
    if kind is Failure.USER:
        # The reason stays where people look first: on the task.
        keep_failure()
    os._exit(code)


def _end_as_stopped(task: Any, run: ClearMLRun, reason: str) -> NoReturn:
    """Mark the task stopped and end the process as Ctrl-C does, which an agent understands."""
    say(reason)
    run.end()
    task.flush(wait_for_uploads=True)
    task.mark_stopped(force=True, status_message=reason)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(INTERRUPTED)


def _explain(error: Exception) -> tuple[int, Failure, str]:
    """Say what went wrong: a line for a user's mistake or a full disk, a traceback for a fault."""
    if is_users(error):
        say(str(error))
        return USER_FAILED, Failure.USER, str(error)
    if line := full_disk(error):
        say(line)
        return MACHINE_FAILED, Failure.MACHINE, line
    traceback.print_exception(error)
    return MACHINE_FAILED, Failure.MACHINE, f"{type(error).__name__}: {error}"
