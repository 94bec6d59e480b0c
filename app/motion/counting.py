# SPDX-License-Identifier: Apache-2.0
"""Counts tracked people: who crosses lines, which way, and who is in zones, for how long.

A person is a point: where he stands (the middle of his box's lower edge), or the middle of the box where the camera
looks down. Time is the pictures' own. For a zone, entries + appeared - exits - vanished = who is inside, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.motion.lines import Float64, Line, Mark, depth_px, least_side_px, passes_between
from app.motion.zones import Point, expect_names
from models.results import MISSED, Tracks

Anchor = Literal["foot", "centre"]
Kind = Literal["enter", "exit", "appear", "vanish"]

MARGIN = 0.08
"""Of the longer side of a person's box: nearer to a line or an edge his side does not change, as boxes tremble."""
MOST_MARGIN = 0.2
"""Of the shorter side of a zone: a small zone must be able to be entered."""
SURE_S = 0.1
"""A new side counts after so long, and in the second picture at the earliest."""
JUMP, FASTEST = 0.3, 5.0
"""Longer sides of the box that a point may move at once, and more of them a second: more is no walk but another box."""
FORGET_S = 2.0
"""A track that is not seen for longer is gone; until then its way goes on where it comes back."""
MOST_TRACKS = 1000
"""Tracks remembered at once; of more those not seen for longest are forgotten."""


@dataclass(frozen=True)
class CountEvent:
    """Somebody crossed a line or the edge of a zone, or was first or last seen within a zone."""

    mark: str
    kind: Kind  # "appear" and "vanish": inside a zone, where no edge was crossed
    track_id: int
    t_ns: int  # of the picture in which this was sure
    crossed_ns: int  # of the first picture on the new side; of a vanished one the last picture that showed him
    dwell_s: float | None = None  # of "exit" and "vanish" in a zone: the time since he was in


@dataclass(frozen=True)
class Count:
    """The counts of one line or zone so far, to draw and to sum up. Of a line only `entries` and `exits` count."""

    mark: Mark
    entries: int = 0
    exits: int = 0
    appeared: int = 0
    vanished: int = 0
    inside: tuple[tuple[int, float], ...] = ()  # track number and seconds so far, by number
    n_stays: int = 0  # that ended by an exit
    mean_s: float = 0.0  # of those
    longest_s: float = 0.0


@dataclass
class _Sum:
    entries: int = 0
    exits: int = 0
    appeared: int = 0
    vanished: int = 0
    n_stays: int = 0
    stays_s: float = 0.0
    longest_s: float = 0.0

    def add(self, event: CountEvent) -> None:
        name = {"enter": "entries", "exit": "exits", "appear": "appeared", "vanish": "vanished"}[event.kind]
        setattr(self, name, getattr(self, name) + 1)
        if event.kind == "exit" and event.dwell_s is not None:
            self.n_stays += 1
            self.stays_s += event.dwell_s
            self.longest_s = max(self.longest_s, event.dwell_s)


@dataclass
class _Side:
    """On which side of one mark a track is."""

    is_in: bool | None = None  # None = not known yet
    since_ns: int = 0  # the first picture there
    n_beyond: int = 0  # pictures in a row clearly on the other side
    beyond_ns: int = 0  # the first of them
    is_through: bool = True  # the last passage was between the ends of the line


@dataclass
class _Walker:
    at: Point  # shares of the picture
    seen_ns: int
    sides: dict[str, _Side] = field(default_factory=dict)
    depth: dict[str, float] = field(default_factory=dict)  # px at `at`
    jumped_to: Point | None = None
    jumped_ns: int = 0


