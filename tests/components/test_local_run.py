from __future__ import annotations

import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from components.run import LocalRun


def make(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_records_are_plain_files(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, "train", quiet=True)
    run.scalar("loss", "a/b", 0.5, 3)
    run.scalar("loss", "a/b", 0.25, 4)
    run.value("mAP", np.float32(0.5))  # type: ignore[arg-type]
    run.image("a/../b", "x y", np.zeros((4, 6, 3), np.uint8), 7)
    run.figure("curves", "f1", go.Figure(go.Scatter(x=[1], y=[2])))
    run.table("classes", "", ["name", "n"], [["a,b", 1]])
    run.artifact("facts", {"n": np.int64(3), "path": Path("/x")})
    run.log("one line")
    home = tmp_path / "train"
    lines = [json.loads(line) for line in (home / "scalars.jsonl").open()]
    assert lines == [["loss", "a/b", 3, 0.5], ["loss", "a/b", 4, 0.25]]
    assert json.loads((home / "values.json").read_text()) == {"mAP": 0.5}
    assert [p.relative_to(home).as_posix() for p in home.rglob("*.jpg")] == [
        "images/a_.._b/x_y_000007.jpg"
    ]
    assert (home / "plots/curves_f1.html").is_file()
    assert json.loads((home / "plots/curves_f1.json").read_text())["data"][0]["y"] == [2]
    assert (home / "tables/classes.csv").read_text() == 'name,n\n"a,b",1\n'
    assert json.loads((home / "artifacts/facts.json").read_text()) == {"n": 3, "path": "/x"}
    assert (home / "log.txt").read_text() == "one line\n"


def test_datasets_are_versions_found_by_every_name(tmp_path: Path) -> None:
    run = LocalRun(tmp_path / "out", "prepare", project="P", quiet=True)
    first = run.save_dataset(make(tmp_path / "a", x="1"), project="P", name="n")
    again = run.save_dataset(make(tmp_path / "b", x="1"), project="P", name="n")
    second = run.save_dataset(make(tmp_path / "c", x="2"), project="P", name="n")
    other = run.save_dataset(make(tmp_path / "d", x="3"), project="Q", name="m", version="7")
    assert (first.version, again, second.version) == ("1.0.0", first, "1.0.1")
    for reference, ref in {
        "n": second, "P/n": second, "P/n@latest": second, "P/n@1.0.0": first, first.id: first,
        "Q/m": other, "m": other, "Q/m@7": other,
    }.items():  # fmt: skip
        found = run.dataset(reference)
        assert (found.id, found.version) == (ref.id, ref.version), reference
    plain = run.dataset(str(tmp_path / "a"))
    assert (plain.name, plain.version) == ("a", "")


@pytest.mark.parametrize("increment", [True, False])
def test_a_version_holds_links_to_what_the_one_before_holds(
    tmp_path: Path, increment: bool
) -> None:
    run = LocalRun(tmp_path / "out", project="P", quiet=True)
    save = partial(run.save_dataset, project="P", name="n", increment=increment)
    first = Path(save(make(tmp_path / "a", x="1", y="2")).id)
    second = Path(save(make(tmp_path / "b", x="1", y="3", z="4")).id)
    names = {p.name: p.read_text() for p in second.rglob("*") if p.name in ("x", "y", "z")}
    same = {
        name: (first / name).stat().st_ino == (second / name).stat().st_ino for name in ("x", "y")
    }
    assert (names, same) == ({"x": "1", "y": "3", "z": "4"}, {"x": increment, "y": False})


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("P/nn", "no dataset 'P/nn'; did you mean P/n"),
        ("P/n@2.0.0", "no dataset 'P/n@2.0.0'; did you mean n@1.0.0"),
        ("/no/where", "/no/where: there is no such file or folder on this machine"),
        ("P/", "expected an id, project/name@version or a folder"),
    ],
)
def test_a_dataset_that_isnt_there(tmp_path: Path, reference: str, message: str) -> None:
    run = LocalRun(tmp_path / "out", project="P", quiet=True)
    run.save_dataset(make(tmp_path / "a", x="1"), project="P", name="n")
    with pytest.raises(ValueError) as caught:
        run.dataset(reference)
    assert message in str(caught.value)


