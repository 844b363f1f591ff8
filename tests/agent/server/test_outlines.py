"""The names of parameters, gathered from outlines and from tasks of before there were any."""

from __future__ import annotations

from pathlib import Path

from agent.server import outlines
from agent.server.documents import OUTLINE, OUTLINES, TASKS
from agent.server.query import Where
from agent.server.store import Store


def test_names_of_outlined_and_older_tasks(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    parameters = {"Args": {"lr": {}, "batch": {}}, "Model": {"depth": {}}}
    for number in range(3):
        outline = outlines.note(db, parameters)
        task = {"id": str(number), "project": "p", "hyperparams": parameters, OUTLINE: outline}
        db.insert(TASKS, task)
    db.insert(TASKS, {"id": "none", "project": "p", OUTLINE: outlines.note(db, {})})
    assert db.count(OUTLINES) == 2
    known = [("Args", "batch"), ("Args", "lr"), ("Model", "depth")]
    assert outlines.names_of(db, Where(TASKS)) == known
    older = {"id": "old", "project": "q", "hyperparams": {"Old": {"x": {}}}}
    db.insert(TASKS, older)
    assert outlines.names_of(db, Where(TASKS)) == [*known, ("Old", "x")]
    assert outlines.names_of(db, Where(TASKS).among("project", ["q"])) == [("Old", "x")]
    assert outlines.names_of(db, Where(TASKS).among("project", ["p"])) == known
