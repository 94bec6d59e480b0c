# SPDX-License-Identifier: Apache-2.0
"""Where the time between capture and paint goes: parts of each frame that add up, or the rest is named.

All times are of one clock: on Linux `time.monotonic_ns` and `time.perf_counter_ns` are both CLOCK_MONOTONIC.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.frame import FrameResult, FrameTimes
from app.runtime.meters import Span
from device.backend import PARTS

N_FRAMES = 3600
"""Remembered: a minute at 60 frames a second."""
WINDOW_S = 10.0
LARGEST_REST_MS = 1.0
"""More than that between the parts and the whole, at the 95th percentile, and the ledger does not add up."""
QUEUE, PRE, NETWORK, POST = "queue", "pre", "network", "post"
BETWEEN, TWIN, WAIT, DRAW = "between", "twin", "wait", "draw"
LAST = (BETWEEN, TWIN, WAIT, DRAW)

Runs = Callable[[int, int], Sequence[Span]]
"""Returns the runs of networks that began after one time and ended before another, by their names."""


@dataclass(frozen=True)
class Entry:
    """One frame; `paint_ns` is when its painting began and ended, None where nothing paints."""

    seq: int
    captured_ns: int
    times: FrameTimes
    paint_ns: tuple[int, int] | None
    twin: FrameTimes | None  # of the second path, where it had this very frame


@dataclass(frozen=True)
class Part:
    """One line of the ledger."""

    name: str
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Summary:
    """Of the frames painted in the last `WINDOW_S` seconds: parts in order, the whole, and what no part explains."""

    n_frames: int
    parts: tuple[Part, ...]
    total: Part
    rest: Part

    @property
    def adds_up(self) -> bool:
        return self.rest.p95_ms < LARGEST_REST_MS


class Ledger:
    """Any thread may add and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=N_FRAMES)

    def add(self, result: FrameResult[Any], paint_ns: tuple[int, int] | None) -> None:
        """Remember a frame that has been painted, or one that will not be."""
        compared = result.compared
        twin = compared.times if compared is not None and compared.frame is result.frame else None
        entry = Entry(result.frame.seq, result.frame.captured_ns, result.times, paint_ns, twin)
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[Entry]:
        """Return what is remembered, the oldest first."""
        with self._lock:
            return list(self._entries)

    def summary(self, now_ns: int, runs: Runs) -> Summary | None:
        """Return the ledger of the last seconds, None where nothing was painted in them."""
        recent = [e for e in self.entries() if e.paint_ns is not None and now_ns - e.paint_ns[1] <= WINDOW_S * 1e9]
        if not recent:
            return None
        columns: dict[str, list[float]] = defaultdict(list)
        totals, rests = [], []
        for entry in recent:
            parts, total_ms = parts_ms(entry, runs)
            for name, ms in parts.items():
                columns[name].append(ms)
            totals.append(total_ms)
            rests.append(abs(total_ms - sum(parts.values())))
        return Summary(
            len(recent),
            tuple(part(name, padded(columns[name], len(recent))) for name in in_order(columns)),
            part("total", totals),
            part("rest", rests),
        )


def in_order(names: Iterable[str]) -> list[str]:
    """Return the parts as a frame goes through them, also those that the first frame did not have."""
    found = list(names)
    return [name for name in found if name not in LAST] + [name for name in LAST if name in found]


def padded(ms: list[float], n: int) -> list[float]:
    """Return `n` values: a frame that lacks a part spent no time on it."""
    return ms + [0.0] * (n - len(ms))


def part(name: str, ms: Sequence[float]) -> Part:
    p50, p95, p99 = np.percentile(ms, [50, 95, 99]).tolist()
    return Part(name, p50, p95, p99)


def parts_ms(entry: Entry, runs: Runs) -> tuple[dict[str, float], float]:
    """Return the measured parts of a painted frame in ms, and the whole time from capture to the end of painting.

    A stage that runs networks is split: what comes before the first of them is "pre", what comes after the last
    "post", between two of them "post" too; a backend may know the layers of a network. "between" is what the inference
    thread takes from one stage to the next: on a busy machine it waits there for other threads. Parts are measured each
    for itself, so that they need not add up: where stages overlap they do not.
    """
    assert entry.paint_ns is not None
    times, (paint_begin_ns, painted_ns) = entry.times, entry.paint_ns
    parts = {QUEUE: (times.begun_ns - entry.captured_ns) / 1e6}
    found, at_ns, between_ns = runs(times.begun_ns, times.done_ns), times.begun_ns, 0
    for span in times.spans:
        between_ns, at_ns = between_ns + max(0, span.start_ns - at_ns), span.end_ns
        inside = [run for run in found if span.start_ns <= run.start_ns and run.end_ns <= span.end_ns]
        if not inside:
            _add(parts, span.name, span.ms)
            continue
        pre_ms = (min(run.start_ns for run in inside) - span.start_ns) / 1e6
        _add(parts, PRE, pre_ms)
        for run in inside:
            _add(parts, run.name if run.name in PARTS else NETWORK, run.ms)
        _add(parts, POST, span.ms - pre_ms - sum(run.ms for run in inside))
    done_ns = times.done_ns
    parts[BETWEEN] = (between_ns + max(0, done_ns - at_ns)) / 1e6
    if entry.twin is not None:
        parts[TWIN] = (entry.twin.done_ns - done_ns) / 1e6
        done_ns = entry.twin.done_ns
    parts[WAIT] = (paint_begin_ns - done_ns) / 1e6
    parts[DRAW] = (painted_ns - paint_begin_ns) / 1e6
    return parts, (painted_ns - entry.captured_ns) / 1e6


def _add(parts: dict[str, float], name: str, ms: float) -> None:
    parts[name] = parts.get(name, 0.0) + ms
