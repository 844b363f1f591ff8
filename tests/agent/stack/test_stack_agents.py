from pathlib import Path

import pytest

from agent.stack.agents import agent_folder, check_installed, find_gpus, plan_agents, remove_link
from agent.stack.errors import StackError
from agent.stack.home import StackHome
from agent.stack.state import StackState


@pytest.mark.parametrize(
    ("counts", "gpus", "cores", "expected"),
    [
        ({}, [], 2, {"cpu": ((), 2), "gpu": ((), 2), "services": ((), 1)}),
        ({"gpu": 2}, [], 8, {"cpu": ((), 8), "gpu": ((), 4), "gpu-2": ((), 4)}),
        ({"gpu": 2}, ["0", "1", "2"], 4, {"gpu": (("0", "2"), 2), "gpu-2": (("1",), 2)}),
        ({"gpu": 3}, ["0", "1"], 4, {"gpu": (("0",), 1), "gpu-3": (("0",), 1)}),
        ({"cpu": 0, "extra": 1}, ["0"], 4, {"extra": ((), 4), "gpu": (("0",), 4)}),
        ({"cpu": 5}, [], 2, {"cpu-5": ((), 1)}),
    ],
)
def test_plan(
    counts: dict[str, int],
    gpus: list[str],
    cores: int,
    expected: dict[str, tuple[tuple[str, ...], int]],
) -> None:
    plans = {plan.name: plan for plan in plan_agents(counts, gpus=gpus, cores=cores)}
    for name, (own, threads) in expected.items():
        assert (plans[name].gpus, plans[name].threads) == (own, threads)
    for queue, count in {"cpu": 1, "gpu": 1, "services": 1, **counts}.items():
        assert sum(plan.queue == queue for plan in plans.values()) == count
    assert len({plan.worker for plan in plans.values()}) == len(plans)


@pytest.mark.parametrize("counts", [{"gpu": -1}, {"gpu": 65}, {"a b": 1}, {"": 1}, {"-q": 1}])
def test_plan_refuses(counts: dict[str, int]) -> None:
    with pytest.raises(StackError):
        plan_agents(counts, gpus=[], cores=2)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("", ()), ("-1", ()), ("none", ()), ("1", ("1",)), ("3, 1", ("3", "1"))],
)
def test_visible_gpus(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_gpus() == expected


@pytest.mark.parametrize("name", ["short", "with space", "l" * 80])
def test_agent_folder_suits_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = StackHome(tmp_path / name)
    home.create()
    state = StackState(id="0123456789abcdef")
    folder = agent_folder(home, state, "services")
    assert " " not in str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    assert folder.resolve() == (home.agents / "services").resolve()
    assert agent_folder(home, state, "services") == folder
    remove_link(state)
    assert [path for path in tmp_path.rglob("*") if path.is_symlink()] == []
    if len(name) > 48:  # what is added to TMPDIR must leave a socket's path under 108 bytes
        assert len(str(folder.relative_to(tmp_path))) <= 52


def test_a_missing_agent_or_git_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StackError, match="git isn't installed"):
        check_installed()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        StackError, match=r"no clearml-agent; install it with: .*sightline\[stack\]"
    ):
        check_installed()
