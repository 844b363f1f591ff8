"""`sightline sweep`: search for the best options of a training."""

from __future__ import annotations

import click

from pipelines.commands.shared import (
    activate,
    file_and_options,
    launch_options,
    say_queued,
    watched,
)
from pipelines.user_errors import one_line_errors

_HELP = """Search for the best options of a training, many trials at a time.

\b
  sightline sweep configs/sweeps/rice.yaml --wait
  sightline sweep configs/sweeps/rice.yaml trials=40 sampler=cmaes hours=2

KEY=VALUE sets an option of the sweep (trials=40), a parameter or stage option that every trial
has (epochs=3, train.batch_size=16), or what is searched:

\b
  space.optimizer.lr='{low: 1e-4, high: 1e-2, log: true}'   a range
  space.batch_size='{low: 8, high: 64, step: 8}'            with steps
  space.network.backbone='[resnet10t, resnet18]'            choices
  space.optimizer.momentum='{low: 0.8, high: 0.99, when: {optimizer.name: sgd}}'
                                                            under a condition

The same in a file is a table 'space' beside the options. Wrong options, and ranges whose ends the
training wouldn't take, are refused before anything starts. The figures that count are named by
objectives='max val/mAP, min latency_ms' and constraints='latency_ms<=20'.

A sweep is a ClearML task on the queue 'services': in the web UI it can be started anew (NEW RUN),
cloned and edited, with all of this under 'Args'. If its process is killed, 'sightline resume'
has it go on with every trial that there is. Follow, stop and resume it as a pipeline:
'sightline watch', 'sightline stop'. With best=N the N best trials go on through tune, evaluate,
export, quantize, benchmark and publish.
"""


class _Explained(click.Command):
    """A command whose help lists the options of a sweep."""

    def get_help(self, ctx: click.Context) -> str:
        from components.usage import describe_options
        from pipelines.sweep.options import SweepOptions

        text: str = super().get_help(ctx)
        return f"{text}\n\n{describe_options(SweepOptions)}"


@click.command(cls=_Explained, help=_HELP)
@click.argument("sweep_and_options", nargs=-1, metavar="SWEEP.yaml [KEY=VALUE]...")
@launch_options("sweep", "trials")
@one_line_errors
def sweep(
    sweep_and_options: tuple[str, ...],
    wait: bool,
    queue: str | None,
    name: str | None,
    project: str | None,
    code: str,
) -> None:
    """Start a sweep; `_HELP` says the rest."""
    from pipelines.sweep.launch import check_offline, launch_sweep
    from pipelines.sweep.plan import read_sweep

    words = file_and_options(sweep_and_options, "trials=40", name=name, project=project)
    wanted = read_sweep(*words)
    check_offline(wanted)
    activate()
    task, warnings = launch_sweep(wanted, code, queue)
    say_queued("sweep", wanted.recipe.name, task, warnings, wait)
    if not wait:
        return
    from pipelines.sweep.releases import read_releases

    code_of_it = watched(task)
    for pipeline in read_releases(task).values() if code_of_it == 0 else ():
        code_of_it = max(code_of_it, watched(pipeline))
    raise SystemExit(code_of_it)
