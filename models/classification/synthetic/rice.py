"""The built-in source: grains of five varieties of rice, as class folders."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from models.classification.synthetic.grains import VARIETIES, draw_grain
from models.classification.synthetic.options import RiceOptions
from models.reporting import Reporter

_QUALITY = 95


def synthesize(options: BaseModel, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Write `Arborio/Arborio (1).jpg` and so on, named as the Rice Image Dataset names them.

    Args:
        options: `RiceOptions`; the same ones give the same bytes.
        folder: where to write; made if need be.
        reporter: told about the progress.

    Returns:
        Numbers of pictures, by variety.
    """
    import cv2

    if not isinstance(options, RiceOptions):
        raise TypeError(f"expected RiceOptions, got {type(options).__name__}")
    jobs = [
        (kind, number)
        for kind in range(len(VARIETIES))
        for number in range(1, options.pictures + 1)
    ]

    def write(job: tuple[int, int]) -> None:
        kind, number = job
        variety = VARIETIES[kind]
        rng = np.random.default_rng([options.seed, kind, number])
        image = draw_grain(variety, options.side, options.overlap, options.light, rng)
        done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert done
        (folder / variety.name / f"{variety.name} ({number}).jpg").write_bytes(data.tobytes())

    for variety in VARIETIES:
        (folder / variety.name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.workers or os.cpu_count() or 1) as pool:
        for place, _ in enumerate(pool.map(write, jobs), start=1):
            reporter.progress("drawing", place, len(jobs))
    return {"pictures": len(jobs), "varieties": {v.name: options.pictures for v in VARIETIES}}
