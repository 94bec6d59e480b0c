# SPDX-License-Identifier: Apache-2.0
"""Two threads: capture hands frames to inference, inference hands results on."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.frame import Frame, FrameResult, FrameTimes, Steady
from app.runtime.latest import Closed, InOrder, Latest, Mailbox
from app.runtime.ledger import N_FRAMES
from app.runtime.meters import Percentiles, Rate, Span, StageTimes, stage_ms
from app.runtime.worker import Worker
from app.sources.pace import Pace
from app.sources.source import EndOfStream, Source, SourceLost
from device.backend import Cycles


@dataclass(frozen=True)
class NetworkChoice:
    """Which networks a task used for a frame."""

    backend: str
    precision: str
    models: dict[str, str] = field(default_factory=dict)  # network name -> file
    cycles: Cycles | None = None  # of the last inference, where the device counts them

    def after(self, network: object) -> NetworkChoice:
        """Return what a frame really used, once `network` has run: its backend (another one, where that took over from
        a GPU that failed) and its cycles, as far as it has either."""
        backend, cycles = getattr(network, "backend_name", self.backend), getattr(network, "last_cycles", None)
        if (backend, cycles) == (self.backend, self.cycles):
            return self
        return dataclasses.replace(self, backend=backend, cycles=cycles)


class Task(Protocol):
    """What the user picks; called by the inference thread only, may keep state between frames."""

    @property
    def times(self) -> StageTimes: ...

    @property
    def in_use(self) -> NetworkChoice: ...

    def __call__(self, frame: Frame) -> Any: ...


class Steadier(Protocol):
    """Makes the picture that is shown instead of a frame's own, after its task; called by the inference thread only."""

    def __call__(self, frame: Frame, output: Any, times: StageTimes) -> Steady | None: ...


@dataclass(frozen=True)
class Listeners:
    """Who is told what; all are called in a worker thread and must return soon."""

    on_result: Callable[[FrameResult[Any]], None]
    on_error: Callable[[str, Exception], None]  # once: the named thread has ended
    on_lost: Callable[[str | None], None]  # the source is lost for now (sentence); None = it is back
    on_end: Callable[[], None]  # the last result has been delivered


@dataclass
class PipelineMeters:
    """Counts and times of one run; written by the workers, read by anyone."""

    captured: int = 0
    processed: int = 0
    capture: Rate = field(default_factory=Rate)
    inference: Rate = field(default_factory=Rate)
    latency_ms: Percentiles = field(default_factory=Percentiles)  # capture to result
    stage_ms: dict[str, Percentiles] = field(default_factory=dict)
    reads: deque[Span] = field(default_factory=lambda: deque(maxlen=N_FRAMES))  # of the source


class Pipeline:
    """Runs once: for another source build another pipeline."""

    def __init__(
        self,
        source: Source,
        task: Task,
        listeners: Listeners,
        pace: Pace = "realtime",
        max_frames: int | None = None,
        steadier: Steadier | None = None,
    ) -> None:
        self.pending: Mailbox[Frame] = Latest() if pace == "realtime" else InOrder()
        self.meters = PipelineMeters()
        self._source, self._task, self._listeners = source, task, listeners
        self._steadier = steadier
        self._max_frames = max_frames
        self._is_lost = False
        self._running = threading.Event()
        self._running.set()
        self._capture = Worker("capture", self._capture_one, listeners.on_error, self.pending.finish)
        self._infer = Worker("inference", self._infer_one, listeners.on_error, self._finish)

    @property
    def dropped(self) -> int:
        """Frames that were captured and never processed, so far."""
        return self.pending.dropped

    def start(self) -> None:
        self._infer.start()
        self._capture.start()

    def pause(self, is_paused: bool) -> None:
        """Hold the source (True) or go on (False); the frame in flight is still processed."""
        if is_paused:
            self._running.clear()
        else:
            self._running.set()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop in the direction the data flows; raises TimeoutError naming a thread that hangs.

        Whoever opened the source and the task closes them, after this.
        """
        self._capture.stop()
        self._infer.stop()
        self.pending.close()
        try:
            self._capture.join(timeout_s)
        finally:
            self._infer.join(timeout_s)

    def _capture_one(self) -> None:
        if not self._running.wait(0.05):
            return
        start_ns = time.perf_counter_ns()
        try:
            frame = self._source.read()
        except EndOfStream as end:
            raise Closed from end
        except SourceLost as lost:
            self._is_lost = True
            self._listeners.on_lost(str(lost))
            return
        self._count_capture(frame, Span("read", start_ns, time.perf_counter_ns(), 0.0))
        self.pending.put(frame)
        if self._max_frames is not None and self.meters.captured >= self._max_frames:
            raise Closed

    def _count_capture(self, frame: Frame, read: Span) -> None:
        self.meters.captured += 1
        self.meters.capture.tick(frame.captured_ns)
        self.meters.reads.append(read)
        self._add_stage("capture", read.ms)
        if self._is_lost:
            self._is_lost = False
            self._listeners.on_lost(None)

    def _infer_one(self) -> None:
        frame = self.pending.get()
        begun_ns = time.monotonic_ns()
        output = self._task(frame)
        steady = self._steadier(frame, output, self._task.times) if self._steadier is not None else None
        spans, used = self._task.times.take(), self._task.in_use
        ms_by_stage, now_ns = stage_ms(spans), time.monotonic_ns()
        self.meters.processed += 1
        self.meters.inference.tick(now_ns)
        self.meters.latency_ms.add((now_ns - frame.captured_ns) / 1e6)
        for name, ms in ms_by_stage.items():
            self._add_stage(name, ms)
        times, names = FrameTimes(begun_ns, now_ns, spans), (used.backend, used.precision, used.models)
        self._listeners.on_result(FrameResult(frame, output, ms_by_stage, *names, used.cycles, steady, times))

    def _add_stage(self, name: str, ms: float) -> None:
        self.meters.stage_ms.setdefault(name, Percentiles()).add(ms)

    def _finish(self) -> None:
        """The inference thread has ended: nothing reads `pending` any more, so capture must not wait for it."""
        self.pending.close()
        self._listeners.on_end()
