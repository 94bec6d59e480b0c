# SPDX-License-Identifier: Apache-2.0
"""Honest numbers: rates over the last second, stage times, and percentiles of a whole run in constant memory."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

WINDOW_NS = 1_000_000_000
"""Numbers on the screen are taken over the last second."""


class Rate:
    """Events a second over the last second; one thread ticks, another may read."""

    def __init__(self, window_ns: int = WINDOW_NS) -> None:
        self._window_ns = window_ns
        self._ticks: deque[tuple[int, int]] = deque()
        self._lock = threading.Lock()

    def tick(self, now_ns: int, count: int = 1) -> None:
        """Count `count` events at `now_ns`."""
        with self._lock:
            self._ticks.append((now_ns, count))
            self._forget(now_ns)

    def hz(self, now_ns: int) -> float:
        """Return events a second of those kept, 0 if fewer than 2.

        All but the first count, over the time from the first to the last (or from the last to now, if that is longer:
        a source that stopped does not keep its old rate).
        """
        with self._lock:
            self._forget(now_ns)
            if len(self._ticks) < 2:
                return 0.0
            first_ns, first_count = self._ticks[0]
            span_ns = max(self._ticks[-1][0] - first_ns, now_ns - self._ticks[-1][0])
            return (sum(n for _, n in self._ticks) - first_count) * 1e9 / span_ns if span_ns > 0 else 0.0

    def _forget(self, now_ns: int) -> None:
        while self._ticks and now_ns - self._ticks[0][0] > self._window_ns:
            self._ticks.popleft()


class Percentiles:
    """A histogram of positive values, 1 % wide bins from 1e-3 to 1e6: constant memory, whatever the run's length."""

    _EDGES = np.geomspace(1e-3, 1e6, 2083)

    def __init__(self) -> None:
        self._counts = np.zeros(len(self._EDGES) + 1, np.int64)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        with self._lock:
            self._counts[int(self._EDGES.searchsorted(value))] += 1

    def __len__(self) -> int:
        return int(self._counts.sum())

    def at(self, *percent: float) -> list[float]:
        """Return the values below which `percent` of the values lie (within 1 %); 0 when nothing was added."""
        with self._lock:
            total = self._counts.cumsum()
        if total[-1] == 0:
            return [0.0] * len(percent)
        bins = [int(total.searchsorted(max(1, np.ceil(p / 100 * total[-1])))) for p in percent]
        return [float(self._EDGES[min(k, len(self._EDGES) - 1)]) for k in bins]


@dataclass(frozen=True)
class Span:
    """A named piece of a thread's work; times are `time.perf_counter_ns()`."""

    name: str
    start_ns: int
    end_ns: int
    cpu_ms: float  # of this thread; a network that runs in other threads is not in it

    @property
    def ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


class StageTimes:
    """Named, timed spans of one frame, one after the other. Used by one thread; `take` returns them and starts anew."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the `with` block to `name`."""
        cpu_ns, start_ns = time.thread_time_ns(), time.perf_counter_ns()
        try:
            yield
        finally:
            end_ns = time.perf_counter_ns()
            self._spans.append(Span(name, start_ns, end_ns, (time.thread_time_ns() - cpu_ns) / 1e6))

    def take(self) -> tuple[Span, ...]:
        """Return the spans of the frame and forget them."""
        spans, self._spans = tuple(self._spans), []
        return spans


def stage_ms(spans: Iterable[Span]) -> dict[str, float]:
    """Return {stage: ms}, a stage with several spans in sum."""
    return _totals((span.name, span.ms) for span in spans)


def stage_cpu_ms(spans: Iterable[Span]) -> dict[str, float]:
    """Return {stage: ms of processor time}, a stage with several spans in sum."""
    return _totals((span.name, span.cpu_ms) for span in spans)


def _totals(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, value in values:
        totals[name] = totals.get(name, 0.0) + value
    return totals


class Recent:
    """Median of the values of the last second, by name."""

    def __init__(self) -> None:
        self._values: dict[str, deque[tuple[int, float]]] = defaultdict(deque)

    def add(self, now_ns: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._values[name].append((now_ns, value))

    def medians(self, now_ns: int) -> dict[str, float]:
        """Return {name: median}; a name without a value in the last second is left out."""
        for name, values in list(self._values.items()):
            while values and now_ns - values[0][0] > WINDOW_NS:
                values.popleft()
            if not values:
                del self._values[name]
        return {name: float(np.median([v for _, v in values])) for name, values in self._values.items()}