class Counter:
    """Counts over one stream of tracks. Keeps state, one thread at a time; reads no clock."""

    def __init__(self, marks: Sequence[Mark] = (), anchor: Anchor = "foot") -> None:
        expect_names(marks)
        self.marks: tuple[Mark, ...] = tuple(marks)
        self._anchor = anchor
        self._sums = {mark.name: _Sum() for mark in marks}
        self._walkers: dict[int, _Walker] = {}
        self._t_ns: int | None = None

    def use(self, marks: Sequence[Mark]) -> None:
        """Count over these marks from now on; one that stays as it was keeps its counts. Raises ZoneError."""
        expect_names(marks)
        kept = {mark.name for mark in marks if mark in self.marks}
        self.marks = tuple(marks)
        self._sums = {m.name: self._sums[m.name] if m.name in kept else _Sum() for m in marks}
        for walker in self._walkers.values():
            walker.sides = {name: side for name, side in walker.sides.items() if name in kept}
            walker.depth = {name: depth for name, depth in walker.depth.items() if name in kept}

    def update(self, tracks: Tracks, t_ns: int, size_wh: tuple[int, int]) -> list[CountEvent]:
        """Take the tracks of the picture of `t_ns`, `size_wh` px large; return what happened, mark by mark.

        A track that was searched and not found (MISSED) counts as not seen: predictions cross no line. Boxes that are
        not finite are left out. Where time runs back (a clip that begins anew) everybody inside vanishes.
        """
        events = self._forget(t_ns)
        self._t_ns = t_ns
        if not self.marks:
            self._walkers.clear()
            return []
        rows = np.flatnonzero((tracks.detection_index != MISSED) & np.isfinite(tracks.xyxy).all(axis=1))
        xyxy = tracks.xyxy[rows].astype(np.float64)
        at = anchors(xyxy, self._anchor) / np.array(size_wh, np.float64)
        sides_px = np.maximum((xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, initial=1.0), 1.0)
        depths = [depth_px(mark, at, size_wh) for mark in self.marks]
        for k, track_id in enumerate(tracks.track_id[rows].tolist()):
            point = float(at[k, 0]), float(at[k, 1])
            depth = {mark.name: float(depths[m][k]) for m, mark in enumerate(self.marks)}
            events += self._step(track_id, point, depth, float(sides_px[k]), t_ns, size_wh)
        events += self._thin_out(t_ns)
        for event in events:
            self._sums[event.mark].add(event)
        return events

    def counts(self) -> tuple[Count, ...]:
        """Return the counts after the last update, in the order of the marks."""
        return tuple(self._count_of(mark) for mark in self.marks)

    def _count_of(self, mark: Mark) -> Count:
        total, now_ns = self._sums[mark.name], self._t_ns or 0
        inside = [
            (track_id, (now_ns - walker.sides[mark.name].since_ns) / 1e9)
            for track_id, walker in sorted(self._walkers.items())
            if not isinstance(mark, Line) and mark.name in walker.sides and walker.sides[mark.name].is_in
        ]
        mean_s = total.stays_s / total.n_stays if total.n_stays else 0.0
        return Count(
            mark,
            total.entries,
            total.exits,
            total.appeared,
            total.vanished,
            tuple(inside),
            total.n_stays,
            mean_s,
            total.longest_s,
        )

    def _step(
        self, track_id: int, at: Point, depth: dict[str, float], side_px: float, t_ns: int, size_wh: tuple[int, int]
    ) -> list[CountEvent]:
        """Move one track on to `at`."""
        walker = self._walkers.get(track_id)
        is_new = walker is None
        if walker is None:
            walker = self._walkers[track_id] = _Walker(at, t_ns)
        elif _is_jump(walker.at, at, side_px, t_ns - walker.seen_ns, size_wh):
            # One box that lies elsewhere says nothing; where a second one follows it there, the track is there now.
            before, before_ns = walker.jumped_to, walker.jumped_ns
            walker.jumped_to, walker.jumped_ns = at, t_ns
            if before is None or _is_jump(before, at, side_px, t_ns - before_ns, size_wh):
                return []
            is_new = True
        walker.jumped_to = None
        events: list[CountEvent] = []
        for mark in self.marks:
            side = walker.sides.setdefault(mark.name, _Side())
            margin_px = min(MARGIN * side_px, MOST_MARGIN * least_side_px(mark, size_wh))
            if is_new or side.is_in is None:
                events += _place(side, mark, track_id, depth[mark.name], margin_px, t_ns)
                continue
            before_px = walker.depth.get(mark.name, depth[mark.name])
            if isinstance(mark, Line) and (before_px > 0.0) != (depth[mark.name] > 0.0):
                side.is_through = passes_between(mark, walker.at, at)
            events += _cross(side, mark, track_id, depth[mark.name], margin_px, t_ns)
        walker.at, walker.seen_ns, walker.depth = at, t_ns, depth
        return events

    def _forget(self, t_ns: int) -> list[CountEvent]:
        """Drop the tracks that are gone; everybody where time runs back."""
        is_back = self._t_ns is not None and t_ns < self._t_ns
        old = [n for n, w in self._walkers.items() if is_back or t_ns - w.seen_ns > FORGET_S * 1e9]
        return self._drop(old, t_ns)

    def _thin_out(self, t_ns: int) -> list[CountEvent]:
        n_over = len(self._walkers) - MOST_TRACKS
        if n_over <= 0:
            return []
        by_age = sorted(self._walkers, key=lambda n: (self._walkers[n].seen_ns, n))
        return self._drop(by_age[:n_over], t_ns)

    def _drop(self, track_ids: list[int], t_ns: int) -> list[CountEvent]:
        events = []
        for track_id in sorted(track_ids):
            walker = self._walkers.pop(track_id)
            for mark in self.marks:
                side = walker.sides.get(mark.name)
                if side is not None and side.is_in and not isinstance(mark, Line):
                    dwell_s = (walker.seen_ns - side.since_ns) / 1e9
                    events.append(CountEvent(mark.name, "vanish", track_id, t_ns, walker.seen_ns, dwell_s))
        return events


