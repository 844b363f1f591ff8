"""Tables of tasks as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any


def test_a_table_of_tasks(server: Any) -> None:
    project = server.call("projects.create", name="downloaded")["id"]
    for number in range(3):
        server.task(f"task, {number}", project=project, tags=["a", "b"],
                    hyperparams={"Args": {"lr": {"value": str(number)}}})  # fmt: skip
    prepared = server.call(
        "organization.prepare_download_for_get_all",
        entity_type="task", project=[project], order_by=["-name"],
        only_fields=["name"],
        field_mappings=[
            {"field": "name", "name": "NAME"}, {"field": "tags"},
            {"field": "project.name", "name": "PROJECT"},
            {"field": "status", "name": "STATUS", "values": [{"key": "created", "value": "Draft"}]},
            {"field": "hyperparams.Args.lr.value", "name": "lr"},
        ],
    )  # fmt: skip
    response = server.http.get(
        f"{server.url}/organization.download_for_get_all", params=prepared, timeout=10
    )
    assert response.headers["content-type"].startswith("text/csv")
    assert "tasks.csv" in response.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(response.text)))
    assert rows[0] == ["NAME", "tags", "PROJECT", "STATUS", "lr"]
    assert rows[1] == ["task, 2", "a, b", "downloaded", "Draft", "2"]
    assert len(rows) == 4


def test_what_was_not_prepared_is_not_there(server: Any) -> None:
    assert server.refuse("organization.download_for_get_all", prepare_id="none")
    assert server.refuse("organization.prepare_download_for_get_all", entity_type="queue")
    assert server.refuse("organization.prepare_download_for_get_all", entity_type="task")
