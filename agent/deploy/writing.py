"""Writes the files of a deployment into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.deploy.compose import compose_files
from agent.deploy.helm import helm_files
from agent.deploy.images import docker_files
from agent.deploy.plan import IMAGE_KINDS, DeployError, Deployment
from agent.deploy.systemd import systemd_files


def _docker(plan: Deployment) -> dict[str, str]:
    wanted = {queue.kind for queue in plan.queues}
    return docker_files(plan.image, plan.tag, tuple(k for k in IMAGE_KINDS if k in wanted))


KINDS: Mapping[str, Callable[[Deployment], dict[str, str]]] = {
    "docker": _docker,
    "compose": compose_files,
    "helm": helm_files,
    "systemd": systemd_files,
}


def write(kind: str, plan: Deployment, folder: Path) -> list[Path]:
    """Write the files of one kind of deployment; files that are there already are replaced.

    Args:
        kind: One of `KINDS`.
        plan: What is deployed.
        folder: Where to.

    Returns:
        The files.

    Raises:
        DeployError: The folder can't be written, or there is nothing to make them of.
    """
    files = KINDS[kind](plan)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            if name.endswith(".sh"):
                path.chmod(0o755)
            written.append(path)
    except OSError as error:
        raise DeployError(f"can't write {folder}: {error.strerror or error}") from error
    return written
