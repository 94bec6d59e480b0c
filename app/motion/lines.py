# SPDX-License-Identifier: Apache-2.0
"""Lines that people cross, beside the zones that they stay in: where a place is, seen from either.

Both are kept in shares of the picture; distances are in px of it, because a picture is not square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.motion.zones import Point as Point
from app.motion.zones import Zone, ZoneError

Float64: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A directed line: who crosses it towards the right hand of somebody who walks along it enters. Raises ZoneError.

    In the picture, y down: along a line from left to right, going down is entering.
    """

    name: str
    ends: tuple[Point, Point]
    """(x, y) in shares of the picture's width and height, 0..1: from here to there."""

    def __post_init__(self) -> None:
        self._expect(bool(self.name.strip()), "name", self.name, "a name that is not empty")
        self._expect(len(self.ends) == 2, "ends", self.ends, "two points")
        inside = all(0.0 <= at <= 1.0 for end in self.ends for at in end)
        self._expect(inside, "ends", self.ends, "shares of the picture from 0 to 1")
        self._expect(self.ends[0] != self.ends[1], "ends", self.ends, "two points that differ")

    def _expect(self, is_good: bool, key: str, value: object, wanted: str) -> None:
        if not is_good:
            raise ZoneError(f"line {self.name!r}: {key} is {value!r}, expected {wanted}; correct it")


Mark: TypeAlias = Zone | Line
"""What a user draws on the picture."""


def zones_of(marks: Sequence[Mark]) -> tuple[Zone, ...]:
    """Return the zones alone: motion has no use for lines."""
    return tuple(mark for mark in marks if isinstance(mark, Zone))


def depth_px(mark: Mark, xy: Float64, size_wh: tuple[int, int]) -> Float64:
    """Return how far (N,) in px the points `xy` (N, 2), in shares, are past `mark`; below 0 before it.

    For a line that is the distance from it, prolonged without end; for a zone the distance from its edge.
    """
    scale = np.array(size_wh, np.float64)
    points = xy * scale
    if isinstance(mark, Line):
        start, end = (np.array(at) * scale for at in mark.ends)
        along = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
        away = points - start
        return np.asarray(along[0] * away[:, 1] - along[1] * away[:, 0], np.float64)
    corners = np.array(mark.corners) * scale
    nearest = np.full(len(points), np.inf)
    inside = np.zeros(len(points), bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        nearest = np.minimum(nearest, _distance(points, a, b))
        if a[1] != b[1]:  # the even-odd rule
            crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
            inside ^= crosses & (points[:, 0] < a[0] + (points[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]))
    return np.where(inside, nearest, -nearest)


def _distance(points: Float64, a: Float64, b: Float64) -> Float64:
    """Return the distances (N,) of points (N, 2) from the stretch between `a` and `b`."""
    along = b - a
    share = np.clip((points - a) @ along / max(float(along @ along), 1e-18), 0.0, 1.0)
    away = points - (a + share[:, None] * along)
    return np.hypot(away[:, 0], away[:, 1])


def passes_between(line: Line, before: Point, after: Point) -> bool:
    """Whether the way from `before` to `after`, on both sides of the prolonged line, crosses it between its ends."""
    (x0, y0), (x1, y1) = line.ends
    (ax, ay), (bx, by) = before, after
    # Where the way meets the line: both cross products are linear along the way, and shares are as good as px here.
    side_a = (bx - ax) * (y0 - ay) - (by - ay) * (x0 - ax)
    side_b = (bx - ax) * (y1 - ay) - (by - ay) * (x1 - ax)
    return side_a * side_b <= 0.0


def least_side_px(mark: Mark, size_wh: tuple[int, int]) -> float:
    """Return the shorter side in px of the bounds of a zone, infinity for a line."""
    if isinstance(mark, Line):
        return float("inf")
    corners = np.array(mark.corners) * np.array(size_wh)
    return float((corners.max(axis=0) - corners.min(axis=0)).min())
