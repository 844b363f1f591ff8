"""`sightline agents make`: files with which agents run on other machines."""

from __future__ import annotations

from pathlib import Path

import click

_AFTER = {
    "docker": "build them with the lines at the head of each Dockerfile",
    "compose": "start them with the lines at the head of compose.yaml",
    "helm": "install each with the lines at its head",
    "systemd": "install them with the lines at the head of each unit",
}


@click.group()
def agents() -> None:
    """Write what runs agents on other machines: images, compose, Helm values, systemd units.

    Agents on this machine are started by `sightline up` instead.
    """


@agents.command()
@click.argument("kind", type=click.Choice(list(_AFTER)))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--server",
    metavar="URL",
    help="The ClearML API, as the agents reach it. [default: the one a run from here would use]",
)
@click.option("--web", default="", metavar="URL", help="Its web application. [default: guessed]")
@click.option("--files", default="", metavar="URL", help="Its file server. [default: guessed]")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME[:KIND][=N]",
    help="A queue, the kind of its agents (cpu, gpu, services; the name may say it) and how many; "
    "may be given more than once. [default: cpu, gpu, services]",
)
@click.option(
    "--image",
    default="sightline-agent",
    show_default=True,
    help="Name of the images, such as registry.example.org/sightline-agent; the kind is added.",
)
@click.option("--tag", default="latest", show_default=True, help="Their tag.")
@click.option("--with-server", is_flag=True, help="compose: ClearML Server too.")
@click.option("--spot", is_flag=True, help="helm: stages may run on nodes that can be taken away.")
@click.option(
    "--host-network",
    is_flag=True,
    help="compose: agents of GPUs use the machine's network, as training on several machines does.",
)
@click.option(
    "--environment",
    default="/opt/sightline/environment",
    show_default=True,
    metavar="PATH",
    help="systemd: the Python environment.",
)
def make(
    kind: str,
    folder: Path,
    server: str | None,
    web: str,
    files: str,
    queues: tuple[str, ...],
    image: str,
    tag: str,
    with_server: bool,
    spot: bool,
    host_network: bool,
    environment: str,
) -> None:
    """Write the files of one KIND of deployment into FOLDER.

    \b
    docker   Dockerfiles with the locked packages in them; a task installs nothing
    compose  a compose file of agents (and with --with-server of ClearML Server)
    helm     values for the public chart clearml-agent, a release for each queue
    systemd  a unit for each agent, on machines without containers

    No file holds a key: each says at its head where the keys are read from.

    \b
    sightline agents make docker images/ --queue gpu --queue services
    sightline agents make compose site/ --server http://server:8008 --queue a100:gpu=4 --queue cpu
    """  # noqa: D301 - \b keeps the lines as they are
    from agent.deploy.plan import DeployError, Deployment, ServerUrls, parse_queue
    from agent.deploy.writing import write

    try:
        if kind == "docker":  # images know no server
            urls = ServerUrls("", "", "")
        else:
            urls = ServerUrls.guess(server or _current_server(), web, files)
        plan = Deployment(
            urls,
            tuple(parse_queue(text) for text in queues or ("cpu", "gpu", "services")),
            image=image,
            tag=tag,
            with_server=with_server,
            spot=spot,
            host_network=host_network,
            environment=environment,
        )
        written = write(kind, plan, folder)
    except DeployError as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        click.echo(path)
    click.echo(_AFTER[kind])


def _current_server() -> str:
    """The API's URL that a run from here would use."""
    from agent.deploy.plan import DeployError
    from agent.stack.activation import active_server

    found = active_server()
    if not found.url or found.is_local:
        place = f"is this machine's own ({found.url})" if found.url else "is none"
        raise DeployError(f"the server of a run from here {place}; name one with --server URL")
    return found.url
