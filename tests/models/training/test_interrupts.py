from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from models.training.interrupts import interrupts


def test_the_first_ctrl_c_asks_and_the_second_interrupts() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts(said.append) as pressed:
        assert not pressed()
        signal.raise_signal(signal.SIGINT)
        assert pressed()
        assert len(said) == 1
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_somebody_elses_handler_stays() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        with interrupts(lambda _: None) as pressed:
            signal.raise_signal(signal.SIGINT)
            assert caught == [signal.SIGINT]
            assert not pressed()
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_changes_no_handler() -> None:
    found: list[bool] = []

    def work() -> None:
        with interrupts(lambda _: None) as pressed:
            found.append(pressed())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_sigterm_ends_the_process_as_sigterm() -> None:
    code = (
        "import signal\n"
        "from models.training.interrupts import interrupts\n"
        "with interrupts(print):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGTERM
