"""The command line: the list of `pipelines.commands`.

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import click

from agent.deploy.commands import agents
from agent.stack.commands import COMMANDS
from pipelines.commands.benchmark import benchmark
from pipelines.commands.champions import champions, promote, rollback
from pipelines.commands.convert import convert
from pipelines.commands.demo import demo
from pipelines.commands.design import design
from pipelines.commands.doctor import doctor
from pipelines.commands.models import models
from pipelines.commands.package import deploy, package
from pipelines.commands.pictures import pictures
from pipelines.commands.predict import predict
from pipelines.commands.register import register
from pipelines.commands.run import resume, run, stop, watch
from pipelines.commands.serve import serve
from pipelines.commands.stage import stage
from pipelines.commands.sweep import sweep
from pipelines.commands.trigger import trigger
from pipelines.commands.triton import triton


class _InOrder(click.Group):
    """Lists commands in the order in which people need them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sightline")
def main() -> None:
    """Train, check, export and ship vision models as ClearML pipelines."""


for _command in (
    run,
    sweep,
    watch,
    stop,
    resume,
    register,
    trigger,
    stage,
    doctor,
    models,
    design,
    benchmark,
    champions,
    promote,
    rollback,
    predict,
    serve,
    triton,
    demo,
    package,
    deploy,
    convert,
    pictures,
    *COMMANDS,
    agents,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
