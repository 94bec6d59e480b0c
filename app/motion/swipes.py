# SPDX-License-Identifier: Apache-2.0
"""Swipes of a hand or a body, read from a dense flow: a patch of the picture moves off together, fast, and stops.

A stroke begins when enough of the picture moves fast in one direction, and ends when that is over. It is a swipe if it
was fast, far and short enough. The hand's way back is none: strokes that begin soon after a swipe are looked at to
their end and count for nothing. Directions are those of the picture; who shows it mirrored turns them (pages.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.motion.velocity import apart_deg, direction_deg, velocity_of
from models.results import Float32, Flow

Direction = Literal["left", "right", "up", "down"]
ANGLE_DEG: dict[Direction, float] = {"right": 0.0, "down": 90.0, "left": 180.0, "up": 270.0}


@dataclass(frozen=True)
class Swipe:
    """One swipe, known when it stops."""

    direction: Direction  # in the picture
    t_ns: int  # of the picture in which it had stopped
    speed: float  # picture widths a second at its fastest


@dataclass(frozen=True)
class SwipeSettings:
    """What counts as a swipe; lengths in picture widths, times in seconds of the pictures' own time."""

    moving_speed: float = 0.3
    """Widths a second from which on a pixel takes part: slower than any swipe, faster than a person who shifts."""
    least_share: float = 0.02
    """Of the known pixels, that must take part: a hand at arm's length."""
    most_share: float = 0.75
    """If more moves, it is the camera, or the light."""
    least_coherence: float = 0.7
    """Length of the mean vector over the mean length: 1 = all in one direction, 0 = in all."""
    spread: float = 30.0
    """Degrees from left, right, up or down."""
    least_peak: float = 0.6
    """Widths a second at the fastest: winding up is slower."""
    least_travel: float = 0.12
    """Widths that the moving patch goes."""
    most_s: float = 0.9
    """A longer stroke is somebody walking by."""
    stop_share: float = 0.35
    """A stroke is over when it is slower than this part of its peak."""
    refractory_s: float = 0.4
    """No stroke that begins so soon after a swipe counts."""
    return_s: float = 1.0
    """Nor one in the opposite direction: the hand goes back."""

    def __post_init__(self) -> None:
        for name in ("least_share", "most_share", "least_coherence", "stop_share"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"SwipeSettings.{name}: expected more than 0, at most 1, got {getattr(self, name)}")
        for name in ("moving_speed", "least_peak", "least_travel", "most_s", "refractory_s", "return_s"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"SwipeSettings.{name}: expected more than 0, got {getattr(self, name)}")
        if not 0.0 < self.spread <= 45.0:
            raise ValueError(f"SwipeSettings.spread: expected more than 0, at most 45 degrees, got {self.spread}")


@dataclass
class _Stroke:
    """Motion in one direction that goes on."""

    direction: Direction
    since_ns: int
    counts: bool
    peak: float
    travel: float
    is_over: bool = False


class SwipeReader:
    """Reads swipes from one stream of flows. Keeps state, one thread at a time; reads no clock."""

    def __init__(self, settings: SwipeSettings | None = None) -> None:
        self.settings = settings or SwipeSettings()
        self._stroke: _Stroke | None = None
        self._last: Swipe | None = None
        self._t_ns: int | None = None

    def update(self, flow: Flow, dt_s: float, t_ns: int, size_wh: tuple[int, int]) -> Swipe | None:
        """Take the flow up to the picture of `t_ns`, `dt_s` after the one before; return the swipe that ended, if any.

        `size_wh` is the size of the picture whose px the flow counts; the field itself may be coarser. A flow that
        says nothing (empty, nothing valid, no time passed) is skipped. After a pause longer than `most_s`, or where
        time runs back, a stroke that was going on is forgotten: how it ended was not seen.
        """
        use = self.settings
        if self._t_ns is not None and not 0 <= t_ns - self._t_ns <= use.most_s * 1e9:
            self._stroke = None
            self._last = None if t_ns < self._t_ns else self._last
        found = velocity_of(flow, dt_s, size_wh) if dt_s <= use.most_s else None
        if found is None:
            return None
        self._t_ns = t_ns
        push = common_push(*found, use)
        return self._step(push, dt_s, t_ns)

    def _step(self, push: tuple[Direction, float] | None, dt_s: float, t_ns: int) -> Swipe | None:
        stroke, stopped_ns = self._stroke, t_ns - round(dt_s * 1e9)
        if stroke is None or push is None or push[0] != stroke.direction:
            swipe = self._ended(stroke, stopped_ns, t_ns)
            self._stroke = None if push is None else self._begun(push, dt_s, t_ns)
            return swipe
        if not stroke.is_over and push[1] < self.settings.stop_share * stroke.peak:
            swipe = self._ended(stroke, stopped_ns, t_ns)
            stroke.is_over = True  # what goes on slowly from here is the end of it, not another stroke
            return swipe
        stroke.peak = max(stroke.peak, push[1])
        stroke.travel += push[1] * dt_s
        return None

    def _begun(self, push: tuple[Direction, float], dt_s: float, t_ns: int) -> _Stroke:
        direction, speed = push
        since_ns = t_ns - round(dt_s * 1e9)
        return _Stroke(direction, since_ns, self._is_free(direction, since_ns), speed, speed * dt_s)

    def _is_free(self, direction: Direction, since_ns: int) -> bool:
        """Whether a stroke that begins now may become a swipe."""
        if self._last is None:
            return True
        passed_s = (since_ns - self._last.t_ns) * 1e-9
        is_back = apart_deg(ANGLE_DEG[direction], ANGLE_DEG[self._last.direction]) == 180.0
        return passed_s >= (self.settings.return_s if is_back else self.settings.refractory_s)

    def _ended(self, stroke: _Stroke | None, stopped_ns: int, t_ns: int) -> Swipe | None:
        """Judge a stroke that moved until `stopped_ns`."""
        use = self.settings
        if stroke is None or stroke.is_over or not stroke.counts or stopped_ns - stroke.since_ns > use.most_s * 1e9:
            return None
        if stroke.peak < use.least_peak or stroke.travel < use.least_travel:
            return None
        self._last = Swipe(stroke.direction, t_ns, stroke.peak)
        return self._last


def common_push(
    velocity: Float32, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], use: SwipeSettings
) -> tuple[Direction, float] | None:
    """Return direction and speed of the patch that moves together; None where there is none."""
    fast = np.square(velocity).sum(axis=2) >= use.moving_speed**2
    fast &= known
    share = fast.sum() / known.sum()
    if not use.least_share <= share <= use.most_share:
        return None
    moving = velocity[fast]
    mean = moving.mean(axis=0, dtype=np.float64)
    speed = float(np.linalg.norm(mean))
    if speed < use.least_coherence * float(np.linalg.norm(moving, axis=1).mean()):
        return None
    heading = direction_deg(mean)
    nearest = min(ANGLE_DEG, key=lambda name: apart_deg(ANGLE_DEG[name], heading))
    return (nearest, speed) if apart_deg(ANGLE_DEG[nearest], heading) <= use.spread else None
