from __future__ import annotations

import multiprocessing
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.training import picture_cache as subject
from models.training.options import CacheOptions
from models.training.picture_cache import PictureCache, Shelf

ROOT = Path(__file__).parents[3]
SIZES = np.array([[40, 30], [20, 10], [64, 64], [5, 7]])


def cache(where: str, folder: Path, megabytes: int = 1) -> PictureCache:
    return PictureCache(CacheOptions.model_validate({"where": where, "mb": megabytes}), folder)


def picture(index: int) -> np.ndarray:
    height, width = SIZES[index]
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_was_kept_comes_back_and_cannot_be_changed(where: str, tmp_path: Path) -> None:
    shelf = cache(where, tmp_path / "new").shelf(SIZES)
    for index in (2, 0, 3):
        shelf.keep(index, picture(index))
    assert shelf.get(1) is None
    for index in (0, 2, 3):
        found = shelf.get(index)
        assert found is not None and np.array_equal(found, picture(index))
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0] = 0


def test_a_picture_of_another_size_is_not_kept(tmp_path: Path) -> None:
    shelf = cache("memory", tmp_path).shelf(SIZES)
    shelf.keep(0, picture(1))
    assert shelf.get(0) is None


def test_none_keeps_nothing_and_the_budget_is_shared(tmp_path: Path) -> None:
    assert len(cache("none", tmp_path).shelf(SIZES)) == 0
    large = np.array([[512, 512]] * 3)  # 768 KiB each
    both = cache("memory", tmp_path, megabytes=2)
    assert [len(both.shelf(large)), len(both.shelf(large)), len(both.shelf(SIZES))] == [2, 0, 4]


def test_processes_on_one_machine_share_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert len(cache("memory", tmp_path, megabytes=2).shelf(np.array([[512, 512]] * 3))) == 1


def _fill(shelf: Shelf) -> None:
    shelf.keep(1, picture(1))


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_forked_processes_share_what_they_keep(where: str, tmp_path: Path) -> None:
    shelf = cache(where, tmp_path).shelf(SIZES)
    child = multiprocessing.get_context("fork").Process(target=_fill, args=(shelf,))
    child.start()
    child.join(30)
    found = shelf.get(1)
    assert found is not None and np.array_equal(found, picture(1))


def test_a_process_that_is_not_forked_does_without(tmp_path: Path) -> None:
    copy: Shelf = pickle.loads(pickle.dumps(cache("memory", tmp_path).shelf(SIZES)))
    copy.keep(1, picture(1))
    assert copy.get(1) is None


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from models.training.options import CacheOptions
from models.training.picture_cache import PictureCache
shelf = PictureCache(CacheOptions(where="disk", mb=8), Path(sys.argv[1])).shelf(
    np.array([[512, 512]] * 8)
)
shelf.keep(0, np.ones((512, 512, 3), np.uint8))
print("kept", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_file_behind(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None and child.stdout.readline().strip() == "kept"
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subject.os, "posix_fallocate", full)
    with pytest.raises(ValueError, match=r"cache.where=disk: no room for 0 MiB .* lower cache.mb"):
        cache("disk", tmp_path).shelf(SIZES)
    assert not list(tmp_path.iterdir())
