"""Values for the public chart `clearml-agent`: a release for each queue, each with its own pods."""

from __future__ import annotations

from typing import Any

import yaml

from agent.deploy.images import AGENT_ID, ENVIRONMENT, USE_AS_IT_IS
from agent.deploy.plan import Deployment, Kind, QueuePlan

KEYS_SECRET, GIT_SECRET = "clearml-keys", "clearml-git"
_HEAD = """\
# The queue {queue} of {api}. Written by `sightline agents make helm`.
#
#   helm repo add clearml https://clearml.github.io/clearml-helm-charts
#   helm upgrade --install {release} clearml/clearml-agent --values {file}
#
# The keys come from a Secret that you make once (the chart wants these names in it):
#   kubectl create secret generic {keys} \\
#       --from-literal=agentk8sglue_key=... --from-literal=agentk8sglue_secret=...
# and a login for private repositories, if there is one, from another:
#   kubectl create secret generic {git} --from-literal=user=... --from-literal=password=...
"""
_RESOURCES: dict[Kind, dict[str, Any]] = {
    "cpu": {"requests": {"cpu": "4", "memory": "16Gi"}, "limits": {"memory": "16Gi"}},
    "gpu": {
        "requests": {"cpu": "8", "memory": "32Gi"},
        "limits": {"memory": "32Gi", "nvidia.com/gpu": 1},
    },
    "services": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
}
_SPOT = {
    # What Google, Azure and AWS (Karpenter) mark such nodes with.
    "google": {"key": "cloud.google.com/gke-spot", "value": "true"},
    "azure": {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot"},
    "aws": {"key": "karpenter.sh/capacity-type", "value": "spot"},
}


def helm_files(plan: Deployment) -> dict[str, str]:
    """One values file for each queue."""
    return {f"values-{queue.label}.yaml": _file(plan, queue) for queue in plan.queues}


def _file(plan: Deployment, queue: QueuePlan) -> str:
    head = _HEAD.format(
        queue=queue.name,
        api=plan.server.api,
        release=f"sightline-{queue.label}",
        file=f"values-{queue.label}.yaml",
        keys=KEYS_SECRET,
        git=GIT_SECRET,
    )
    values = {
        "clearml": {"existingAgentk8sglueSecret": KEYS_SECRET},
        "agentk8sglue": {
            "apiServerUrlReference": plan.server.api,
            "webServerUrlReference": plan.server.web,
            "fileServerUrlReference": plan.server.files,
            "queue": queue.name,
            "createQueueIfNotExists": True,
            "defaultContainerImage": plan.image_of(queue.kind),
            "extraEnvs": [
                {"name": "K8S_GLUE_MAX_PODS", "value": str(_most_pods(queue))},
            ],
            "basePodTemplate": _pod(plan, queue),
        },
    }
    return f"{head}\n{yaml.safe_dump(values, sort_keys=False, width=100)}"


def _most_pods(queue: QueuePlan) -> int:
    """How many tasks of the queue may run at once; a controller waits for others and needs few."""
    return 20 if queue.kind == "services" and queue.agents == 1 else queue.agents


def _pod(plan: Deployment, queue: QueuePlan) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "labels": {"app.kubernetes.io/part-of": "sightline", "sightline/queue": queue.label},
        "env": [
            *({"name": name, "value": value} for name, value in _environment().items()),
            _secret("CLEARML_AGENT_GIT_USER", "user"),
            _secret("CLEARML_AGENT_GIT_PASS", "password"),
        ],
        "resources": _RESOURCES[queue.kind],
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": AGENT_ID,
            "runAsGroup": AGENT_ID,
            "fsGroup": AGENT_ID,
        },
        "containerSecurityContext": {"allowPrivilegeEscalation": False},
    }
    tolerations = []
    if queue.kind == "gpu":
        tolerations.append({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})
        # Loader processes hand their batches over in shared memory.
        memory = {"medium": "Memory", "sizeLimit": "8Gi"}
        pod["volumes"] = [{"name": "shared-memory", "emptyDir": memory}]
        pod["volumeMounts"] = [{"name": "shared-memory", "mountPath": "/dev/shm"}]  # noqa: S108
    if plan.spot and queue.kind != "services":
        tolerations += [
            {**one, "operator": "Equal", "effect": "NoSchedule"} for one in _SPOT.values()
        ]
    if tolerations:
        pod["tolerations"] = tolerations
    return pod


def _environment() -> dict[str, str]:
    """Tells the pod's start script to install nothing and to take the image's Python."""
    return {
        "LOCAL_PYTHON": f"{ENVIRONMENT}/bin/python",
        "CLEARML_AGENT_SKIP_CONTAINER_APT": "1",
        "CLEARML_AGENT_NO_UPDATE": "1",
        "HOME": "/home/agent",
        **USE_AS_IT_IS,
    }


def _secret(name: str, key: str) -> dict[str, Any]:
    """A variable whose value is in a Secret that needn't be there."""
    reference = {"name": GIT_SECRET, "key": key, "optional": True}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
