# SPDX-License-Identifier: Apache-2.0
"""The figures of a comparison: over the last seconds for the eye, over the whole run for the file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.compare.agreement import Difference, difference
from app.frame import ExpressionOutput, FrameResult
from app.runtime.meters import Percentiles, stage_cpu_ms

RECENT_S = 5.0


@dataclass(frozen=True)
class Row:
    """One compared frame; pairs are (first path, second path)."""

    n: int
    n_same: int
    value: float | None
    flips: tuple[int, int]  # faces whose class is another one than in the frame compared before
    epe_px: tuple[float, float] | None  # where the truth is known
    network_ms: tuple[float, float]
    cpu_ms: tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Of several compared frames; pairs are (first path, second path), medians where they are times."""

    n_frames: int
    n: int
    agreement: float | None  # share of `n` that is the same
    flips: tuple[int, int]
    value: float | None  # mean over the frames
    epe_px: tuple[float, float] | None
    network_ms: tuple[float, float]
    cpu_ms: tuple[float, float]

    @property
    def speed_ratio(self) -> float | None:
        """How many times as fast the second network is."""
        return self.network_ms[0] / self.network_ms[1] if min(self.network_ms) > 0 else None


class CompareFigures:
    """Filled by the second path's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, Row]] = deque()
        self._n_frames = self._n = self._n_same = 0
        self._flips = np.zeros(2, np.int64)
        self._values, self._epe = Mean(1), Mean(2)
        self._network_ms = (Percentiles(), Percentiles())
        self._cpu_ms = (Percentiles(), Percentiles())
        self._classes: list[dict[int, int]] = [{}, {}]  # by track number, of the frame compared last

    def add(self, first: FrameResult[Any], second: FrameResult[Any], stage: str, now_ns: int) -> Difference:
        """Count a frame; both results have the time of their network under `stage`. Return how far they are apart."""
        apart = difference(first.output, second.output)
        errors = getattr(first.output, "epe_px", None), getattr(second.output, "epe_px", None)
        epe_px = None if errors[0] is None or errors[1] is None else (errors[0], errors[1])
        pair = (first, second)
        row = Row(
            apart.n,
            apart.n_same,
            apart.value,
            (self._flips_of(0, first), self._flips_of(1, second)),
            epe_px,
            _both(result.stage_ms.get(stage, 0.0) for result in pair),
            _both(stage_cpu_ms(result.times.spans).get(stage, 0.0) for result in pair),
        )
        with self._lock:
            self._count(row)
            self._recent.append((now_ns, row))
            self._forget(now_ns)
        return apart

    def recent(self, now_ns: int) -> Summary:
        """Return the figures of the last `RECENT_S` seconds."""
        with self._lock:
            self._forget(now_ns)
            rows = [row for _, row in self._recent]
        values, epe = Mean(1), Mean(2)
        for row in rows:
            values.add(row.value)
            epe.add(row.epe_px)
        n = sum(row.n for row in rows)
        return Summary(
            len(rows),
            n,
            sum(row.n_same for row in rows) / n if n else None,
            (sum(row.flips[0] for row in rows), sum(row.flips[1] for row in rows)),
            values.one(),
            epe.two(),
            _medians([row.network_ms for row in rows]),
            _medians([row.cpu_ms for row in rows]),
        )

    def whole(self) -> Summary:
        """Return the figures of all frames that were compared."""
        with self._lock:
            return Summary(
                self._n_frames,
                self._n,
                self._n_same / self._n if self._n else None,
                (int(self._flips[0]), int(self._flips[1])),
                self._values.one(),
                self._epe.two(),
                _both(ms.at(50)[0] for ms in self._network_ms),
                _both(ms.at(50)[0] for ms in self._cpu_ms),
            )

    def _count(self, row: Row) -> None:
        self._n_frames += 1
        self._n += row.n
        self._n_same += row.n_same
        self._flips += row.flips
        self._values.add(row.value)
        self._epe.add(row.epe_px)
        for path in (0, 1):
            if row.network_ms[path] > 0:
                self._network_ms[path].add(row.network_ms[path])
                self._cpu_ms[path].add(row.cpu_ms[path])

    def _flips_of(self, path: int, result: FrameResult[Any]) -> int:
        """Return how many faces have another class, as shown, than when they were compared last."""
        if not isinstance(result.output, ExpressionOutput):
            return 0
        now = dict(zip(result.output.tracks.track_id.tolist(), result.output.prob.argmax(1).tolist(), strict=True))
        before, self._classes[path] = self._classes[path], now
        return sum(number in before and before[number] != kind for number, kind in now.items())

    def _forget(self, now_ns: int) -> None:
        while self._recent and now_ns - self._recent[0][0] > RECENT_S * 1e9:
            self._recent.popleft()


class Mean:
    """A running mean of rows of `width` numbers; None is no row."""

    def __init__(self, width: int) -> None:
        self._sum, self._n = np.zeros(width), 0

    def add(self, value: float | tuple[float, ...] | None) -> None:
        if value is not None:
            self._sum += value
            self._n += 1

    def one(self) -> float | None:
        return float(self._sum[0] / self._n) if self._n else None

    def two(self) -> tuple[float, float] | None:
        return (float(self._sum[0] / self._n), float(self._sum[1] / self._n)) if self._n else None


def _both(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return first, second


def _medians(rows: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of both columns over what took time at all (a frame without a face takes none)."""
    columns = ([row[path] for row in rows if row[path] > 0] for path in (0, 1))
    return _both(float(np.median(column)) if column else 0.0 for column in columns)