def anchors(xyxy: Float64, anchor: Anchor) -> Float64:
    """Return the point (N, 2) px of each box that stands for its person."""
    x = (xyxy[:, 0] + xyxy[:, 2]) / 2
    y = xyxy[:, 3] if anchor == "foot" else (xyxy[:, 1] + xyxy[:, 3]) / 2
    return np.stack([x, y], axis=1)


def _is_jump(before: Point, after: Point, side_px: float, dt_ns: int, size_wh: tuple[int, int]) -> bool:
    moved_px = np.hypot((after[0] - before[0]) * size_wh[0], (after[1] - before[1]) * size_wh[1])
    return bool(moved_px > side_px * (JUMP + FASTEST * max(dt_ns, 0) / 1e9))


def _place(side: _Side, mark: Mark, track_id: int, depth: float, margin_px: float, t_ns: int) -> list[CountEvent]:
    """Say where a track is that was not seen to come: in a zone it appears, or vanishes from it; near an edge wait."""
    was_in = side.is_in
    if abs(depth) < margin_px:
        return []
    side.is_in, side.n_beyond = depth > 0.0, 0
    if side.is_in == bool(was_in):
        return []
    since_ns, side.since_ns = side.since_ns, t_ns
    if isinstance(mark, Line):
        return []
    if side.is_in:
        return [CountEvent(mark.name, "appear", track_id, t_ns, t_ns)]
    return [CountEvent(mark.name, "vanish", track_id, t_ns, t_ns, (t_ns - since_ns) / 1e9)]


def _cross(side: _Side, mark: Mark, track_id: int, depth: float, margin_px: float, t_ns: int) -> list[CountEvent]:
    """Follow a track whose side is known; it changes where the other side is clear and lasts."""
    if abs(depth) < margin_px:
        return []
    if (depth > 0.0) == side.is_in:
        side.n_beyond = 0
        return []
    side.n_beyond += 1
    if side.n_beyond == 1:
        side.beyond_ns = t_ns
    if side.n_beyond < 2 or t_ns - side.beyond_ns < SURE_S * 1e9:
        return []
    kind: Kind = "exit" if side.is_in else "enter"
    dwell_s = (side.beyond_ns - side.since_ns) / 1e9 if side.is_in and not isinstance(mark, Line) else None
    side.is_in, side.since_ns, side.n_beyond = not side.is_in, side.beyond_ns, 0
    if isinstance(mark, Line) and not side.is_through:
        return []
    return [CountEvent(mark.name, kind, track_id, t_ns, side.since_ns, dwell_s)]
