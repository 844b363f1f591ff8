"""The images: a Python environment as the lock says, git, and an agent that uses both as they are.

A task's code comes by git when the task starts; its packages are in the image. So a task starts
in seconds, and runs the versions that were tested.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from agent.deploy.locked import locked_for
from agent.deploy.plan import DeployError, Kind

ROOT = Path(__file__).resolve().parents[2]
UV_VERSION = "0.13.8"
ENVIRONMENT = "/opt/sightline/environment"
AGENT_ID = 1000
"""User and group id of the agent in the image."""
EXTRAS: dict[Kind, tuple[str, ...]] = {
    "cpu": ("train", "export", "stack", "fonts", "heic", "s3"),
    "gpu": ("train", "export", "stack", "fonts", "heic", "s3"),
    # A controller moves ids and waits: it needs no PyTorch.
    "services": ("stack", "s3", "sweep"),
}
USE_AS_IT_IS = {
    "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
"""Tells an agent to run tasks in its own environment and to install nothing."""
GPU_VARIABLES = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}

_DOCKERFILE = """\
# {title}
# Written by `sightline agents make docker`.
#
#   docker build -f {kind}.Dockerfile -t {image} .
#
# The packages are exactly those of the project's lock, hashes included. Made anew when the lock
# changes; a change of the project's own code needs no new image.
FROM python:{python}-slim

RUN apt-get update \\
    && apt-get install --yes --no-install-recommends \\
        ca-certificates curl git openssh-client tini \\
    && rm -rf /var/lib/apt/lists/*

COPY install.sh {kind}.lock /opt/sightline/
RUN sh /opt/sightline/install.sh {environment} /opt/sightline/{kind}.lock

COPY start.sh /opt/sightline/
# `/home/agent/.clearml` holds checked-out code and downloaded data: put a volume there.
RUN useradd --uid {user} --create-home agent \\
    && install --directory --owner agent --group agent /home/agent/.clearml
USER agent
WORKDIR /home/agent
ENV {variables}

# tini passes a signal on to the agent, which ends its task in order, and reaps what that left.
ENTRYPOINT ["/usr/bin/tini", "--", "sh", "/opt/sightline/start.sh"]
"""
_TITLES: dict[Kind, str] = {
    "cpu": "An agent without a GPU.",
    "gpu": "An agent with NVIDIA GPUs. The machine needs their driver and container toolkit; CUDA\n"
    "# comes with PyTorch's packages.",
    "services": "An agent for the controllers of pipelines.",
}


def docker_files(image: str, tag: str, kinds: tuple[Kind, ...]) -> dict[str, str]:
    """The build context: for each kind a Dockerfile and its part of the lock, and two scripts.

    Args:
        image: Name of the images without the kind.
        tag: Their tag.
        kinds: Which.

    Raises:
        DeployError: This isn't a checkout with a lock.
    """
    files = {name: script(name) for name in ("install.sh", "start.sh")}
    for kind in kinds:
        files[f"{kind}.lock"] = lock_of(kind)
        files[f"{kind}.Dockerfile"] = _dockerfile(kind, f"{image}-{kind}:{tag}")
    files[".dockerignore"] = "*\n!*.lock\n!*.sh\n"
    return files


def lock_of(kind: Kind) -> str:
    """The part of the lock that a kind of agent needs.

    Raises:
        DeployError: This isn't a checkout with a lock.
    """
    lock, project = ROOT / "requirements.lock", ROOT / "pyproject.toml"
    if not (lock.is_file() and project.is_file()):
        raise DeployError(f"{ROOT} has no requirements.lock: do this in a checkout of Sightline")
    return locked_for(
        lock.read_text(encoding="utf-8"), project.read_text(encoding="utf-8"), EXTRAS[kind]
    )


def script(name: str) -> str:
    """A script that images and machines without containers share."""
    text = (resources.files("agent.deploy") / "files" / name).read_text(encoding="utf-8")
    return text.replace("@UV_VERSION@", UV_VERSION)


def _dockerfile(kind: Kind, image: str) -> str:
    variables = {"PATH": f"{ENVIRONMENT}/bin:$PATH", "SIGHTLINE_KIND": kind, **USE_AS_IT_IS}
    if kind == "gpu":
        variables |= GPU_VARIABLES
    return _DOCKERFILE.format(
        title=_TITLES[kind],
        kind=kind,
        image=image,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        environment=ENVIRONMENT,
        user=AGENT_ID,
        variables=" \\\n    ".join(f"{name}={value}" for name, value in variables.items()),
    )