def test_a_killed_run_goes_on_and_a_finished_or_changed_one_starts_anew(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def attempt(options: dict[str, str]) -> str | None:
        run = LocalRun(tmp_path / "out", "train", quiet=True)
        run.begin(options)
        found = run.checkpoint()
        return found.read_text() if found else None

    assert attempt({"lr": "1"}) is None
    state.write_text("epoch 1")
    run = LocalRun(tmp_path / "out", "train", quiet=True)
    run.save_checkpoint(state)
    state.write_text("epoch 2")
    run.save_checkpoint(state)
    assert attempt({"lr": "1"}) == "epoch 2"
    assert attempt({"lr": "2"}) is None
    assert attempt({"lr": "1"}) is None
    run.save_checkpoint(state)
    run.finish({"model": "m"})
    assert run.result_of("train") == {"model": "m"}
    assert attempt({"lr": "1"}) is None


def test_what_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    picture = tmp_path / "train" / "cat" / "1.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")
    with pytest.raises(ValueError, match=r"train holds files that are no run of this stage"):
        LocalRun(tmp_path, "train", quiet=True).begin({"lr": "1"})
    assert picture.is_file() and not (tmp_path / "train" / "scratch").exists()
    with pytest.raises(ValueError, match="can't be the folder of a run"):
        LocalRun(picture, "train")


def test_a_version_in_another_runs_folder_keeps_its_name(tmp_path: Path) -> None:
    saved = LocalRun(tmp_path / "a", quiet=True).save_dataset(
        make(tmp_path / "x", x="1"), project="P", name="n"
    )
    found = LocalRun(tmp_path / "b", quiet=True).dataset(saved.id)
    assert (found.name, found.version) == ("n", "1.0.0")


def test_a_draft_that_a_kill_has_left_is_no_version(tmp_path: Path) -> None:
    run = LocalRun(tmp_path / "out", quiet=True)
    source = make(tmp_path / "a", x="1")
    shutil.copytree(source, tmp_path / "out" / "datasets" / "P" / "n" / ".1.0.0.part")
    with pytest.raises(ValueError, match="there is no dataset yet"):
        run.dataset("P/n")
    assert run.save_dataset(source, project="P", name="n").version == "1.0.0"
    assert run.dataset("P/n").version == "1.0.0"


def test_a_resumed_run_draws_no_point_twice(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, "train", quiet=True)
    run.begin({"lr": "1"})
    run.scalar("loss", "all", 0.5, 1)
    run.scalar("loss", "all", 0.25, 2)
    run.value("mAP", 0.5)
    scalars = tmp_path / "train" / "scalars.jsonl"
    with scalars.open("a") as file:
        file.write('["loss", "all", 3, 0.')  # killed in mid-write

    again = LocalRun(tmp_path, "train", quiet=True)
    again.begin({"lr": "1"})
    for step, loss in enumerate((0.5, 0.25, 0.125), 1):
        again.scalar("loss", "all", loss, step)
    again.value("recall", 0.25)
    lines = [json.loads(line) for line in scalars.open()]
    assert lines == [["loss", "all", step, 0.5**step] for step in (1, 2, 3)]
    values = json.loads((tmp_path / "train" / "values.json").read_text())
    assert values == {"mAP": 0.5, "recall": 0.25}


def test_ctrl_c_is_a_request_once_the_run_listens(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, quiet=True)
    before = signal.getsignal(signal.SIGINT)
    assert not run.stop_requested()
    os.kill(os.getpid(), signal.SIGINT)
    assert run.stop_requested()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    run.finish({})
    assert signal.getsignal(signal.SIGINT) is before


def test_several_nodes_need_agents(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, "train", quiet=True)
    with run.nodes(1) as node:
        assert node.first
    with pytest.raises(ValueError, match="nodes=2 trains on several agents of a ClearML server"):
        run.nodes(2)
