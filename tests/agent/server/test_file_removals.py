"""Files that go with their tasks, and the file server's own deletions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest


def upload(server: Any, name: str) -> str:
    answer = server.http.post(f"{server.url}/files", files={name: (name, b"x")}, timeout=10)
    assert answer.ok
    return f"{server.url}/files{name}"


def artifact(url: str) -> dict[str, Any]:
    return {"artifacts": [{"key": "a", "type": "custom", "mode": "output", "uri": url}]}


def place(server: Any, url: str) -> Path:
    return server.state / "files" / url.partition("/files/")[2]


def owner_of_files(server: Any, folder: str) -> tuple[str, dict[str, str]]:
    """A task with an artifact, images, a plot of one, an output model: all uploaded."""
    urls = {
        name: upload(server, f"/{folder}/{name}.bin")
        for name in ("artifact", "image", "plot", "model", "sample")
    }
    task = server.task(execution=artifact(urls["artifact"]))
    event = {"task": task, "metric": "m", "variant": "v", "iter": 1}
    images = [{"source": "data:image/png;base64,AA=="}, {"source": urls["plot"]}, {}]
    server.add(
        {**event, "type": "training_debug_image", "url": urls["image"]},
        {**event, "type": "plot", "plot_str": json.dumps({"layout": {"images": images}})},
        {**event, "type": "plot", "iter": 2, "plot_str": '[{"images": 1}]'},
    )
    model = server.call("models.update_for_task", task=task, uri=urls["model"])["id"]
    server.add(
        {**event, "task": model, "model_event": True, "type": "training_debug_image",
         "url": urls["sample"]},
    )  # fmt: skip
    return task, urls


def test_the_files_of_a_deleted_task_go(server: Any, wait_for: Any) -> None:
    task, urls = owner_of_files(server, "goes")
    kept = upload(server, "/goes/kept.bin")
    server.call("tasks.delete", task=task, force=True)
    wait_for(lambda: not any(place(server, url).exists() for url in urls.values()), 15)
    assert place(server, kept).exists()
    # The SDK deletes them itself as well, and must not hear that it failed.
    for url in urls.values():
        assert server.http.delete(url, timeout=10).status_code == 200
        assert server.http.get(url, timeout=10).status_code == 404
    assert server.http.delete(f"{kept}x", timeout=10).status_code == 404


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_they_stay_when_that_is_asked_for(server: Any, action: str) -> None:
    task, urls = owner_of_files(server, f"stays {action}")
    server.call(f"tasks.{action}", task=task, force=True, delete_external_artifacts=False)
    time.sleep(2.5)
    assert all(place(server, url).exists() for url in urls.values())


def test_they_are_told_when_that_is_asked_for(server: Any) -> None:
    task, urls = owner_of_files(server, "told")
    answer = server.call("tasks.delete", task=task, force=True, return_file_urls=True)
    assert answer["urls"] == {
        "model_urls": [urls["model"]],
        "event_urls": [urls["image"], urls["plot"], urls["sample"]],
        "artifact_urls": [urls["artifact"]],
    }


def test_the_files_of_a_deleted_model_go_when_that_is_asked_for(server: Any, wait_for: Any) -> None:
    task, urls = owner_of_files(server, "models")
    model = server.call("models.get_by_task_id", task=task)["model"]["id"]
    server.call("models.delete", model=model, delete_external_artifacts=True)
    wait_for(lambda: not any(place(server, urls[one]).exists() for one in ("model", "sample")), 15)
    assert place(server, urls["image"]).exists()


def test_what_a_model_still_has_stays(server: Any, wait_for: Any) -> None:
    task, urls = owner_of_files(server, "shared")
    server.call("models.create", name="other", uri=urls["model"])
    server.call("tasks.delete", task=task, force=True)
    wait_for(lambda: not place(server, urls["artifact"]).exists(), 15)
    assert place(server, urls["model"]).exists()


@pytest.mark.parametrize(
    "url",
    ["http://elsewhere.example/files/f", "http://127.0.0.1:1/files/f", "s3://bucket/files/f",
     "file:///files/f", "{}/filesystem/f", "{}/files/../server.db", "{}/files/%2e%2e/server.db",
     "http://[", "no address"],
)  # fmt: skip
def test_other_addresses_are_left(server: Any, url: str) -> None:
    mine = upload(server, "/f")
    task = server.task(execution=artifact(url.format(server.url)))
    server.call("tasks.delete", task=task)
    time.sleep(1.5)
    assert place(server, mine).exists()
    assert (server.state / "server.db").exists()


def test_a_kill_forgets_no_deletion(start_server: Any, wait_for: Any) -> None:
    server = start_server()
    tasks = [owner_of_files(server, f"k{number}") for number in range(10)]
    for task, _ in tasks:
        server.call("tasks.delete", task=task, force=True)
    server.kill()
    server.start()
    urls = [url for _, found in tasks for url in found.values()]
    wait_for(lambda: not any(place(server, url).exists() for url in urls), 20)


def test_many_at_once(server: Any) -> None:
    urls = [upload(server, f"/many/{number}.bin") for number in range(3)]
    body = {"urls": [*urls, f"{server.url}/files/many/none.bin", "/many/../../server.db"]}
    answer = server.http.post(f"{server.url}/files/delete_many", json=body, timeout=10).json()
    assert sorted(answer["deleted"]) == sorted(urls)
    assert answer["errors"]["not found"] == [body["urls"][3]]
    assert not any(place(server, url).exists() for url in urls)
    wrong = server.http.post(f"{server.url}/files/delete_many", json={"urls": 3}, timeout=10)
    assert wrong.status_code == 400


def test_names_quoted_twice(server: Any) -> None:
    """As the SDK stores the addresses of artifacts of a task with other than ASCII letters."""
    answer = server.http.post(
        f"{server.url}/files", files={"f": ("/p/train %C2%B7 lr/a.bin", b"x")}, timeout=10
    )
    assert answer.ok
    for path in ("train%20%25C2%25B7%20lr", "train %C2%B7 lr"):
        assert server.http.get(f"{server.url}/files/p/{path}/a.bin", timeout=10).content == b"x"
    url = f"{server.url}/files/p/train%20%25C2%25B7%20lr/a.bin"
    assert server.http.delete(url, timeout=10).status_code == 200


def test_ranges_hold_while_the_file_does(server: Any) -> None:
    url = upload(server, "/ranged.bin")
    tag = server.http.get(url, timeout=10).headers["ETag"]
    for held, code in ((tag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-0", "If-Range": held}
        assert server.http.get(url, headers=headers, timeout=10).status_code == code
    beyond = server.http.get(url, headers={"Range": "bytes=5-9"}, timeout=10)
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"].endswith("/1")
