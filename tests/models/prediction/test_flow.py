"""Threads between decoding, network and writing: order, bounds, ends."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest

from models.data.pictures import PictureError
from models.prediction import flow as flow_module
from models.prediction.channel import Channel, Room
from models.prediction.flow import Flow, Looks
from models.prediction.reading import Place, Waiting
from models.reporting import Image
from tests.models.prediction.conftest import Case, write_video


def waiting(number: int, pixels: int = 4, error: str = "", pause: float = 0) -> Waiting:
    def decode() -> Image:
        time.sleep(pause)
        if error:
            raise PictureError(error)
        return np.full((2, 2, 3), number, np.uint8)

    return Waiting(Place(f"{number}", f"{number}", PurePosixPath(f"{number}")), pixels, decode)


def numbers(images: Sequence[Image]) -> list[int]:
    return [int(image[0, 0, 0]) for image in images]


def one_by_one(look: Callable[[Sequence[Image]], list[int]]) -> Looks:
    def through(
        batches: Iterable[Sequence[Image] | None],
    ) -> Generator[list[int], None, None]:
        for batch in batches:
            if batch is not None:
                yield look(batch)

    return through


def side_by_side(
    batches: Iterable[Sequence[Image] | None],
) -> Generator[list[int], None, None]:
    """Keep three batches, as an engine set for throughput does, and give them when asked to."""
    kept: list[list[int]] = []
    for batch in batches:
        if batch is not None:
            kept.append(numbers(batch))
        while kept and (batch is None or len(kept) > 3):
            yield kept.pop(0)
    yield from kept


def flow(**more: int) -> tuple[Flow[int], list[int], list[tuple[str, str]]]:
    batches: list[int] = []
    problems: list[tuple[str, str]] = []

    def look(images: Sequence[Image]) -> list[int]:
        batches.append(len(images))
        return numbers(images)

    made = Flow(
        one_by_one(look), lambda _, __, result: int(result), lambda *p: problems.append(p), **more
    )
    return made, batches, problems


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_order_is_kept_and_broken_pictures_fall_out(batch: int) -> None:
    pauses = np.random.default_rng(0).uniform(0, 0.004, 40)
    pictures = [
        waiting(n, error="broken" if n in (5, 6, 39) else "", pause=pauses[n]) for n in range(40)
    ]
    made, batches, problems = flow(batch=batch, workers=4)
    expected = [n for n in range(40) if n not in (5, 6, 39)]
    assert list(made.run(pictures)) == expected
    assert problems == [(str(n), "broken") for n in (5, 6, 39)]
    assert max(batches) == batch and sum(batches) == 37


def test_no_more_is_read_than_is_needed_soon() -> None:
    given = 0

    def endless() -> Iterator[Waiting]:
        nonlocal given
        while True:
            given += 1
            yield waiting(given % 200)

    made, _, _ = flow(batch=2, workers=2)
    running = made.run(endless())
    for _ in range(10):
        next(running)
    time.sleep(0.1)
    assert given < 40
    running.close()
    assert not [t for t in threading.enumerate() if t.name in ("_read", "_infer")]


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_side_by_side_keep_their_order_and_what_is_broken_falls_out(batch: int) -> None:
    broken = {0, 1, 2, 17, 38, 39}
    pauses = np.random.default_rng(1).uniform(0, 0.004, 40)
    pictures = [
        waiting(n, error="broken" if n in broken else "", pause=pauses[n]) for n in range(40)
    ]
    problems: list[str] = []
    made: Flow[int] = Flow(
        side_by_side,
        lambda _, __, result: int(result),
        lambda source, _: problems.append(source),
        batch=batch,
        workers=4,
    )
    assert list(made.run(pictures)) == [n for n in range(40) if n not in broken]
    assert problems == [str(n) for n in sorted(broken)]


def test_a_frame_s_result_does_not_wait_for_the_next_frame() -> None:
    seen = threading.Event()

    def camera() -> Iterator[Waiting]:
        yield waiting(1)
        assert seen.wait(10)
        yield waiting(2)

    made: Flow[int] = Flow(side_by_side, lambda _, __, result: int(result), lambda *_: None)
    running = made.run(camera())
    assert next(running) == 1
    seen.set()
    assert list(running) == [2]


def test_what_is_under_way_gives_its_room_back_to_who_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow_module, "_MEMORY", 3 * 100)
    made: Flow[int] = Flow(
        side_by_side, lambda _, __, result: int(result), lambda *_: None, workers=2
    )
    assert list(made.run(waiting(n, pixels=70) for n in range(12))) == list(range(12))


def test_large_pictures_go_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_module, "_BATCH_MEMORY", 3 * 100)
    sizes = [30, 30, 30, 30, 100, 500, 10, 10]
    made, batches, _ = flow(batch=8, workers=2)
    assert list(made.run([waiting(n, pixels=size) for n, size in enumerate(sizes)])) == list(
        range(8)
    )
    assert batches == [3, 1, 1, 1, 2]


@pytest.mark.parametrize("where", ["read", "predict", "render", "decode"])
def test_a_fault_in_any_thread_is_raised_and_ends_all(where: str) -> None:
    def pictures() -> Iterator[Waiting]:
        for number in range(100):
            if where == "read" and number == 20:
                raise KeyError("reading")
            one = waiting(number)
            if where == "decode" and number == 20:
                yield Waiting(one.place, 4, lambda: {}["decoding"])  # type: ignore[dict-item]
            yield one

    def look(images: Sequence[Image]) -> list[int]:
        if where == "predict" and 20 in numbers(images):
            raise KeyError("predicting")
        return numbers(images)

    def render(place: Place, image: Image, result: int) -> int:
        if where == "render" and result == 20:
            raise KeyError("rendering")
        return result

    made: Flow[int] = Flow(one_by_one(look), render, lambda *_: None, workers=2)
    got = []
    with pytest.raises(KeyError, match=where[:4]):
        for one in made.run(pictures()):
            got.append(one)  # noqa: PERF402  # what came before the fault is kept
    assert got == list(range(20))
    assert not [t for t in threading.enumerate() if t.name in ("_read", "_infer")]


def test_a_channel_given_up_takes_nothing_and_frees_who_waits() -> None:
    channel: Channel[int] = Channel(1)
    assert channel.put(1)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(channel.put(2)))
    thread.start()
    channel.give_up()
    thread.join(5)
    assert said == [False] and list(channel) == []


def test_room_lets_what_is_too_large_in_alone() -> None:
    room = Room(10)
    assert room.take(50)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(room.take(1)))
    thread.start()
    time.sleep(0.02)
    assert not said
    room.give(50)
    thread.join(5)
    assert said == [True]


def test_a_stop_finishes_what_was_read(run: Case, tmp_path: Path) -> None:
    video = write_video(tmp_path / "in" / "clip.avi", 300)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    done = run(video, save=["videos", "jsonl", "coco"], stop=stop)
    assert done.stopped and 15 <= done.pictures <= 25
    written = cv2.VideoCapture(str(run.out / "videos/clip.mp4"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == done.pictures
    written.release()
    assert len((run.out / "predictions.jsonl").read_text().splitlines()) == done.pictures


def test_memory_stays_flat_over_a_video(run: Case, tmp_path: Path) -> None:
    """No more pictures live at once later than soon after the start."""
    video = write_video(tmp_path / "in" / "clip.avi", 200, (320, 240))
    alive: list[int] = []
    size = 320 * 240 * 3
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked % 50 == 0:
            found = [one for one in gc.get_objects() if isinstance(one, Waiting)]
            alive.append(len(found))
        return False

    done = run(video, save=["videos", "jsonl"], stop=stop)
    assert done.pictures == 200 and len(alive) >= 4
    assert max(alive) <= 12, f"{alive} pictures of {size} bytes"
