"""A real Triton from PyPI serves a model repository of ours."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from click.testing import CliRunner

from models.detection.dataset import read_labels, read_picture
from models.families import family
from models.runtimes import load_predictor
from pipelines.cli import main


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def call(*words: str) -> str:
    done = CliRunner().invoke(main, ["triton", *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_triton_says_what_the_predictor_says(exported: Path, squares: Path, tmp_path: Path) -> None:
    import tritonclient.http as client

    repository = tmp_path / "repository"
    for runtime in ("onnxruntime", "openvino"):
        options = ["--backend", "python", "--runtime", runtime, "--name", runtime]
        call("make", str(exported), str(repository), *options, "--threads", "1", "--batch", "4")
    port, metrics = free_port(), free_port()
    ports = ["--port", str(port), "--metrics-port", str(metrics)]
    call("up", str(repository), "--pytriton", *ports)
    try:
        assert "openvino  READY" in call("status", str(repository))
        labels = read_labels(squares, "val")
        images = [read_picture(labels.folder / name) for name in labels.files[:7]]
        for runtime in ("onnxruntime", "openvino"):
            url = f"http://127.0.0.1:{port}/v2/models/{runtime}"
            with load_predictor(exported, runtime, "cpu", 1) as local:
                expected = local(images, 0.0)
                inputs, _ = local.package.card.preprocessing(images[:3])
                tensors = local.engine(inputs)
            # Seven pictures in one batch, though this Triton takes four.
            with load_predictor(exported, "remote", url=url, batch_size=7) as remote:
                found = remote(images, 0.0)
            off = family("detection").differences(expected, found, 0.05)
            assert len(off["score"]) > 20
            assert off["score"].max() < 1e-4
            assert off["position"].max() < 0.05
            asked = client.InferInput("images", list(inputs.shape), "UINT8")
            asked.set_data_from_numpy(inputs)
            answer = client.InferenceServerClient(f"127.0.0.1:{port}").infer(runtime, [asked])
            for output, array in zip(local.package.card.outputs, tensors, strict=True):
                assert np.abs(answer.as_numpy(output.name) - array).max() < 1e-4
        text = requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=60).text
        assert 'nv_inference_count{model="openvino",version="1"} 10' in text
    finally:
        call("down", str(repository))
    left = [
        p for p in psutil.process_iter(["cmdline"]) if str(repository) in str(p.info["cmdline"])
    ]
    assert left == []
    shutil.rmtree(repository / "openvino" / "1")
    done = CliRunner().invoke(main, ["triton", "up", str(repository), "--pytriton", *ports])
    assert done.exit_code == 1
    assert "Triton ended at once: " in done.output


@pytest.mark.slow
def test_what_cannot_be_installed_is_one_line(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No package index is reached; and what was begun is begun anew the next time."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    call("make", str(exported), str(repository), "--backend", "python")
    for _ in range(2):
        done = CliRunner().invoke(
            main, ["triton", "up", str(repository), "--pytriton", "--cache", str(cache)]
        )
        assert done.exit_code == 1
        assert done.output.splitlines()[0].startswith("installing nvidia-pytriton==")
        assert "nvidia-pytriton can't be installed here" in done.output.splitlines()[1]
        assert len(done.output.splitlines()) == 2
