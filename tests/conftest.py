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

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
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


def isolate(patch: pytest.MonkeyPatch, user_home: Path) -> None:
    """Take the user's own ClearML and git settings out of this process's environment."""
    for name in set(os.environ) - set(clean_environment()):
        patch.delenv(name)
    patch.setenv("HOME", str(user_home))


FIXED_BOX = (16, 8, 32, 24)
"""x, y, width, height of the one object in each picture of `fixed_dataset`, which is 64 x 64."""


@pytest.fixture
def fixed_dataset(tmp_path: Path) -> Path:
    """A prepared dataset folder: eight test pictures with a white square in the same place."""
    import cv2
    import numpy as np

    folder = tmp_path / "fixed"
    data = folder / "test" / "data"
    data.mkdir(parents=True)
    x, y, width, height = FIXED_BOX
    images, annotations = [], []
    for number in range(8):
        image = np.full((64, 64, 3), 20 * number, np.uint8)
        image[y : y + height, x : x + width] = 255
        cv2.imwrite(str(data / f"{number}.png"), image)
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
        thing = {"id": number + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
        annotations.append(thing | {"bbox": list(FIXED_BOX), "area": width * height})
    categories = [{"id": 1, "name": "square"}]
    labels = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "test" / "labels.json").write_text(json.dumps(labels))
    description = {"family": "detection", "classes": ["square"], "category_ids": [1]}
    description |= {"pictures": {"test": 8}, "statistics": {}, "source": {}, "splits": {}}
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


@pytest.fixture
def fixed_detector(tmp_path: Path) -> Callable[..., Path]:
    """Writes a package with an ONNX graph, by hand, that finds `box` in every picture.

    `fixed_detector(name, box=FIXED_BOX, batch="batch")`; a number for `batch` freezes it.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from models.package import (
        Input,
        ModelCard,
        ModelClass,
        ModelPackage,
        NewArtifact,
        Output,
        Preprocessing,
    )

    def write(
        name: str, box: tuple[int, int, int, int] = FIXED_BOX, batch: str | int = "batch"
    ) -> Path:
        x, y, width, height = (value / 64 for value in box)
        centred = np.array([[[x + width / 2, y + height / 2, width, height]]], np.float32)
        constants = {
            "zero": np.zeros(1, np.int64),
            "ones": np.ones(2, np.int64),
            "logit": np.full((1, 1, 1), 3.0, np.float32),
            "box": centred,
        }
        nodes = [
            helper.make_node("Shape", ["images"], ["shape"]),
            helper.make_node("Gather", ["shape", "zero"], ["count"]),
            helper.make_node("Concat", ["count", "ones"], ["wanted"], axis=0),
            helper.make_node("Expand", ["logit", "wanted"], ["logits"]),
            helper.make_node("Expand", ["box", "wanted"], ["boxes"]),
        ]
        graph = helper.make_graph(
            nodes,
            "fixed",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, [batch, 64, 64, 3])],
            [
                helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 1, 1]),
                helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, 1, 4]),
            ],
            [numpy_helper.from_array(value, key) for key, value in constants.items()],
        )
        opset = [helper.make_opsetid("", 18)]
        file = tmp_path / f"{name}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), file)
        card = ModelCard(
            family="detection",
            network={"name": "fixed"},
            classes=(ModelClass(name="square", id=1),),
            input=Input(shape=("batch", 64, 64, 3)),
            preprocessing=Preprocessing(height=64, width=64),
            outputs=(
                Output(name="logits", shape=("batch", 1, 1)),
                Output(name="boxes", shape=("batch", 1, 4)),
            ),
            postprocessing={"kind": "detr"},
        )
        artifact = NewArtifact("onnx", {"model.onnx": file})
        return ModelPackage.create(tmp_path / name, card, [artifact]).folder

    return write


@pytest.fixture(scope="session")
def untrained_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model package with a tiny D-FINE that has learned nothing: something on every picture."""
    import torch
    from safetensors.torch import save_file

    from models.detection.networks.building import build_network
    from models.detection.networks.options import NetworkOptions
    from models.package import Input, ModelCard, ModelClass, ModelPackage, NewArtifact
    from models.preprocessing import Preprocessing
    from models.training.weights import network_weights

    folder = tmp_path_factory.mktemp("untrained")
    options = NetworkOptions(
        backbone="test_resnet.r160_in1k",
        image_size=64,
        queries=4,
        levels=1,
        hidden_width=32,
        decoder_layers=2,
        denoising_queries=0,
    )
    torch.manual_seed(0)
    network = build_network(options, 2)
    save_file(network_weights(network), folder / "weights")
    card = ModelCard(
        family="detection",
        network=options.model_dump(mode="json"),
        classes=(ModelClass(name="red", id=1), ModelClass(name="blue", id=3)),
        input=Input(shape=("batch", 64, 64, 3)),
        preprocessing=Preprocessing(height=64, width=64),
        outputs=network.outputs(),
        postprocessing=network.postprocessing().model_dump(mode="json"),
    )
    weights = NewArtifact("safetensors", {"weights.safetensors": folder / "weights"})
    package = ModelPackage.create(folder / "package", card, [weights])
    return package.with_threshold(0.001).save(folder / "package").folder
