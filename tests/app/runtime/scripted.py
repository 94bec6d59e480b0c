# SPDX-License-Identifier: Apache-2.0
"""A source and a task that do as they are told, and listeners that remember."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from app.frame import Frame, FrameResult
from app.runtime.meters import StageTimes
from app.runtime.pipeline import Listeners, NetworkChoice
from app.sources.source import EndOfStream

WAIT_S = 10.0
"""Longer than anything here takes, on a busy machine too; a test that waits so long has failed."""


def frame(seq: int, t_ns: int | None = None, size_wh: tuple[int, int] = (8, 6)) -> Frame:
    """Return a small grey frame captured now."""
    now_ns = time.monotonic_ns()
    return Frame(np.full((size_wh[1], size_wh[0], 3), 90, np.uint8), seq, now_ns, now_ns if t_ns is None else t_ns)


class ScriptedSource:
    """Gives one frame a read; an exception stands in `events` at the number of the read it is raised at."""

    name, size_wh, fps = "script", (8, 6), 30.0

    def __init__(self, events: dict[int, Exception] | None = None, period_s: float = 0.001) -> None:
        self._events, self._period_s = events or {}, period_s
        self.n_reads = self.n_frames = 0

    def read(self) -> Frame:
        time.sleep(self._period_s)
        self.n_reads += 1
        if self.n_reads - 1 in self._events:
            raise self._events[self.n_reads - 1]
        self.n_frames += 1
        return frame(self.n_frames - 1)

    def close(self) -> None:
        """Nothing is held."""


class StuckSource(ScriptedSource):
    """Hangs in `read` as a broken driver does, until the test releases it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reading, self.release = threading.Event(), threading.Event()

    def read(self) -> Frame:
        self.is_reading.set()
        self.release.wait(WAIT_S)
        raise EndOfStream


class ScriptedTask:
    """Returns the number of the frame; `work` is done for each."""

    def __init__(self, work: Callable[[Frame], None] = lambda frame: None) -> None:
        self.times, self.in_use = StageTimes(), NetworkChoice("cpu", "float", {"net": "net.tflite"})
        self._work = work

    def __call__(self, frame: Frame) -> int:
        with self.times.stage("work"):
            self._work(frame)
        return frame.seq


class Memory:
    """Listeners that keep what they were told, in order."""

    def __init__(self) -> None:
        self.results: list[FrameResult[Any]] = []
        self.errors: list[tuple[str, Exception]] = []
        self.losses: list[str | None] = []
        self.n_ends = 0
        self.at_end: list[int] = []  # results delivered when the end was told
        self.ended, self.got_result, self.got_error = threading.Event(), threading.Event(), threading.Event()

    def listeners(self) -> Listeners:
        return Listeners(self._result, self._error, self.losses.append, self._end)

    def _result(self, result: FrameResult[Any]) -> None:
        self.results.append(result)
        self.got_result.set()

    def _error(self, name: str, error: Exception) -> None:
        self.errors.append((name, error))
        self.got_error.set()

    def _end(self) -> None:
        self.n_ends += 1
        self.at_end.append(len(self.results))
        self.ended.set()


def wait_until(is_true: Callable[[], bool], timeout_s: float = WAIT_S) -> bool:
    """Wait until `is_true()`; return whether it became so."""
    end = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
