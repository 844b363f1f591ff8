"""`sightline demo` as people start it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from gradio_client import Client, handle_file

from models.package import ModelPackage
from pipelines.cli import main


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_the_page_opens_where_it_was_told_and_ends_on_ctrl_c(
    constant_detector: Path, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "one.png"), np.zeros((8, 8, 3), np.uint8))
    room = tmp_path / "room"
    room.mkdir()
    port = free_port()
    command = ["demo", str(constant_detector), "--port", str(port), "--dataset", str(pictures)]
    command += ["--runtime", "onnxruntime", "--threads", "1", "--most-frames", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "TMPDIR": str(room)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"the page is at http://127.0.0.1:{port}/\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/config") as reply:
            config = json.load(reply)
        parts = {part["type"]: part["props"] for part in config["components"]}
        assert parts["dropdown"]["value"] == "onnxruntime, float32"
        assert len(parts["dataset"]["samples"]) == 1
        client = Client(f"http://127.0.0.1:{port}/", verbose=False, download_files=False)
        picture = handle_file(str(pictures / "one.png"))
        chosen = "onnxruntime, float32"
        answer = client.predict(picture, 0.5, False, chosen, api_name="/predict")
        assert [row[0] for row in answer[2]["data"]] == ["red", "<b>blue"]
        assert list(room.rglob("one.png"))
        client.close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert not list(room.rglob("one.png")) and not list(room.glob("sightline-*"))
    finally:
        process.kill()
        process.wait()


def test_options_reach_the_page(constant_detector: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--host` and `--share` can't be tried for real here: they leave this machine."""
    import gradio

    import models.demo_page.page as page_module
    from models.demo_page.running import Runners

    told: dict[str, object] = {}

    def launch(self: object, **settings: object) -> tuple[None, str, None]:
        told.update(settings)
        return None, "http://0.0.0.0", None

    build = page_module.build_page

    def watched(runners: Runners, options: page_module.PageOptions) -> object:
        told.update(most_frames=options.most_frames, threads=runners._threads)
        return build(runners, options)

    monkeypatch.setattr(page_module, "build_page", watched)
    monkeypatch.setattr(gradio.Blocks, "launch", launch)
    monkeypatch.setattr(gradio.Blocks, "block_thread", lambda self: None)
    port = free_port()
    command = ["demo", str(constant_detector), "--host", "0.0.0.0", "--port", str(port)]
    options = ["--share", "--most-frames", "3", "--threads", "2"]
    assert CliRunner().invoke(main, [*command, *options]).exit_code == 0
    assert told["server_name"] == "0.0.0.0" and told["server_port"] == port
    assert told["share"] is True and told["most_frames"] == 3 and told["threads"] == 2
    assert CliRunner().invoke(main, command).exit_code == 0
    assert told["share"] is False and told["most_frames"] == 600 and told["threads"] is None


def test_a_mistake_is_one_line(constant_detector: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(constant_detector)
    other = tmp_path / "poems"
    card = package.card.model_copy(update={"family": "poems"})
    ModelPackage(card, package.folder, package.sources).save(other)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = [
            (
                [str(constant_detector), "--port", port],
                r"can't listen on 127\.0\.0\.1:\d+: .*in use",
            ),
            (["./nowhere"], "there is no such file or folder"),
            ([str(other)], "no task family 'poems'"),
            (
                [str(constant_detector), "--port", str(free_port()), "--runtime", "openvino"],
                "--runtime openvino: the model and this machine offer: onnxruntime, float32",
            ),
            (
                [str(constant_detector), "--port", str(free_port()), "--dataset", str(tmp_path)],
                "holds no pictures to show as examples",
            ),
        ]
        for arguments, line in cases:
            result = CliRunner().invoke(main, ["demo", *arguments])
            assert result.exit_code == 1, arguments
            assert re.search(line, result.output) and result.output.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipelines.cli import main;"
        "assert CliRunner().invoke(main, ['demo', '--help']).exit_code == 0;"
        "assert CliRunner().invoke(main, ['package', '--help']).exit_code == 0;"
        "heavy = {'gradio', 'torch', 'cv2', 'onnxruntime', 'openvino', 'clearml', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
