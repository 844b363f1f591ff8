"""Throughput of the service against the bare engine: `python tests/benchmarks/bench_serving.py`.

The service and the bare engine get the same cores, one after the other, the bare engine before and
after; the clients get the other cores. Without a package the one of `bench_runtimes` is taken, with
random weights. `tensors` sends the network's input in binary form and is compared with the engine
alone at its best batch size; `pictures` sends JPEG files and is compared with decoding, engine and
postprocessing in one thread after the other.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.package import ModelPackage
from models.runtimes import load_predictor

_PAUSE = 0.05
"""What a refused client waits before it asks again, seconds."""
LOST = 0
"""In place of a status: a request that got no answer."""


def bare(work: dict[str, Any], answer: Any) -> None:
    """Measure pictures a second of the engine alone, by batch size, and from JPEG to results."""
    os.sched_setaffinity(0, work["cores"])
    import cv2

    cv2.setNumThreads(1)
    predictor = load_predictor(
        work["package"], work["runtime"], "cpu", work["threads"], batch_size=work["batch"]
    )
    shape = predictor.package.card.input.shape[1:]
    rates: dict[str, float] = {}
    for size in sorted({1, work["batch"]}):
        inputs = np.random.default_rng(0).integers(0, 256, (size, *shape), dtype=np.uint8)
        rates[f"batch {size}"] = size * _rate(lambda: predictor.engine(inputs), work["seconds"])  # noqa: B023
    data = np.frombuffer(work["jpeg"], np.uint8)

    def whole() -> None:
        predictor([cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)])

    rates["pictures"] = _rate(whole, work["seconds"])
    answer.put(rates)


def _rate(call: Callable[[], object], seconds: float) -> float:
    for _ in range(3):
        call()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - start)


def clients(work: dict[str, Any], answer: Any) -> None:
    """Ask as many clients do, each for its next answer when it has the last."""
    os.sched_setaffinity(0, work["cores"])
    codes: Counter[int] = Counter()
    times: list[float] = []
    end = time.perf_counter() + work["seconds"]

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", work["port"], timeout=60)
        while (start := time.perf_counter()) < end:
            try:
                connection.request("POST", work["path"], work["body"], work["headers"])
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                codes[LOST] += 1
                continue
            codes[response.status] += 1
            if response.status == 503:
                time.sleep(_PAUSE)
            if response.status == 200:
                times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=ask) for _ in range(work["clients"])]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer.put((dict(codes), time.perf_counter() - start, times))


def aside(target: Callable[..., None], work: dict[str, Any]) -> Any:
    """Run something in a process of its own, which may keep to its cores."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=target, args=(work, answer))
    process.start()
    found = answer.get(timeout=300)
    process.join()
    return found


def main() -> None:
    """Print one table."""
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--queue", type=int, help="default: room for all; less is overload")
    parser.add_argument("--cores", type=int, default=max(1, len(cores) // 2), help="of the service")
    parser.add_argument("--threads", type=int, help="of the engine; default: as many as its cores")
    arguments = parser.parse_args()
    own, others = set(cores[: arguments.cores]), set(cores[arguments.cores :]) or set(cores)
    with tempfile.TemporaryDirectory() as scratch:
        package = arguments.package
        if package is None:
            from bench_runtimes import random_package

            package = random_package(Path(scratch)).save(Path(scratch) / "all").folder
        measure(arguments, package, own, others)


def measure(arguments: argparse.Namespace, package: Path, own: set[int], others: set[int]) -> None:
    """Measure the engine, the service, and the engine again."""
    import cv2

    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes()
    shape = ModelPackage.load(package).card.input.shape[1:]
    work = {
        "cores": own,
        "package": package,
        "runtime": arguments.runtime,
        "threads": arguments.threads or len(own),
        "batch": arguments.batch,
        "seconds": arguments.seconds,
        "jpeg": jpeg,
    }
    before = aside(bare, work)
    served = serve(arguments, work, others, tensor_request((1, *shape)))
    after = aside(bare, work)
    rates = {name: (rate + after[name]) / 2 for name, rate in before.items()}
    for name, rate in rates.items():
        print(f"bare, {name:<9} {rate:8.1f} pictures/s   ({before[name]:.1f}, {after[name]:.1f})")
    best = max(rate for name, rate in rates.items() if name.startswith("batch"))
    for name, (codes, seconds, times) in served.items():
        rate = codes.get(200, 0) / seconds
        against = best if name == "tensors" else rates["pictures"]
        p50, p99 = (1e3 * float(np.quantile(times, share)) for share in (0.5, 0.99))
        print(
            f"served, {name:<8} {rate:7.1f} pictures/s   {rate / against:.2f} of the bare one; "
            f"{arguments.clients} clients, p50 {p50:.0f} ms, p99 {p99:.0f} ms, answers {codes}, "
            f"lost {codes.get(LOST, 0)}"
        )


def tensor_request(shape: tuple[int, ...]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a binary request with one picture."""
    blob = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8).tobytes()
    image = {"name": "images", "datatype": "UINT8", "shape": list(shape)}
    image["parameters"] = {"binary_data_size": len(blob)}
    asked = {"inputs": [image], "parameters": {"binary_data_output": True}}
    head = json.dumps(asked).encode()
    return head + blob, {"Inference-Header-Content-Length": str(len(head))}


def serve(
    arguments: argparse.Namespace,
    work: dict[str, Any],
    others: set[int],
    tensors: tuple[bytes, dict[str, str]],
) -> dict[str, Any]:
    """Start the service and let the clients ask it."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", str(work["package"]), "--port", "0"]
    command += ["--runtime", arguments.runtime, "--threads", str(work["threads"])]
    command += [
        "--batch",
        str(arguments.batch),
        "--queue",
        str(arguments.queue or 4 * arguments.clients),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, work["cores"]),
    )
    assert process.stdout
    try:
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
        asking = {"cores": others, "port": port, "clients": arguments.clients}
        found = {}
        for name, path, body, headers in (
            ("tensors", "/v2/models/model/infer", *tensors),
            ("pictures", "/predict", work["jpeg"], {}),
        ):
            asking |= {"path": path, "body": body, "headers": headers}
            aside(clients, {**asking, "seconds": 1.0})  # warm-up
            found[name] = aside(clients, {**asking, "seconds": arguments.seconds})
        return found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


if __name__ == "__main__":
    main()
