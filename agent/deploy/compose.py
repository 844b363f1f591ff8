"""The compose file: agents, and ClearML Server with them if wanted."""

from __future__ import annotations

from typing import Any

import yaml

from agent.deploy.plan import Deployment, QueuePlan

_KEYS_FILE = "agents.env"
_SERVER_IMAGE = "clearml/server:latest"
_DATA = "/opt/clearml"
"""Where the official images expect logs and configuration."""
_HEAD = """\
# Agents for {api}. Written by `sightline agents make compose`.
#
#   sightline agents make docker images && cd images
{builds}
#   cd .. && cp agents.env.example agents.env && chmod 600 agents.env    # and put the keys in
#   docker compose up -d
#
# Keys are read from agents.env when a container starts; none is written here. An agent that is
# told to stop gives its task back: a pipeline puts it on its queue again.
"""
_SERVER_HEAD = """\
#
# ClearML Server runs beside them. At the first start:
#   docker compose up -d webserver
#   # log in at {web}, make keys (Settings, Workspace), put them into agents.env
#   docker compose up -d
# On Linux Elasticsearch needs: sysctl -w vm.max_map_count=262144. Nothing here encrypts: put a
# proxy with TLS in front of the three ports.
"""
EXAMPLE_KEYS = """\
# Made in the web application: Settings, Workspace, Create new credentials.
CLEARML_API_ACCESS_KEY=
CLEARML_API_SECRET_KEY=
# For repositories that need a login; a token that may only read is enough.
CLEARML_AGENT_GIT_USER=
CLEARML_AGENT_GIT_PASS=
"""


def compose_files(plan: Deployment) -> dict[str, str]:
    """The compose file, and an example of the file with the keys."""
    services: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    if plan.with_server:
        services |= _server()
        volumes |= dict.fromkeys(("mongo", "redis", "elastic", "files", "logs"), None)
    gpu = 0
    for queue in plan.queues:
        for name in queue.names:
            services[f"agent-{name}"] = _agent(plan, queue, name, gpu)
            volumes[f"agent-{name}"] = None
            gpu += queue.kind == "gpu"
    kinds = sorted({queue.kind for queue in plan.queues})
    builds = "\n".join(
        f"#   docker build -f {kind}.Dockerfile -t {plan.image_of(kind)} ." for kind in kinds
    )
    head = _HEAD.format(api=plan.server.api, builds=builds)
    head += _SERVER_HEAD.format(web=plan.server.web) if plan.with_server else ""
    content = {"services": services, "volumes": volumes}
    text = yaml.safe_dump(content, sort_keys=False, width=100)
    return {"compose.yaml": f"{head}\n{text}", f"{_KEYS_FILE}.example": EXAMPLE_KEYS}


def _agent(plan: Deployment, queue: QueuePlan, name: str, gpu: int) -> dict[str, Any]:
    service: dict[str, Any] = {
        "image": plan.image_of(queue.kind),
        "restart": "unless-stopped",
        "env_file": [_KEYS_FILE],
        "environment": {
            **plan.server.environment(),
            "SIGHTLINE_KIND": queue.kind,
            "SIGHTLINE_QUEUES": queue.name,
        },
        "volumes": [f"agent-{name}:/home/agent/.clearml"],
        # Time to save what there is when the machine is stopped.
        "stop_grace_period": "2m",
    }
    if queue.kind == "gpu":
        device = {"driver": "nvidia", "device_ids": [str(gpu)], "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
        # Loader processes hand their batches over in shared memory.
        service["shm_size"] = "8gb"
        if plan.host_network:
            service["network_mode"] = "host"
    if plan.with_server:
        service["depends_on"] = {"apiserver": {"condition": "service_started"}}
    return service


def _server() -> dict[str, Any]:
    """ClearML Server from its official images, by their documented settings."""
    places = {
        "CLEARML_ELASTIC_SERVICE_HOST": "elasticsearch",
        "CLEARML_ELASTIC_SERVICE_PORT": "9200",
        "CLEARML_MONGODB_SERVICE_HOST": "mongo",
        "CLEARML_MONGODB_SERVICE_PORT": "27017",
        "CLEARML_REDIS_SERVICE_HOST": "redis",
        "CLEARML_REDIS_SERVICE_PORT": "6379",
    }
    stores = ["elasticsearch", "mongo", "redis"]

    def of_the_server(part: str, port: str, **more: Any) -> dict[str, Any]:
        return {
            "image": _SERVER_IMAGE,
            "command": [part],
            "restart": "unless-stopped",
            "ports": [port],
            **more,
        }

    def store(image: str, volume: str, **more: Any) -> dict[str, Any]:
        return {"image": image, "restart": "unless-stopped", "volumes": [volume], **more}

    configuration = f"./config:{_DATA}/config"
    logs = "logs:/var/log/clearml"
    return {
        "elasticsearch": store(
            "docker.elastic.co/elasticsearch/elasticsearch:8.17.0",
            "elastic:/usr/share/elasticsearch/data",
            environment={
                "discovery.type": "single-node",
                "xpack.security.enabled": "false",  # nothing outside this file reaches it
                "ES_JAVA_OPTS": "-Xms2g -Xmx2g",
            },
            ulimits={"nofile": {"soft": 65536, "hard": 65536}},
        ),
        "mongo": store("mongo:7.0", "mongo:/data/db"),
        "redis": store("redis:7.4", "redis:/data"),
        "fileserver": of_the_server(
            "fileserver", "8081:8081", volumes=["files:/mnt/fileserver", logs, configuration]
        ),
        "apiserver": of_the_server(
            "apiserver",
            "8008:8008",
            environment=places,
            depends_on=[*stores, "fileserver"],
            volumes=[logs, configuration],
        ),
        "webserver": of_the_server("webserver", "8080:80", depends_on=["apiserver"]),
    }
