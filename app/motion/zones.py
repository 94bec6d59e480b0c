# SPDX-License-Identifier: Apache-2.0
"""Zones of the picture that tell when something moves through them, in which direction and how fast.

Everything is in shares of the picture, picture widths a second and seconds of the pictures' own time: a zone drawn for
640x480 at 30 frames a second means the same at 1920x1080 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from app.motion.velocity import (
    Float64,
    Mask,
    block_middles,
    camera_velocity,
    direction_deg,
    middle_velocity,
    velocity_of,
)
from device.errors import AppError
from models.results import Float32, Flow

Point = tuple[float, float]

LONGEST_GAP_S = 1.0
"""After so long without a flow that says something, motion is over: nobody saw it go on."""
LEAST_KNOWN_SHARE = 0.25
"""A zone of which less is known says nothing in this frame."""
NOW_S = 0.2
"""Time constant of what a zone shows while it moves: steady enough to be read, and soon true after a turn."""


class ZoneError(AppError):
    """A zone that cannot be: names the zone, the value and what is allowed."""


@dataclass(frozen=True)
class Zone:
    """A part of the picture and the motion that is looked for in it. Raises ZoneError."""

    name: str
    corners: tuple[Point, ...]
    """At least 3, (x, y) in shares of the picture's width and height, 0..1, in order around the zone."""
    direction: float | None = None
    """Degrees: 0 = right, 90 = down, 180 = left, 270 = up in the picture; None = any."""
    spread: float = 45.0
    """Degrees to each side of `direction` that still count."""
    speed: float = 0.05
    """Picture widths a second from which on a pixel moves."""
    share: float = 0.1
    """Of the zone's known pixels, that must move."""
    hysteresis: float = 0.6
    """Once moving, this part of `speed` and of `share` is enough: motion near a threshold must not flicker."""
    least_s: float = 0.2
    """Motion that lasts less is no event."""
    rest_s: float = 0.3
    """An event ends after this much rest."""

    def __post_init__(self) -> None:
        self._expect(bool(self.name.strip()), "name", self.name, "a name that is not empty")
        self._expect(len(self.corners) >= 3, "corners", self.corners, "at least 3 points")
        inside = all(0.0 <= at <= 1.0 for corner in self.corners for at in corner)
        self._expect(inside, "corners", self.corners, "shares of the picture from 0 to 1")
        self._expect(abs(area(self.corners)) > 0.0, "corners", self.corners, "a polygon with an area")
        is_angle = self.direction is None or 0.0 <= self.direction < 360.0
        self._expect(is_angle, "direction", self.direction, "0 up to 360 degrees, or none for any")
        self._expect(0.0 < self.spread <= 180.0, "spread", self.spread, "more than 0, at most 180 degrees")
        self._expect(0.0 < self.speed < math.inf, "speed", self.speed, "more than 0 picture widths a second")
        for name in ("share", "hysteresis"):
            self._expect(0.0 < getattr(self, name) <= 1.0, name, getattr(self, name), "more than 0, at most 1")
        for name in ("least_s", "rest_s"):
            self._expect(0.0 <= getattr(self, name) < math.inf, name, getattr(self, name), "0 or more seconds")

    def _expect(self, is_good: bool, key: str, value: object, wanted: str) -> None:
        if not is_good:
            raise ZoneError(f"zone {self.name!r}: {key} is {value!r}, expected {wanted}; correct it")

    @staticmethod
    def rectangle(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
        """Return the corners of a rectangle, for `corners`."""
        return ((left, top), (right, top), (right, bottom), (left, bottom))


def area(corners: Sequence[Point]) -> float:
    """Return the signed area of a polygon (the shoelace formula)."""
    following = [*corners[1:], corners[0]]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(corners, following, strict=True)) / 2


@dataclass(frozen=True)
class ZoneEvent:
    """Motion in a zone begins or ends; the figures are means over what moved since it began."""

    zone: str
    kind: Literal["begin", "end"]
    t_ns: int  # of the picture in which this was clear; after a gap, of the last one that was seen
    since_ns: int  # of the first picture of this motion
    direction_deg: float  # 0 = right, 90 = down
    speed: float  # picture widths a second
    share: float  # of the zone's pixels that moved, 0..1


@dataclass(frozen=True)
class ZoneState:
    """How a zone is now, to draw it; events have means since the motion began instead."""

    zone: Zone
    is_known: bool = False  # enough of it was seen in the last frame to say anything
    is_moving: bool = False  # an event has begun and not ended
    direction_deg: float = 0.0  # of what moved over about the last NOW_S; 0 = right, 90 = down
    speed: float = 0.0  # picture widths a second, likewise


