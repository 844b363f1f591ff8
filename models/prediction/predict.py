"""Run a model package over sources and write what it finds: what command and stage both do."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image as Pillow

from models.chain.opening import Look, chain_presenter, open_chain
from models.families import Presenter, family
from models.package import ModelPackage
from models.prediction.flow import Flow
from models.prediction.names import shown
from models.prediction.options import PredictionOptions
from models.prediction.padding import Unpadded, check_cutting
from models.prediction.reading import Place, Reader, count
from models.prediction.runtime import best_runtime, unused_int8
from models.prediction.sources import Sources
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.outputs import check_outputs, open_sinks
from models.prediction.writing.sinks import Seen, Sink
from models.reporting import Image, Reporter
from models.runtimes import load_predictor

RESULT = "result.json"
_LISTED = 1000
"""Problems and names that the result lists; all are counted."""
_OTHERS = "(others)"
"""Where names beyond those are counted."""


@dataclass
class Predicted:
    """What became of the sources."""

    runtime: str
    artifact: str
    device: str
    pictures: int = 0
    """Pictures, pages and frames looked at."""
    results: int = 0
    """Things found on them."""
    by_class: dict[str, int] = field(default_factory=dict)
    """Things found, by name; the first 1000 names, and `(others)`."""
    problems: list[dict[str, str]] = field(default_factory=list)
    """`source` and `reason` of what couldn't be read; the first 1000."""
    problem_count: int = 0
    ignored: int = 0
    """Files in folders that are neither pictures nor videos nor PDFs."""
    files: int = 0
    """Files written."""
    faster: str = ""
    """Precision of a form of the model that this runtime has and likely runs faster, where none
    was asked for."""
    seconds: float = 0.0
    """From the first picture read to the last file whole."""
    stopped: bool = False
    """Whether somebody asked for an early end."""

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.seconds else 0.0

    def line(self) -> str:
        """Sum up in one line."""
        said = [
            f"{self.pictures} {'picture' if self.pictures == 1 else 'pictures'}, "
            f"{self.results} found, {self.seconds:.1f} s, {self.rate:.1f} a second "
            f"({self.runtime} on {self.device})"
        ]
        if self.problem_count:
            said.append(f"{self.problem_count} could not be read")
        if self.ignored:
            said.append(f"{self.ignored} other files ignored")
        if self.stopped:
            said.append("stopped early")
        return "; ".join(said)

    def record(self) -> dict[str, Any]:
        """Make what `result.json` holds."""
        return {**vars(self), "seconds": round(self.seconds, 3), "rate": round(self.rate, 3)}


