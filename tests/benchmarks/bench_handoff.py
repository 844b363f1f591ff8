"""How long a pipeline takes from the end of one stage to the start of the next stage's process.

The end is when a stage's result is whole, the start is when its process is created, as the stages
note it on their tasks. That process is first the agent's, which fetches the code, and then becomes
the stage's: from its start to the stage's first line it takes another two or three seconds.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent.stack import down, load_credentials, up
from agent.stack.api import Api
from agent.stack.home import StackHome
from pipelines.state import stored_state

ROOT = Path(__file__).parents[2]
RUNS = 2
RECIPE = """
pipeline=detection model=test_resnet image_size=64 epochs=1
ingest.synthetic.train=12 ingest.synthetic.val=4 ingest.synthetic.test=4
ingest.synthetic.sizes=[[200,160]] ingest.synthetic.symbols=2 prepare.previews=0
train.network.hidden_width=32 train.network.decoder_layers=2 train.network.queries=4
train.network.denoising_queries=0 train.network.levels=1 train.batch_size=4 train.samples.count=0
export.formats=onnx export.latency_calls=0 quantize.forms=onnx quantize.latency_calls=0
quantize.calibration_pictures=4 benchmark.runtimes=onnxruntime benchmark.seconds=0.2
benchmark.rounds=1 benchmark.batches=1 benchmark.resamples=0
"""


def main() -> None:
    """Run a tiny pipeline a few times and print the mean of each pair of stages."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        home = Path(folder) / "s"
        os.environ["HOME"] = folder
        try:
            report = up(home=home)
            with Api(report.url, load_credentials(StackHome(home))) as api:
                runs = [_run(api, report.conf, seed) for seed in range(RUNS)]
        finally:
            down(home=home)
    pairs: dict[str, list[float]] = {}
    for run in runs:
        for pair, seconds in run.items():
            pairs.setdefault(pair, []).append(seconds)
    print(f"{'end of stage to next process':30}   mean    max  (s, {RUNS} runs)")
    for pair, times in pairs.items():
        print(f"{pair:30} {statistics.mean(times):6.2f} {max(times):6.2f}")
    everything = [seconds for times in pairs.values() for seconds in times]
    print(f"{'all':30} {statistics.mean(everything):6.2f} {max(everything):6.2f}")


def _run(api: Api, conf: Path, seed: int) -> dict[str, float]:
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "run", *RECIPE.split(), f"seed={seed}", "--wait"],
        cwd=ROOT,
        env={**os.environ, "CLEARML_CONFIG_FILE": str(conf)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    controller = api.call(
        "tasks.get_all", type=["controller"], order_by=["-created"], search_hidden=True
    )["tasks"][0]
    state = stored_state(controller)
    assert state is not None
    times = {name: _times(api, step.task) for name, step in state.steps.items()}
    names = list(times)
    return {
        f"{one} -> {other}": times[other][0] - times[one][1]
        for one, other in itertools.pairwise(names)
    }


def _times(api: Api, task: str) -> tuple[float, float]:
    found: dict[str, Any] = api.call("tasks.get_all", id=[task], only_fields=["runtime"])["tasks"][
        0
    ]
    runtime = found["runtime"]
    return float(runtime["sightline_started"]), float(runtime["sightline_finished"])


if __name__ == "__main__":
    main()
