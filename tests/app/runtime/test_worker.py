# SPDX-License-Identifier: Apache-2.0
"""A worker repeats its step, reports one failure, and always says that it ended."""

from __future__ import annotations

import threading
import time

import pytest

from app.runtime.latest import Closed
from app.runtime.worker import Worker
from tests.app.runtime.scripted import WAIT_S


class Steps:
    """Counts steps and calls; raises `error` at the step of that number."""

    def __init__(self, error: Exception | None = None, at: int = 3) -> None:
        self.n_steps, self.errors, self.n_ends = 0, list[tuple[str, Exception]](), 0
        self.threads: set[str] = set()
        self._error, self._at = error, at

    def step(self) -> None:
        self.n_steps += 1
        self.threads.add(threading.current_thread().name)
        time.sleep(0.001)
        if self._error is not None and self.n_steps == self._at:
            raise self._error

    def fail(self, name: str, error: Exception) -> None:
        self.threads.add(threading.current_thread().name)
        self.errors.append((name, error))

    def end(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.n_ends += 1

    def worker(self) -> Worker:
        return Worker("toy", self.step, self.fail, self.end)


def run(steps: Steps) -> None:
    worker = steps.worker()
    worker.start()
    worker.join(WAIT_S)


def test_reports_once_then_ends() -> None:
    error = RuntimeError("broken")
    steps = Steps(error)
    run(steps)
    assert steps.errors == [("toy", error)]
    assert steps.n_steps == 3
    assert steps.n_ends == 1
    assert steps.threads == {"toy"}


def test_closed_is_a_quiet_end() -> None:
    steps = Steps(Closed())
    run(steps)
    assert steps.errors == []
    assert steps.n_steps == 3
    assert steps.n_ends == 1


def test_stop_ends_after_the_present_step() -> None:
    steps = Steps()
    worker = steps.worker()
    worker.start()
    worker.stop()
    worker.join(WAIT_S)
    done = steps.n_steps
    time.sleep(0.02)
    assert steps.n_steps == done
    assert (steps.errors, steps.n_ends) == ([], 1)


def test_never_started_is_ended() -> None:
    steps = Steps()
    worker = steps.worker()
    worker.stop()
    worker.join(0.0)
    assert (steps.n_steps, steps.n_ends) == (0, 0)


def test_a_thread_that_hangs_is_named() -> None:
    release = threading.Event()

    def step() -> None:
        release.wait(WAIT_S)

    worker = Worker("stuck one", step, lambda name, error: None)
    worker.start()
    worker.stop()
    with pytest.raises(TimeoutError, match=r"thread 'stuck one' did not stop within 0\.05 s"):
        worker.join(0.05)
    release.set()
    worker.join(WAIT_S)