def predict(
    model: Path | ModelPackage,
    words: Sequence[str],
    out: Path,
    options: PredictionOptions,
    reporter: Reporter,
    *,
    listed: Iterable[str] | None = None,
    on_problem: Callable[[str], None] = lambda line: None,
    on_picture: Callable[[Seen], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    workers: int | None = None,
    relative: bool = False,
    second: ModelPackage | None = None,
) -> Predicted:
    """Run a model over pictures, pages, videos and streams, and write what it finds into a folder.

    Args:
        model: package or its folder.
        words: the sources as a user names them; see `Sources`.
        out: folder of the results; only an earlier run's files in it are replaced.
        options: what to run and to write.
        reporter: told progress.
        listed: paths for the source `-`.
        on_problem: told each input that can't be read, in one line.
        on_picture: shown each picture with its result, from several threads in no order.
        stop: asked before each picture whether to end early; what was read is finished.
        workers: threads that decode and draw; as many as there are cores unless given.
        relative: name sources by their path below what is named, the same on any machine.
        second: looks at each region that the model finds, such as a reader; see `models.chain`.

    Raises:
        ValueError: a model that doesn't load, no source, a folder or a disk that can't take the
            results.
    """
    package = model if isinstance(model, ModelPackage) else ModelPackage.load(model)
    there = "remote" if options.url else None
    runtime = options.runtime or there or best_runtime(package, options.device)
    if options.cut_padding:
        # Before anything is loaded.
        check_cutting(package, runtime)
    first = family(package.card.family).presenter(package.card)
    presenter = first if second is None else chain_presenter(first, second)
    check_outputs(options.save, package.card.family, presenter)
    sources = Sources(words, listed=listed, leave_out=out, relative=relative)
    _refuse_own(words, out)
    # A picture of 90 million pixels is what it is; one of twice as many is refused by Pillow.
    warnings.filterwarnings("ignore", category=Pillow.DecompressionBombWarning)
    # Of odd metadata, which change no pixel.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    # Pictures side by side, a thread for each, leave no core waiting for another one. What looks
    # at a single batch at a time would have one thread alone.
    streams = runtime == "openvino" and second is None and not options.cut_padding
    with ExitStack() as stack:
        predictor = stack.enter_context(
            load_predictor(
                package,
                runtime,
                options.device,
                options.threads,
                precision=options.precision,
                url=options.url,
                mode="throughput" if streams else "latency",
            )
        )
        on_cpu = predictor.engine.device.lower().startswith("cpu")
        batch = options.batch or (1 if on_cpu else 8)
        predictor.batch_size = batch
        done = Predicted(runtime, predictor.engine.artifact, predictor.engine.device)
        if options.precision is None and on_cpu:
            done.faster = unused_int8(package, runtime, done.artifact)
        with ResultsFolder(out) as folder:
            lock = threading.Lock()

            def problem(source: str, reason: str) -> None:
                with lock:
                    done.problem_count += 1
                    if len(done.problems) < _LISTED:
                        done.problems.append({"source": source, "reason": reason})
                on_problem(f"{source}: {reason}")

            look: Look = (
                Unpadded(predictor, options.threshold)
                if options.cut_padding
                else partial(predictor, threshold=options.threshold)
            )
            if second is not None:
                look = stack.enter_context(
                    open_chain(look, first, second, options.read, options.device)
                )
            side_by_side = partial(predictor.stream, threshold=options.threshold)
            one_by_one = partial(_one_by_one, look)
            total = count(sources, options)
            reader = Reader(sources, options, problem, stop)
            start = time.perf_counter()
            try:
                with open_sinks(folder, presenter, options) as sinks:
                    render = _Renderer(presenter, sinks, on_picture)
                    through = side_by_side if streams else one_by_one
                    flow = Flow(through, render, problem, batch=batch, workers=workers)
                    _write(flow.run(reader), sinks, done, reporter, total)
            finally:
                done.stopped = stop()
                done.seconds = time.perf_counter() - start
                done.ignored = sources.ignored
                done.files = folder.files
            record = json.dumps(done.record(), indent=2, ensure_ascii=False) + "\n"
            folder.write(PurePosixPath(RESULT), record.encode())
    return done


@dataclass(frozen=True)
class _Rendered:
    place: Place
    parts: Sequence[Any]
    """What each sink made."""
    found: Mapping[str, int]
    """Things found, by name."""


@dataclass(frozen=True)
class _Renderer:
    presenter: Presenter
    sinks: Sequence[Sink]
    on_picture: Callable[[Seen], None] | None

    def __call__(self, place: Place, image: Image, result: Any) -> _Rendered:
        seen = Seen(place, image, result, self.presenter)
        if self.on_picture is not None:
            self.on_picture(seen)
        parts = [sink.render(seen) for sink in self.sinks]
        return _Rendered(place, parts, self.presenter.tally(result))


def _one_by_one(
    look: Look, batches: Iterable[Sequence[Image] | None]
) -> Generator[Sequence[Any], None, None]:
    for batch in batches:
        if batch is not None:
            yield look(batch)


def _write(
    rendered: Generator[_Rendered, None, None],
    sinks: Sequence[Sink],
    done: Predicted,
    reporter: Reporter,
    total: int | None,
) -> None:
    said = "predicting"
    with closing(rendered):
        for one in rendered:
            for sink, part in zip(sinks, one.parts, strict=True):
                sink.write(one.place, part)
            done.pictures += 1
            for name, found in one.found.items():
                done.results += found
                # Texts that are read may differ on each picture.
                known = name in done.by_class or len(done.by_class) < _LISTED
                name = name if known else _OTHERS
                done.by_class[name] = done.by_class.get(name, 0) + found
            # A header may have counted too few: as long as more may come, it isn't all.
            least = done.pictures + 1
            reporter.progress(said, done.pictures, 0 if total is None else max(total, least))
    if done.pictures:
        reporter.progress(said, done.pictures, done.pictures)


def _refuse_own(words: Sequence[str], out: Path) -> None:
    """Refuse to read what is about to be removed.

    Raises:
        ValueError: a source lies in the folder of results.
    """
    home = out.resolve()
    for word in words:
        try:
            place = Path(word).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # no file, a stream, a loop
            continue
        if place.is_relative_to(home):
            raise ValueError(
                f"{shown(word)} lies in the folder of results {shown(out)}, whose earlier content "
                "is replaced: give another folder for the results"
            )
