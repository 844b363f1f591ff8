"""What is to be deployed: the server's addresses, and the agents of each queue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Kind = Literal["cpu", "gpu", "services"]
IMAGE_KINDS: tuple[Kind, ...] = ("cpu", "gpu", "services")
_QUEUE = re.compile(r"([A-Za-z0-9][\w.-]*)(?::(\w+))?(?:=(\d+))?")


class DeployError(ValueError):
    """A deployment can't be written as asked; the message says what to change."""


@dataclass(frozen=True)
class ServerUrls:
    """Where a ClearML server is reached from the agents' machines."""

    api: str
    web: str
    files: str

    @classmethod
    def guess(cls, api: str, web: str = "", files: str = "") -> ServerUrls:
        """Fill in the usual places of web application and file server.

        Args:
            api: URL of the API, such as `http://server:8008` or `https://api.example.org`.
            web: URL of the web application, unless it is the usual one.
            files: URL of the file server, likewise.

        Raises:
            DeployError: A URL is none, is this machine's own, or has no usual neighbour.
        """
        api = _checked("--server", api)
        found = {"--web": (web, "app", 8080), "--files": (files, "files", 8081)}
        others = [
            _checked(option, given) if given else _neighbour(option, api, name, port)
            for option, (given, name, port) in found.items()
        ]
        return cls(api, *others)

    def environment(self) -> dict[str, str]:
        """The variables that name them to ClearML."""
        return {
            "CLEARML_API_HOST": self.api,
            "CLEARML_WEB_HOST": self.web,
            "CLEARML_FILES_HOST": self.files,
        }


@dataclass(frozen=True)
class QueuePlan:
    """The agents of one queue.

    Attributes:
        name: The queue's name.
        kind: What its agents have and do.
        agents: How many; of kind `gpu`, each has a GPU of its own.
    """

    name: str
    kind: Kind
    agents: int = 1

    @property
    def label(self) -> str:
        """The name as containers, pods and units may have it."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each agent: the label, with a number where there are several."""
        if self.agents == 1:
            return (self.label,)
        return tuple(f"{self.label}-{number + 1}" for number in range(self.agents))


@dataclass(frozen=True)
class Deployment:
    """All that a deployment file may speak of.

    Attributes:
        server: Where the server is.
        queues: The queues, each once.
        image: Name of the images without the kind: `registry.example.org/sightline-agent`.
        tag: Their tag.
        with_server: Whether ClearML Server is deployed too.
        spot: Whether machines may be taken away at any moment.
        host_network: Whether agents of GPUs use the machine's network, as training over several
            machines needs it.
        environment: Folder of the Python environment on machines without containers.
    """

    server: ServerUrls
    queues: tuple[QueuePlan, ...]
    image: str = "sightline-agent"
    tag: str = "latest"
    with_server: bool = False
    spot: bool = False
    host_network: bool = False
    environment: str = "/opt/sightline/environment"

    def __post_init__(self) -> None:
        """See that the agents' names are each one's own."""
        names = [name for queue in self.queues for name in queue.names]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise DeployError(f"--queue: two agents would be called {double[0]}; name other queues")

    def image_of(self, kind: Kind) -> str:
        """The image of a kind of agent."""
        return f"{self.image}-{kind}:{self.tag}"


def parse_queue(text: str) -> QueuePlan:
    """Read `gpu`, `gpu=2`, `a100:gpu=4`: a queue's name, its kind and its agents.

    Raises:
        DeployError: It isn't one.
    """
    match = _QUEUE.fullmatch(text)
    if match is None:
        raise DeployError(f"--queue {text}: expected NAME, NAME=N or NAME:KIND=N, as in a100:gpu=4")
    name, kind, count = match.groups()
    wanted = kind or name
    known = next((one for one in IMAGE_KINDS if one == wanted), None)
    if known is None:
        raise DeployError(f"--queue {text}: say its kind, as in {name}:gpu (or :cpu, :services)")
    agents = 1 if count is None else int(count)
    if not 1 <= agents <= 64:
        raise DeployError(f"--queue {text}: between 1 and 64 agents can serve a queue")
    return QueuePlan(name, known, agents)


def _checked(option: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DeployError(f"{option} {url}: expected a URL, as in http://server:8008")
    if parts.username or parts.password:
        raise DeployError(f"{option}: the URL holds a password; files must not")
    if parts.hostname in ("localhost", "127.0.0.1", "::1", "0.0.0.0"):  # noqa: S104 - recognised
        raise DeployError(
            f"{option} {url}: agents elsewhere can't reach this machine by that name; give the "
            "name or address by which they do"
        )
    return url.rstrip("/")


def _neighbour(option: str, api: str, name: str, port: int) -> str:
    parts = urlsplit(api)
    host = parts.hostname or ""
    if host.startswith("api."):
        moved = parts.netloc.replace("api.", f"{name}.", 1)
        return urlunsplit(parts._replace(netloc=moved))
    if parts.port == 8008:
        return urlunsplit(parts._replace(netloc=parts.netloc.replace(":8008", f":{port}")))
    raise DeployError(f"{option} is needed: nobody can guess it from {api}")
