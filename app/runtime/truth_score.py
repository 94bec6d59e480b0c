# SPDX-License-Identifier: Apache-2.0
"""How right a run is where the truth is known, while it runs: the synthetic scene says what is in each picture."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.frame import FlowOutput, FrameResult, PoseOutput
from app.tracking.assignment import assign, iou_matrix

RECENT_S = 5.0
MATCH_IOU = 0.5


@dataclass(frozen=True)
class Score:
    """Shares are None where nothing was there to be found."""

    recall: float | None = None  # of the true boxes, at an overlap of 0.5
    precision: float | None = None  # of the boxes shown
    id_switches: int = 0  # times a true object was followed under another number than before; since the start
    epe_px: float | None = None  # mean end-point error of the flow

    @property
    def is_known(self) -> bool:
        return (self.recall, self.precision, self.epe_px) != (None, None, None)


@dataclass(frozen=True)
class _Row:
    n_true: int
    n_shown: int
    n_matched: int
    epe_px: float | None


class TruthScore:
    """Counts results whose frames have a truth. One thread adds, any may read.

    Matched as in CLEAR MOT (Bernardin and Stiefelhagen 2008, "Evaluating Multiple Object Tracking Performance") but for
    its rule that a pair of the frame before is kept: boxes are assigned by overlap in each frame.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, _Row]] = deque()
        self._total = np.zeros(3, np.int64)  # true, shown, matched
        self._epe_sum, self._n_epe = 0.0, 0
        self._n_switches = 0
        self._number_of: dict[int, int] = {}  # true object -> the number it was followed under last

    def add(self, result: FrameResult[Any], now_ns: int) -> None:
        """Count a result; one without truth changes nothing."""
        if result.frame.truth is None:
            return
        row = self._row(result)
        with self._lock:
            self._total += (row.n_true, row.n_shown, row.n_matched)
            if row.epe_px is not None:
                self._epe_sum += row.epe_px
                self._n_epe += 1
            self._recent.append((now_ns, row))
            self._forget(now_ns)

    def recent(self, now_ns: int) -> Score:
        """Return the score of the last `RECENT_S` seconds; switches of the whole run."""
        with self._lock:
            self._forget(now_ns)
            rows = [row for _, row in self._recent]
        counts = np.array([(row.n_true, row.n_shown, row.n_matched) for row in rows], np.int64).reshape(-1, 3).sum(0)
        epe = [row.epe_px for row in rows if row.epe_px is not None]
        return self._score(counts, sum(epe) / len(epe) if epe else None)

    def whole(self) -> Score:
        """Return the score of the run."""
        with self._lock:
            return self._score(self._total, self._epe_sum / self._n_epe if self._n_epe else None)

    def _score(self, counts: np.ndarray[Any, np.dtype[np.int64]], epe_px: float | None) -> Score:
        n_true, n_shown, n_matched = counts.tolist()
        recall, precision = n_matched / n_true if n_true else None, n_matched / n_shown if n_shown else None
        return Score(recall, precision, self._n_switches, epe_px)

    def _row(self, result: FrameResult[Any]) -> _Row:
        if isinstance(result.output, FlowOutput):
            return _Row(0, 0, 0, result.output.epe_px)
        truth, tracks = result.frame.truth, result.output.tracks
        assert truth is not None
        if truth.of_people != isinstance(result.output, PoseOutput):
            return _Row(0, 0, 0, None)  # faces say nothing about boxes of people
        overlap = iou_matrix(truth.xyxy.astype(np.float64), tracks.xyxy.astype(np.float64))
        rows, columns = assign(overlap, overlap >= MATCH_IOU)
        for true, number in zip(truth.track_id[rows].tolist(), tracks.track_id[columns].tolist(), strict=True):
            self._n_switches += self._number_of.get(true, number) != number
            self._number_of[true] = number
        return _Row(len(truth.track_id), len(tracks), len(rows), None)

    def _forget(self, now_ns: int) -> None:
        while self._recent and now_ns - self._recent[0][0] > RECENT_S * 1e9:
            self._recent.popleft()
