# SPDX-License-Identifier: Apache-2.0
"""The second path of a comparison: a twin in a thread of its own, on the frames it has time for."""

from __future__ import annotations

import dataclasses
import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.compare.figures import CompareFigures
from app.compare.pair import Pair
from app.compare.twin import Twin
from app.frame import FrameResult, FrameTimes
from app.runtime.latest import Closed, InOrder, Latest, Mailbox
from app.runtime.meters import stage_ms
from app.runtime.worker import OnError, Worker

PATIENCE_NS = 50_000_000
"""A result waits so long for its twin; then it is shown beside the frame compared last."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 1.0
"""While the first path drops frames, the second one pauses after each of its own, twice as long each time."""
N_WORST = 6
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, eq=False)
class Disagreement:
    """A frame on which the two paths are far apart."""

    first: FrameResult[Any]
    second: FrameResult[Any]
    badness: float


class SecondPath:
    """Started by its maker; `offer` belongs to the inference thread, figures may be read by any.

    With `is_every_frame` the first path waits, and each frame is compared in order, as in a run that must give the same
    figures again. Else newest wins, and while the first path drops frames the second one slows down.
    """

    def __init__(
        self,
        twin: Twin,
        pair: Pair,
        deliver: Callable[[FrameResult[Any]], None],
        on_error: OnError,
        dropped: Callable[[], int],
        is_every_frame: bool,
        after: SecondPath | None = None,
    ) -> None:
        """`deliver` is given every result that is to be shown; `dropped` counts the frames the first path lost.

        `after` is one that was told to stop: its networks may be the same, so its end is waited for, not here.
        """
        self.pair, self.figures = pair, CompareFigures()
        self._twin, self._deliver, self._dropped = twin, deliver, dropped
        self._is_every_frame, self._after = is_every_frame, after
        self._is_stopping = threading.Event()
        self._pending: Mailbox[FrameResult[Any]] = InOrder() if is_every_frame else Latest()
        self._last: FrameResult[Any] | None = None
        self._busy_since_ns = 0
        self._n_dropped, self._pause_s = 0, 0.0
        self._worst: list[tuple[float, int, Disagreement]] = []
        self._worker = Worker("compare", self._compare_one, on_error, self._pending.close)
        self._worker.start()

    def offer(self, result: FrameResult[Any]) -> None:
        """Compare a result of the first path and deliver both together, or deliver it with what was compared last."""
        busy_since_ns = self._busy_since_ns
        is_behind = busy_since_ns > 0 and time.monotonic_ns() - busy_since_ns > PATIENCE_NS
        if is_behind and not self._is_every_frame:
            self._deliver(dataclasses.replace(result, compared=self._last))
            return
        try:
            self._pending.put(result)
        except Closed:  # it failed, or is being closed: the first path goes on alone
            self._deliver(result)

    @property
    def worst(self) -> list[Disagreement]:
        """The frames with the largest disagreement, the worst first."""
        return [entry for _, _, entry in sorted(self._worst, key=lambda row: row[:2], reverse=True)]

    @property
    def in_use(self) -> tuple[str, str]:
        """Backend and precision of the second path, as really used."""
        return self._twin.in_use.backend, self._twin.in_use.precision

    def stop(self) -> None:
        """Ask the thread to end, after the frame it is at; returns at once."""
        self._is_stopping.set()
        self._worker.stop()
        self._pending.close()

    def close(self, is_now: bool = True) -> None:
        """End the thread: now, or after what is waiting. Raises TimeoutError when it hangs."""
        if is_now:
            self.stop()
        else:
            self._pending.finish()
        self._worker.join(CLOSE_TIMEOUT_S)

    def _compare_one(self) -> None:
        if self._after is not None:
            self._after.close()
            self._after = None
        first = self._pending.get()
        self._busy_since_ns = begun_ns = time.monotonic_ns()
        output = self._twin(first)
        spans, used, done_ns = self._twin.times.take(), self._twin.in_use, time.monotonic_ns()
        names, times = (used.backend, used.precision, used.models), FrameTimes(begun_ns, done_ns, spans)
        second = FrameResult(first.frame, output, stage_ms(spans), *names, used.cycles, first.steady, times)
        apart = self.figures.add(first, second, self._twin.task, done_ns)
        self._keep_worst(Disagreement(first, second, apart.badness))
        self._last = second
        self._deliver(dataclasses.replace(first, compared=second))
        self._pause()
        self._busy_since_ns = 0

    def _keep_worst(self, entry: Disagreement) -> None:
        row = (entry.badness, -entry.first.frame.seq, entry)
        if entry.badness > 0 and len(self._worst) < N_WORST:
            heapq.heappush(self._worst, row)
        elif self._worst and row[:2] > self._worst[0][:2]:
            heapq.heapreplace(self._worst, row)

    def _pause(self) -> None:
        """Leave the processor to the first path while it cannot keep up; the less, the longer it can."""
        if self._is_every_frame:
            return
        dropped = self._dropped()
        is_losing, self._n_dropped = dropped > self._n_dropped, dropped
        if is_losing:
            self._pause_s = min(max(self._pause_s * 2, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        else:
            self._pause_s = self._pause_s / 2 if self._pause_s > SHORTEST_PAUSE_S else 0.0
        if self._pause_s > 0:
            self._is_stopping.wait(self._pause_s)
