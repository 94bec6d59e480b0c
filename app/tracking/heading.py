# SPDX-License-Identifier: Apache-2.0
"""Which way tracks go, and how well a box lies on that way: two people who pass each other do not turn about.

The idea of the observation-centric momentum of Cao et al., "Observation-Centric SORT: Rethinking SORT for Robust
Multi-Object Tracking", 2023 (arXiv:2203.14360), section 4.2: the direction of a track is taken from what was seen, not
from the filter, and a match whose direction agrees is worth more. There it is the line between two boxes; here it is
the straight line that fits all centres best, older ones counting exponentially less, which needs seven sums a track
and no history, and does not depend on the frame rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.tracking.assignment import Float64, Index

LEAST_SPREAD_S2 = 1e-6
"""Variance of the times below which there is no direction: one box, or boxes of one time."""

# Sums over the boxes of a track, each with its weight: of 1, t, t^2, x, y, t x, t y. Times are in s,
# and 0 is when the track was last seen.
ONE, T, TT = slice(0, 1), slice(1, 2), slice(2, 3)
XY, TXY = slice(3, 5), slice(5, 7)
N_SUMS = 7


class Headings:
    """Lines through the centres of N tracks; rows are tracks, in the order they were added."""

    def __init__(self, memory_s: float) -> None:
        self._memory_s = memory_s
        self._sums: Float64 = np.zeros((0, N_SUMS))
        self._seen_s: Float64 = np.zeros(0)

    def __len__(self) -> int:
        return len(self._sums)

    def move(self, matrix: Float64) -> None:
        """Follow a camera: `matrix` (2, 3) takes px of the picture before to px of this one."""
        linear, shift = matrix[:, :2], matrix[:, 2]
        sums = self._sums
        sums[:, XY] = sums[:, XY] @ linear.T + sums[:, ONE] * shift
        sums[:, TXY] = sums[:, TXY] @ linear.T + sums[:, T] * shift

    def add(self, xyxy: Float64, t_s: float) -> None:
        """Start a track for each box (M, 4) seen at `t_s`."""
        sums = np.zeros((len(xyxy), N_SUMS))
        sums[:, ONE] = 1.0
        sums[:, XY] = centres(xyxy)
        self._sums = np.concatenate([self._sums, sums])
        self._seen_s = np.concatenate([self._seen_s, np.full(len(xyxy), t_s)])

    def see(self, rows: Index, xyxy: Float64, t_s: float) -> None:
        """Tell the boxes (M, 4) that the tracks `rows` are seen in at `t_s`, not before their last; no row twice."""
        passed_s = (t_s - self._seen_s[rows])[:, None]
        sums = self._sums[rows]
        sums[:, TT] += passed_s * (passed_s * sums[:, ONE] - 2.0 * sums[:, T])
        sums[:, T] -= passed_s * sums[:, ONE]
        sums[:, TXY] -= passed_s * sums[:, XY]
        sums *= np.exp(-passed_s / self._memory_s)
        sums[:, ONE] += 1.0
        sums[:, XY] += centres(xyxy)
        self._sums[rows], self._seen_s[rows] = sums, t_s

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all tracks but `rows`."""
        self._sums, self._seen_s = self._sums[rows], self._seen_s[rows]

    def agreement(self, xyxy: Float64, clear_px: Float64) -> Float64:
        """Return how well each box (M, 4) lies ahead of each track, (N, M): 1 = straight on, 0 = across, -1 = back.

        The angle is seen from the middle of what is remembered of the track, and the value falls evenly with it. A
        track that went less than its `clear_px` (N,) from that middle has less of a direction, in proportion, and so
        has a box that is nearer to it; a track seen once has none (0).
        """
        mean = self._sums / self._sums[:, ONE]
        spread = mean[:, TT] - mean[:, T] ** 2
        covariance = mean[:, TXY] - mean[:, T] * mean[:, XY]
        velocity = np.where(spread > LEAST_SPREAD_S2, covariance / np.maximum(spread, LEAST_SPREAD_S2), 0.0)
        way = velocity * -mean[:, T]  # from the middle to where it was last seen
        to_box = centres(xyxy)[None] - mean[:, None, XY]
        way_px, to_box_px = np.hypot(*way.T)[:, None], np.hypot(*np.moveaxis(to_box, 2, 0))
        length = np.maximum(way_px * to_box_px, np.finfo(np.float64).tiny)
        angle = np.arccos(np.clip(np.einsum("nk,nmk->nm", way, to_box) / length, -1.0, 1.0))
        clear = np.maximum(clear_px, np.finfo(np.float64).tiny)[:, None]
        weight = np.minimum(way_px / clear, 1.0) * np.minimum(to_box_px / clear, 1.0)
        agreement: Float64 = weight * (1.0 - angle * (2.0 / np.pi))
        return agreement


def centres(xyxy: Float64) -> Float64:
    """Return the centres (N, 2) of boxes (N, 4)."""
    middle: Float64 = 0.5 * (xyxy[:, :2] + xyxy[:, 2:])
    return middle
