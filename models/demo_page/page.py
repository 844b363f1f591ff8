"""The page: pictures and videos in, drawings, counts, tables and times out."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read when gradio is imported: it calls home otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from models.demo_page import wording
from models.demo_page.running import Runners
from models.demo_page.upload import PictureUpload
from models.demo_page.video import drawing, predict_video, with_drawing
from models.deployment.standalone.pictures import SUFFIXES, read_picture
from models.reporting import Image

OWN_THRESHOLDS = "The model's own threshold for each class"
VIDEO_COLUMNS = ("found", "frames with it", "most at once")
# Plain names are the browser's own fonts: nothing is fetched for them.
_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO_FONTS = ("ui-monospace", "Consolas", "Menlo", "monospace")
MAX_UPLOAD = "500mb"
_KEEP = (600, 3600)
"""Seconds: how often old uploads and drawings are looked for, and when they are old."""


@dataclass(frozen=True)
class PageOptions:
    """How the page is to be."""

    runtime: str | None = None
    """Choice of `Runners` that is set at first; None takes the first."""
    examples: Sequence[Path] = ()
    """Pictures to click on."""
    most_frames: int = 600
    """Frames of a video that are looked at."""


def build_page(runners: Runners, options: PageOptions) -> Any:
    """Make the page, a `gr.Blocks`; `launch_settings` go to its `launch`.

    Raises:
        ValueError: no such runtime.
    """
    package = runners.package
    names = list(runners.choices)
    if options.runtime is not None and options.runtime not in names:
        raise ValueError(f"runtime '{options.runtime}': expected one of {'; '.join(names)}")
    limit = package.card.threshold
    with gr.Blocks(
        title="Sightline", analytics_enabled=False, fill_width=True, delete_cache=_KEEP
    ) as page:
        gr.Markdown(wording.heading(package), elem_classes="sightline-head")
        with gr.Row(equal_height=True):
            threshold = gr.Slider(
                0, 1, round(limit.value, 3), step=0.005, label="Confidence threshold", scale=3
            )
            runtime = gr.Dropdown(names, value=options.runtime or names[0], label="Runtime")
            some = bool(limit.per_class)
            own = gr.Checkbox(some, label=OWN_THRESHOLDS, visible=some)
        settings = [threshold, own, runtime]
        with gr.Tab("Picture"):
            with gr.Row():
                picture = PictureUpload(
                    type="filepath",
                    image_mode=None,
                    label="Picture",
                    sources=["upload", "webcam", "clipboard"],
                    height=460,
                )
                drawn = gr.Image(
                    label="Found",
                    format="jpeg",
                    height=460,
                    interactive=False,
                    buttons=["download", "fullscreen"],
                )
            summary = gr.HTML()
            table = gr.Dataframe(
                headers=list(runners.presenter.columns),
                label="Results",
                interactive=False,
                max_height=320,
            )
            if options.examples:
                gr.Examples(
                    [[str(path)] for path in options.examples],
                    [picture],
                    label="Examples",
                    examples_per_page=12,
                )
            outputs = [drawn, summary, table]
            look = _picture_handler(runners)
            given = [picture, *settings]
            picture.change(look, given, outputs, api_name="predict", show_progress="minimal")
            for change in (threshold.release, own.change, runtime.change):
                change(look, given, outputs, api_visibility="private", show_progress="minimal")
        with gr.Tab("Video"):
            with gr.Row():
                video = gr.Video(label="Video", sources=["upload"], height=460)
                watched = gr.Video(
                    label="Found",
                    height=460,
                    interactive=False,
                    autoplay=True,
                    buttons=["download"],
                )
            start = gr.Button("Look at the video", variant="primary")
            video_times = gr.HTML()
            video_table = gr.Dataframe(
                headers=list(VIDEO_COLUMNS), label="Results", interactive=False, max_height=320
            )
            watch = _video_handler(runners, options.most_frames, watched.GRADIO_CACHE)
            start.click(
                watch,
                [video, *settings],
                [watched, video_times, video_table],
                api_name="predict_video",
                show_progress_on=[watched],
            )
    page.queue(default_concurrency_limit=2, max_size=32)
    return page


def launch_settings() -> dict[str, Any]:
    """Settings for `gr.Blocks.launch` that keep the page on this machine, and its look."""
    theme = gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        font=_SYSTEM_FONTS,
        font_mono=_MONO_FONTS,
    )
    return {
        "theme": theme,
        "css": wording.STYLE,
        "footer_links": [],
        "max_file_size": MAX_UPLOAD,
        "show_error": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "quiet": True,
    }


def example_pictures(dataset: Path, most: int = 12) -> list[Path]:
    """Choose pictures of a prepared dataset (of test if there is one), or of any folder.

    Raises:
        ValueError: there are none.
    """
    places = [dataset / split / "data" for split in ("test", "val", "train")]
    folder = next((place for place in places if place.is_dir()), dataset)
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{dataset} holds no pictures to show as examples")
    step = max(1, len(found) // most)
    return found[::step][:most]


def _picture_handler(runners: Runners) -> Callable[..., Any]:
    presenter = runners.presenter

    def look(file: str | None, threshold: float, own: bool, runtime: str) -> tuple[Any, ...]:
        if file is None:
            return None, "", []
        with _one_line():
            start = time.perf_counter()
            image = _read(Path(file))
            decode = (time.perf_counter() - start) * 1e3
            found, times = runners(runtime, image, None if own else threshold)
            drawn, draw = drawing(image, found, presenter)
        rows = [[row[name] for name in presenter.columns] for row in presenter.rows(found)]
        size = f"{image.shape[1]} × {image.shape[0]} pixels"
        return (
            drawn,
            wording.counts(presenter.tally(found), presenter)
            + wording.times(with_drawing(times, decode, draw), size),
            rows,
        )

    return look


def _video_handler(runners: Runners, most_frames: int, cache: str) -> Callable[..., Any]:
    def watch(
        file: str | None,
        threshold: float,
        own: bool,
        runtime: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # how gradio is told to give one
    ) -> tuple[Any, ...]:
        if file is None:
            raise gr.Error("choose a video first", print_exception=False)
        limit = None if own else threshold
        with tempfile.TemporaryDirectory(prefix="sightline-video-") as folder, _one_line():
            target = Path(folder) / "found.webm"
            report = predict_video(
                Path(file),
                target,
                lambda image: runners(runtime, image, limit),
                runners.presenter,
                most_frames,
                lambda done, total: progress((done, total), unit="frames"),
            )
            note = f"{report.frames} frames in {report.seconds:.1f} s"
            if report.cut:
                note += f" (the first {most_frames}; the video goes on)"
            kept = _into_cache(target, cache)
        return (
            kept,
            wording.times(report.times, f"a frame, on average · {note}"),
            [list(row) for row in report.rows],
        )

    return watch


def _into_cache(file: Path, cache: str) -> str:
    """Put a file where gradio serves it from."""
    from gradio.processing_utils import save_file_to_cache

    return str(save_file_to_cache(file, cache_dir=cache))


def _read(file: Path) -> Image:
    try:
        return read_picture(file)
    except ValueError as error:  # where it lies on the server is nobody's business
        raise ValueError(str(error).replace(str(file), file.name)) from error


@contextmanager
def _one_line() -> Iterator[None]:
    """Show what is wrong as one line in the page."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        line = " ".join(str(error).split())[:300] or type(error).__name__
        raise gr.Error(line, print_exception=False, duration=15) from error