@dataclass
class _Motion:
    """What is going on in one zone. Sums are weighted by time."""

    since_ns: int
    last_ns: int  # of the last picture in which it moved
    is_told: bool = False
    weight: float = 0.0
    share: float = 0.0
    speed: float = 0.0
    heading: Float64 = field(default_factory=lambda: np.zeros(2))
    now_speed: float = 0.0
    now_heading: Float64 = field(default_factory=lambda: np.zeros(2))

    def add(self, moving: Float32, share: float, dt_s: float) -> None:
        """Take in the velocities (N, 2) of the moving pixels of one frame."""
        speed, heading = float(np.linalg.norm(moving, axis=1).mean()), moving.mean(axis=0, dtype=np.float64)
        keep = math.exp(-dt_s / NOW_S) if self.weight else 0.0
        self.now_speed = keep * self.now_speed + (1 - keep) * speed
        self.now_heading = keep * self.now_heading + (1 - keep) * heading
        self.weight += dt_s
        self.share += share * dt_s
        self.speed += speed * dt_s
        self.heading += heading * dt_s

    def event(self, zone: Zone, kind: Literal["begin", "end"], t_ns: int) -> ZoneEvent:
        heading = direction_deg(self.heading)
        speed, share = self.speed / self.weight, self.share / self.weight
        return ZoneEvent(zone.name, kind, t_ns, self.since_ns, heading, speed, share)


