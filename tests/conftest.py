"""Fixtures for the whole tree.

`stack` is a real local stack: the embedded server and real agents for `cpu`, `gpu` and
`services`, in a temporary folder, on a free port, brought up once a session by the first test
that asks for it (about 4 s) and torn down at the end, also after Ctrl-C or a kill of pytest.
Mark tests that use it with `@pytest.mark.stack`.

    @pytest.mark.stack
    def test_it(stack: LocalStack) -> None:
        task = stack.api().call("tasks.create", name="x", type="training", project=...)
        subprocess.run([sys.executable, "-m", "components.train"], env=stack.environment())

`stack_home` is a place for a stack of one test's own, to be broken and mended: nothing is started
in it, and whatever the test starts there is ended.

`stack.environment()` is for subprocesses: CLEARML_CONFIG_FILE of the stack, HOME in a temporary
folder, no other ClearML setting. `on_stack` sets the same in this process for one test; the SDK
reads its configuration once, when `clearml` is first imported, so that must not have happened
with another server.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.home import StackHome
from agent.stack.starting import up

_GUARD = """
import shutil, sys
sys.stdin.readline()  # a line when the tests are done, the end of the file if they were killed
from agent.stack.ending import down
down(home=sys.argv[1])
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs deaf to Ctrl-C, and tests send themselves one.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def ctrl_c_is_put_back() -> Iterator[None]:
    """Whoever takes Ctrl-C puts it back as it was."""
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@dataclass(frozen=True)
class LocalStack:
    """A running stack.

    Attributes:
        home: Its state folder.
        url: Base URL of its server.
        conf: The `clearml.conf` for scripts.
        user_home: An empty folder to serve as HOME.
    """

    home: StackHome
    url: str
    conf: Path
    user_home: Path

    def api(self) -> Api:
        """A session with the server: `api().call("tasks.get_all", ...)`."""
        return Api(self.url, load_credentials(self.home))

    def environment(self, **more: str) -> dict[str, str]:
        """The environment for a subprocess that uses this stack."""
        return clean_environment() | {
            "HOME": str(self.user_home),
            "SIGHTLINE_HOME": str(self.home.root),
            "CLEARML_CONFIG_FILE": str(self.conf),
            **more,
        }


def clean_environment() -> dict[str, str]:
    """This process's environment without ClearML's and our own variables."""
    prefixes = ("CLEARML_", "TRAINS_", "SIGHTLINE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def guarded_folder(name: str = "s") -> Iterator[Path]:
    """A temporary folder with an empty `home`; a stack in its `name` is ended, come what may."""
    # Not pytest's own folder: its long name would make the paths of sockets too long.
    folder = Path(tempfile.mkdtemp(prefix="sl-"))
    (folder / "home").mkdir()
    guard = subprocess.Popen(
        [sys.executable, "-c", _GUARD, str(folder / name), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for pytest
    )
    try:
        yield folder
    finally:
        guard.communicate(b"\n", timeout=90)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """A running local stack, shared by the tests of a session; see the module's docstring."""
    with guarded_folder() as folder:
        with pytest.MonkeyPatch.context() as patch:
            isolate(patch, folder / "home")
            report = up(home=folder / "s", port=free_port())
        yield LocalStack(StackHome(folder / "s"), report.url, report.conf, folder / "home")


@pytest.fixture
def stack_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[StackHome]:
    """A state folder for a stack of one test's own; see the module's docstring."""
    name = "a state"  # agents can't live with white space
    with guarded_folder(name) as folder:
        isolate(monkeypatch, folder / "home")
        monkeypatch.setenv("SIGHTLINE_HOME", str(folder / name))
        yield StackHome(folder / name)


@pytest.fixture
def on_stack(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> LocalStack:
    """The stack, with this process's environment pointing to it for one test."""
    isolate(monkeypatch, stack.user_home)
    monkeypatch.setenv("SIGHTLINE_HOME", str(stack.home.root))
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(stack.conf))
    return stack


def isolate(patch: pytest.MonkeyPatch, user_home: Path) -> None:
    """Take the user's own ClearML and git settings out of this process's environment."""
    for name in set(os.environ) - set(clean_environment()):
        patch.delenv(name)
    patch.setenv("HOME", str(user_home))


@pytest.fixture(scope="session")
def constant_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model package whose ONNX sees the same in every picture, whatever it shows.

    A sure `red` box on the left half and a less sure `blue` one on the right half; runs at once.
    """
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper, save

    from models.package import (
        Input,
        ModelCard,
        ModelClass,
        ModelPackage,
        NewArtifact,
        Output,
        Preprocessing,
        Threshold,
    )

    logits = np.array([[[3.0, -9.0], [-9.0, 0.2]]], np.float32)
    boxes = np.array([[[0.25, 0.5, 0.5, 1.0], [0.75, 0.5, 0.5, 0.5]]], np.float32)
    made = [
        numpy_helper.from_array(np.array(values), name)
        for name, values in (
            ("axes", [1, 2, 3]),
            ("flat", [-1, 1, 1]),
            ("nought", np.float32(0)),
            ("seen", logits),
            ("where", boxes),
        )
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=1),
        helper.make_node("Reshape", ["mean", "flat"], ["each"]),
        helper.make_node("Mul", ["each", "nought"], ["none"]),
        helper.make_node("Add", ["none", "seen"], ["logits"]),
        helper.make_node("Add", ["none", "where"], ["boxes"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 32, 32, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2, width])
        for name, width in (("logits", 2), ("boxes", 4))
    ]
    graph = helper.make_graph(nodes, "constant", [image], outputs, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    home = tmp_path_factory.mktemp("constant")
    save(model, home / "model.onnx")
    card = ModelCard(
        family="detection",
        network={"name": "constant"},
        classes=(ModelClass(name="red"), ModelClass(name="<b>blue")),
        input=Input(shape=("batch", 32, 32, 3)),
        preprocessing=Preprocessing(height=32, width=32, resize_mode="stretch"),
        outputs=(
            Output(name="logits", shape=("batch", 2, 2)),
            Output(name="boxes", shape=("batch", 2, 4)),
        ),
        postprocessing={"kind": "detr", "max_detections": 4},
        threshold=Threshold(value=0.6, per_class={"<b>blue": 0.5}),
    )
    onnx = NewArtifact("onnx", {"model.onnx": home / "model.onnx"})
    return ModelPackage.create(home / "package", card, [onnx]).folder
