"""Units for machines without containers: one for each agent."""

from __future__ import annotations

from agent.deploy.compose import EXAMPLE_KEYS
from agent.deploy.images import USE_AS_IT_IS, lock_of, script
from agent.deploy.plan import Deployment, QueuePlan

_KEYS_FILE = "/etc/sightline/agents.env"
_UNIT = """\
# Written by `sightline agents make systemd`. As root:
#
#   useradd --system --create-home sightline
#   sh install.sh {environment} {kind}.lock && cp start.sh {environment}/
#   install -D -m 600 agents.env {keys}    # agents.env.example with the keys
#   install -m 644 *.service /etc/systemd/system/ && systemctl daemon-reload
#   systemctl enable --now {unit}
[Unit]
Description=ClearML agent for the queue {queue}
Wants=network-online.target
After=network-online.target

[Service]
User=sightline
# The keys: read when the agent starts, by root, and written nowhere else.
EnvironmentFile={keys}
{variables}
ExecStart=/bin/sh {start}
Restart=always
RestartSec=10
# The agent alone is told to end, and ends its task in order; what is left then is killed.
KillMode=mixed
TimeoutStopSec=120
StateDirectory=sightline/{name}
WorkingDirectory=/var/lib/sightline/{name}
# The agent keeps its slots in the folder for temporary files: each has its own.
PrivateTmp=yes
NoNewPrivileges=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def systemd_files(plan: Deployment) -> dict[str, str]:
    """The units, and what installs the environment that they run in."""
    files = {name: script(name) for name in ("install.sh", "start.sh")}
    files["agents.env.example"] = EXAMPLE_KEYS
    gpu = 0
    for queue in plan.queues:
        files[f"{queue.kind}.lock"] = lock_of(queue.kind)
        for name in queue.names:
            files[_unit_name(name)] = _unit(plan, queue, name, gpu)
            gpu += queue.kind == "gpu"
    return files


def _unit_name(name: str) -> str:
    return f"sightline-agent-{name}.service"


def _unit(plan: Deployment, queue: QueuePlan, name: str, gpu: int) -> str:
    variables = {
        **plan.server.environment(),
        **USE_AS_IT_IS,
        "HOME": f"/var/lib/sightline/{name}",
        "PATH": f"{plan.environment}/bin:/usr/local/bin:/usr/bin:/bin",
        # %H is the machine's name.
        "CLEARML_WORKER_ID": f"%H:{name}",
        "SIGHTLINE_KIND": queue.kind,
        "SIGHTLINE_QUEUES": queue.name,
    }
    if queue.kind == "gpu":
        variables["SIGHTLINE_GPUS"] = str(gpu)
    return _UNIT.format(
        environment=plan.environment,
        kind=queue.kind,
        keys=_KEYS_FILE,
        unit=_unit_name(name),
        queue=queue.name,
        name=name,
        start=f"{plan.environment}/start.sh",
        variables="\n".join(f'Environment="{key}={value}"' for key, value in variables.items()),
    )