class ZoneWatch:
    """Watches zones in one stream of flows. Keeps state, one thread at a time; reads no clock."""

    def __init__(self, zones: Sequence[Zone], is_steady: bool = True) -> None:
        """`is_steady`: whether the camera stands still; else the picture's own motion is taken off (see `update`)."""
        expect_names(zones)
        self.zones = tuple(zones)
        self._is_steady = is_steady
        self._known: set[str] = set()
        self._motions: dict[str, _Motion] = {}
        self._masks: list[Mask] = []
        self._shape = (0, 0)
        self._measured_ns: int | None = None

    def update(
        self, flow: Flow, dt_s: float, t_ns: int, size_wh: tuple[int, int], camera: Float64 | None = None
    ) -> list[ZoneEvent]:
        """Take the flow up to the picture of `t_ns`, `dt_s` after the one before; return what begins and ends now.

        `size_wh` is the size of the picture whose px the flow counts; the field itself may be coarser. `camera` (2, 3)
        is the camera's motion between the two pictures; without it a camera that is not steady is taken to move
        as the median of the field. A flow that says nothing (empty, nothing valid, no time passed, or a gap of more
        than LONGEST_GAP_S) changes nothing, but after LONGEST_GAP_S, or where time runs back, running events end.
        """
        events = self._end_stale(t_ns)
        self._known = set()
        if not self.zones:
            return events
        found = velocity_of(flow, dt_s, size_wh) if dt_s <= LONGEST_GAP_S else None
        if found is None:
            return events
        velocity, known = found
        if camera is not None:
            velocity = velocity - camera_velocity(camera, known.shape, dt_s, size_wh)
        elif not self._is_steady:
            velocity = velocity - middle_velocity(velocity, known)
        self._measured_ns = t_ns
        for zone, mask in zip(self.zones, self._masks_of(known.shape), strict=True):
            seen = mask & known
            if seen.sum() >= LEAST_KNOWN_SHARE * mask.sum():
                self._known.add(zone.name)
                events += self._step(zone, velocity[seen], dt_s, t_ns)
            else:
                events += self._end_unseen(zone, t_ns)
        return events

    def use(self, zones: Sequence[Zone]) -> list[ZoneEvent]:
        """Watch these zones from now on; return the ends of what goes on in zones that are gone or have changed.

        What goes on in a zone that stays as it was goes on. Raises ZoneError where two have one name.
        """
        expect_names(zones)
        gone = [(zone, self._motions.pop(zone.name)) for zone in self.zones if self._is_gone(zone, zones)]
        self.zones = tuple(zones)
        self._shape = (0, 0)  # other masks
        return [motion.event(zone, "end", motion.last_ns) for zone, motion in gone if motion.is_told]

    def _is_gone(self, zone: Zone, zones: Sequence[Zone]) -> bool:
        return zone.name in self._motions and zone not in zones

    def states(self) -> tuple[ZoneState, ...]:
        """Return how each zone is after the last update."""
        return tuple(self._state(zone) for zone in self.zones)

    def _state(self, zone: Zone) -> ZoneState:
        motion, is_known = self._motions.get(zone.name), zone.name in self._known
        if motion is None or not motion.is_told:
            return ZoneState(zone, is_known)
        return ZoneState(zone, is_known, True, direction_deg(motion.now_heading), motion.now_speed)

    def moving(self) -> tuple[str, ...]:
        """Return the names of the zones with an event that has begun and not ended, to draw them so."""
        return tuple(
            zone.name for zone in self.zones if zone.name in self._motions and self._motions[zone.name].is_told
        )

    def _step(self, zone: Zone, velocity: Float32, dt_s: float, t_ns: int) -> list[ZoneEvent]:
        """Move one zone on by the velocities (N, 2) of its known pixels."""
        motion = self._motions.get(zone.name)
        moving, share = moving_part(zone, velocity, 1.0 if motion is None else zone.hysteresis)
        is_moving = len(moving) > 0 and share >= zone.share * (1.0 if motion is None else zone.hysteresis)
        if is_moving:
            if motion is None:
                motion = self._motions[zone.name] = _Motion(t_ns - round(dt_s * 1e9), t_ns)
            motion.last_ns = t_ns
            motion.add(moving, share, dt_s)
            if not motion.is_told and t_ns - motion.since_ns >= zone.least_s * 1e9:
                motion.is_told = True
                return [motion.event(zone, "begin", t_ns)]
        elif motion is not None and not motion.is_told:
            del self._motions[zone.name]  # too short to be anything
        elif motion is not None and t_ns - motion.last_ns >= zone.rest_s * 1e9:
            del self._motions[zone.name]
            return [motion.event(zone, "end", t_ns)]
        return []

    def _end_stale(self, t_ns: int) -> list[ZoneEvent]:
        """End everything if nothing was seen for too long, or if time runs back: a new clip, a loop."""
        if self._measured_ns is None or 0 <= t_ns - self._measured_ns <= LONGEST_GAP_S * 1e9:
            return []
        motions, self._motions = self._motions, {}
        seen_ns, self._measured_ns = self._measured_ns, None
        told = [(zone, motions[zone.name]) for zone in self.zones if zone.name in motions]
        return [motion.event(zone, "end", seen_ns) for zone, motion in told if motion.is_told]

    def _end_unseen(self, zone: Zone, t_ns: int) -> list[ZoneEvent]:
        """End what goes on in a zone of which too little was known for too long."""
        motion = self._motions.get(zone.name)
        if motion is None or t_ns - motion.last_ns <= LONGEST_GAP_S * 1e9:
            return []
        del self._motions[zone.name]
        return [motion.event(zone, "end", motion.last_ns)] if motion.is_told else []

    def _masks_of(self, shape: tuple[int, ...]) -> list[Mask]:
        height, width = shape
        if (height, width) != self._shape:
            self._shape = (height, width)
            self._masks = [zone_mask(zone.corners, self._shape) for zone in self.zones]
        return self._masks


class Named(Protocol):
    """A zone, or something else that is told apart by its name."""

    @property
    def name(self) -> str: ...


def expect_names(zones: Sequence[Named]) -> None:
    """Raise ZoneError where two zones have one name."""
    names = [zone.name for zone in zones]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ZoneError(f"two zones are called {repeated[0]!r}, expected different names; rename one of them")


def moving_part(zone: Zone, velocity: Float32, factor: float) -> tuple[Float32, float]:
    """Return the velocities (M, 2) of at least `factor` times the zone's speed that go its way, and their share."""
    squared = np.square(velocity).sum(axis=1)
    moves = squared >= (factor * zone.speed) ** 2
    if zone.direction is not None:
        angle = math.radians(zone.direction)
        along = velocity @ np.array([math.cos(angle), math.sin(angle)], np.float32)
        moves &= along >= math.cos(math.radians(zone.spread)) * np.sqrt(squared)
    return velocity[moves], float(moves.mean())


def zone_mask(corners: Sequence[Point], shape: tuple[int, int]) -> Mask:
    """Return the blocks (h, w) whose middle lies in the polygon (even-odd rule), at least the one nearest to it."""
    x, y = block_middles(shape)
    inside = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    if not inside.any():  # a zone smaller than a block of a coarse field
        middle_x, middle_y = np.mean(np.array(corners), axis=0)
        inside[np.abs(y[:, 0] - middle_y).argmin(), np.abs(x[0] - middle_x).argmin()] = True
    return inside
