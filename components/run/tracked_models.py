"""Model packages as ClearML models: found by id or name, saved once each."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.run.api import ServerError, call, find_or_create_project, find_project
from components.run.champions import find_champion, published
from components.run.door import ModelCopy, ModelRef
from components.run.records import file_name
from components.run.references import is_id, not_found, on_disk
from components.run.trees import tree_hash, unpacked

_CONTENT = "content sha256"


def fetch_model(reference: str, project: str, scratch: Path) -> ModelCopy:
    """Find a model package and unpack it below `scratch`.

    Raises:
        ValueError: there is none.
    """
    path = on_disk(reference)
    if path is not None:
        return ModelCopy(unpacked(path.resolve(), scratch / "models"), str(path.resolve()))
    return _download(
        _by_id(reference) if is_id(reference) else _by_name(reference, project), scratch
    )


class ModelGoneError(ValueError):
    """The registry lists a model whose files are gone."""


def fetch_published(name: str, project: str, scratch: Path) -> ModelCopy | None:
    """Find a name's champion, or else its newest published package; unpack it below `scratch`.

    Raises:
        ModelGoneError: its files are gone.
    """
    project_id = find_project(project)
    if project_id is None:
        return None
    found = find_champion(name, project_id) or next(iter(published(project_id, name)), None)
    return _download(_by_id(found.id), scratch) if found else None


def _download(found: Mapping[str, Any], scratch: Path) -> ModelCopy:
    from clearml import StorageManager

    local = StorageManager.get_local_copy(found["uri"], extract_archive=False)
    if local is None and not StorageManager.exists_file(found["uri"]):
        raise ModelGoneError(f"model {found['id']}: there is no file any more at {found['uri']}")
    if local is None:
        raise RuntimeError(f"model {found['id']}: {found['uri']} can't be downloaded")
    return ModelCopy(unpacked(Path(local), scratch / "models"), found["id"])


def _by_id(model: str) -> dict[str, Any]:
    models = call("models.get_all", id=[model], only_fields=["id", "uri"])["models"]
    if not models:
        raise ValueError(f"no model with the id {model} on this server")
    found: dict[str, Any] = models[0]
    return found


def _by_name(reference: str, project: str) -> dict[str, Any]:
    home, _, name = reference.rpartition("/")
    project_id = find_project(home or project)
    models: list[dict[str, Any]] = []
    if project_id is not None:
        models = call(
            "models.get_all",
            project=[project_id],
            order_by=["-created"],
            system_tags=["-archived"],
            only_fields=["id", "name", "uri"],
            page=0,
            page_size=500,
        )["models"]
    named = [model for model in models if model["name"] == name]
    if named:
        # A name means its champion, whatever was registered since.
        champion = find_champion(name, project_id) if project_id else None
        return next((one for one in named if champion and one["id"] == champion.id), named[0])
    raise not_found("model", reference, sorted({model["name"] for model in models}))


def save_model(
    task: Any,
    folder: Path,
    *,
    name: str,
    tags: Sequence[str],
    labels: Mapping[str, int] | None,
    metadata: Mapping[str, Any] | None,
    comment: str,
    project: str | None,
    publish: bool,
    once: str,
) -> ModelRef:
    """Upload a package and register it; the entry appears only when its file is there.

    Args:
        task: the task that made it.
        folder: the package.
        name: of the model.
        tags: for people and for queries.
        labels: class index by class name.
        metadata: figures and facts.
        comment: for people.
        project: the task's unless given.
        publish: make it final.
        once: tag that names the task and its options. A second save under the same tag and name
            by a restarted task is the same model.
    """
    content = tree_hash(folder)
    facts = {**(metadata or {}), _CONTENT: content}
    entry = {
        "name": name,
        "comment": comment,
        "tags": [*tags, f"task:{task.id}", once],
        "labels": dict(labels or {}),
        "framework": "Custom",
        "project": find_or_create_project(project) if project else task.project,
        "metadata": [_fact(key, value) for key, value in facts.items() if value is not None],
    }
    earlier = _earlier(once, name)
    if earlier is not None and (earlier["ready"] or _content(earlier) == content):
        saved = ModelRef(earlier["id"], earlier["uri"])
    else:
        uri = _upload(task, folder, f"{file_name(name)}-{content[:12]}")
        if earlier is None:
            made = call("models.create", uri=uri, task=task.id, **entry)["id"]
        else:
            made = earlier["id"]
            call("models.edit", model=made, uri=uri, task=task.id, **entry)
        saved = ModelRef(made, uri)
    call("tasks.add_or_update_model", task=task.id, name=name, type="output", model=saved.id)
    if publish and not (earlier and earlier["ready"]):
        call("models.set_ready", model=saved.id, publish_task=False)
    return saved


def _earlier(once: str, name: str) -> dict[str, Any] | None:
    models = call(
        "models.get_all",
        tags=[once],
        order_by=["created"],
        only_fields=["id", "name", "uri", "ready", "metadata"],
    )["models"]
    return next((m for m in models if m["name"] == name and m.get("uri")), None)


def _content(model: Mapping[str, Any]) -> str | None:
    facts = model.get("metadata") or []
    listed = facts.values() if isinstance(facts, dict) else facts
    return next((f["value"] for f in listed if f.get("key") == _CONTENT), None)


def _fact(key: str, value: Any) -> dict[str, str]:
    kind = "float" if isinstance(value, float) else "int" if isinstance(value, int) else "str"
    text = value if isinstance(value, str) else json.dumps(value)
    return {"key": key, "type": kind, "value": text}


def _upload(task: Any, folder: Path, name: str) -> str:
    from clearml import StorageManager

    from models.package import zip_package

    base = str(task.output_uri or task.get_output_destination()).rstrip("/")
    home = f"{file_name(task.get_project_name())}/{file_name(task.name)}.{task.id}"
    scratch = Path(tempfile.mkdtemp(prefix="sightline-model-"))
    try:
        packed = scratch / f"{name}.zip"
        zip_package(folder, packed)
        target = f"{base}/{home}/models/{packed.name}"
        uri = StorageManager.upload_file(str(packed), target, wait_for_upload=True, retries=5)
        if not uri:
            raise ServerError("upload", 0, f"{target} couldn't be written")
        return str(uri)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
