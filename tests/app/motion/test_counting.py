# SPDX-License-Identifier: Apache-2.0
"""Counting against walks whose truth is known: each crossing once, no tremble, no jump, nothing kept for ever."""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.motion.counting import FORGET_S, MOST_TRACKS, Count, Counter, CountEvent
from app.motion.lines import Line, Mark, depth_px, passes_between
from app.motion.zones import Point, Zone, ZoneError
from models.results import MISSED, Tracks

SIZE_WH = (640, 480)
FPS = 25
GATE = Line("gate", ((0.25, 0.5), (0.75, 0.5)))
HALL = Zone("hall", Zone.rectangle(0.25, 0.25, 0.75, 0.75))
BOX_WH = (40.0, 100.0)


def tracks_at(feet: dict[int, Point], missed: frozenset[int] = frozenset()) -> Tracks:
    """Return people standing at `feet`, px."""
    n = len(feet)
    half, height = BOX_WH[0] / 2, BOX_WH[1]
    xyxy = np.array([[x - half, y - height, x + half, y] for x, y in feet.values()], np.float32).reshape(-1, 4)
    index = np.array([MISSED if number in missed else k for k, number in enumerate(feet)], np.int32)
    zeros = np.zeros(n, np.float32)
    return Tracks(np.array(list(feet), np.int64), xyxy, np.zeros((n, 2), np.float32), zeros, zeros, index)


def t_ns(frame: int) -> int:
    return round(frame * 1e9 / FPS)


def walk(counter: Counter, way: Callable[[int], dict[int, Point]], n_frames: int, start: int = 0) -> list[CountEvent]:
    """Return what happens while people go `way`."""
    frames = range(start, start + n_frames)
    return [event for k in frames for event in counter.update(tracks_at(way(k)), t_ns(k), SIZE_WH)]


def kinds(events: list[CountEvent]) -> list[str]:
    return [event.kind for event in events]


def down(k: int) -> dict[int, Point]:
    return {1: (320.0, 100.0 + 4.0 * k)}


def test_a_line_counts_each_way_once() -> None:
    counter = Counter([GATE])
    events = walk(counter, down, 70)
    assert [(e.mark, e.kind, e.track_id, e.dwell_s) for e in events] == [("gate", "enter", 1, None)]
    # The line lies at 240 px, 8 % of 100 px is the margin: 248 px is passed at the first frame with 4 k >= 148.
    assert events[0].crossed_ns == t_ns(37)
    assert t_ns(39) <= events[0].t_ns <= t_ns(40)
    back = walk(counter, lambda k: {1: (320.0, 376.0 - 4.0 * (k - 70))}, 70, start=70)
    assert kinds(back) == ["exit"]
    assert counter.counts() == (Count(GATE, entries=1, exits=1),)


def test_a_line_has_ends_and_a_direction() -> None:
    assert walk(Counter([GATE]), lambda k: {1: (100.0, 100.0 + 4.0 * k)}, 70) == []
    turned = Line("gate", (GATE.ends[1], GATE.ends[0]))
    assert kinds(walk(Counter([turned]), down, 70)) == ["exit"]
    # Round the end, then back through the gate: out once, though never in.
    counter = Counter([GATE])
    way = [(100.0, 150.0 + 5 * k) for k in range(40)] + [(100.0 + 5 * k, 345.0) for k in range(44)]
    way += [(320.0, 345.0 - 5 * k) for k in range(44)]
    assert kinds(walk(counter, lambda k: {1: way[k]}, len(way))) == ["exit"]


def test_trembling_on_the_line_counts_nothing_and_then_once() -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(-7, 7, 2000)
    counter = Counter([GATE, Zone("below", Zone.rectangle(0.0, 0.5, 1.0, 1.0))])
    standing = walk(counter, lambda k: {1: (320.0, 240.0 + noise[k])}, 1000)
    assert standing == []
    gone = walk(counter, lambda k: {1: (320.0, 240.0 - 4 * min(k - 1000, 30) + noise[k])}, 100, start=1000)
    assert gone == []
    crossing = walk(counter, lambda k: {1: (320.0, 120.0 + 2 * (k - 1100) + noise[k])}, 150, start=1100)
    assert Tally((e.mark, e.kind) for e in crossing) == {("gate", "enter"): 1, ("below", "enter"): 1}


def test_a_zone_tells_entry_exit_and_how_long() -> None:
    counter = Counter([HALL])
    # Into the hall from the left at frame 20 to 30, there until 125, out to the right.
    way = (
        [(60.0 + 5 * k, 240.0) for k in range(50)] + [(305.0, 240.0)] * 75 + [(305.0 + 5 * k, 240.0) for k in range(60)]
    )
    events = walk(counter, lambda k: {7: way[k]}, len(way))
    assert kinds(events) == ["enter", "exit"]
    first_in = next(k for k, (x, _) in enumerate(way) if x >= 160 + 8)
    first_out = next(k for k, (x, _) in enumerate(way) if x >= 480 + 8)
    assert events[1].dwell_s == pytest.approx((first_out - first_in) / FPS, abs=1e-6)
    count = counter.counts()[0]
    assert (count.entries, count.exits, count.n_stays, count.inside) == (1, 1, 1, ())
    assert count.mean_s == count.longest_s == events[1].dwell_s


def test_the_middle_of_the_box_counts_in_a_view_from_above() -> None:
    above = Zone("above", Zone.rectangle(0.25, 0.0, 0.75, 0.5))
    feet = {1: (320.0, 280.0)}  # the box's middle is at 230 px, its foot below 240
    for anchor, wanted in (("foot", ()), ("centre", ((1, 0.0),))):
        counter = Counter([above], "centre" if anchor == "centre" else "foot")
        counter.update(tracks_at(feet), 0, SIZE_WH)
        assert counter.counts()[0].inside == wanted


def test_one_box_elsewhere_changes_nothing_and_a_lasting_one_is_no_crossing() -> None:
    counter = Counter([GATE, HALL])
    events = walk(counter, lambda k: {1: (320.0, 400.0 if k == 20 else 200.0)}, 40)
    assert kinds(events) == ["appear"]
    events = walk(counter, lambda k: {1: (320.0, 400.0)}, 20, start=40)
    assert [(e.mark, e.kind) for e in events] == [("hall", "vanish")]
    assert counter.counts()[0].entries == 0


def test_a_lost_track_that_returns_goes_on_and_predictions_cross_nothing() -> None:
    counter = Counter([GATE])
    events = walk(counter, lambda k: down(k) if k < 30 or k > 45 else {}, 70)
    assert kinds(events) == ["enter"]
    counter = Counter([GATE])
    for k in range(60):
        seen = tracks_at({1: (320.0, 200.0 + 4 * max(0, k - 20))}, frozenset({1}) if k > 20 else frozenset())
        assert counter.update(seen, t_ns(k), SIZE_WH) == []


def test_who_is_not_seen_for_long_vanishes_and_may_appear_again() -> None:
    counter = Counter([HALL])
    away = round(FORGET_S * FPS) + 2
    way: list[dict[int, Point]] = [{1: (320.0, 240.0)}] * 25 + [{}] * away + [{1: (320.0, 240.0)}] * 5
    events = walk(counter, lambda k: way[k], len(way))
    assert kinds(events) == ["appear", "vanish", "appear"]
    assert events[1].dwell_s == pytest.approx(24 / FPS, abs=1e-6)
    assert events[1].crossed_ns == t_ns(24)
    count = counter.counts()[0]
    assert (count.appeared, count.vanished, len(count.inside)) == (2, 1, 1)
    assert count.n_stays == 0  # nobody saw how long that was


def test_time_that_runs_back_ends_every_stay() -> None:
    counter = Counter([HALL, GATE])
    walk(counter, lambda k: {1: (320.0, 200.0), 2: (300.0, 300.0)}, 10, start=100)
    events = walk(counter, lambda k: {1: (320.0, 300.0)}, 10)
    assert [(e.mark, e.kind, e.track_id) for e in events] == [
        ("hall", "vanish", 1),
        ("hall", "vanish", 2),
        ("hall", "appear", 1),
    ]
    count = counter.counts()[0]
    assert (count.appeared, count.vanished, [number for number, _ in count.inside]) == (3, 2, [1])


def test_the_same_picture_twice_counts_nothing_twice() -> None:
    once, twice = Counter([GATE, HALL]), Counter([GATE, HALL])
    expected = walk(once, down, 100)
    found = []
    for k in range(100):
        found += twice.update(tracks_at(down(k)), t_ns(k), SIZE_WH)
        found += twice.update(tracks_at(down(k)), t_ns(k), SIZE_WH)
    assert found == expected
    assert [(e.mark, e.kind) for e in expected] == [("hall", "enter"), ("gate", "enter"), ("hall", "exit")]


def test_boxes_that_are_no_numbers_and_pictures_without_people_are_left_out() -> None:
    counter = Counter([GATE, HALL])
    bad = tracks_at({1: (math.nan, 240.0), 2: (320.0, math.inf), 3: (320.0, 200.0)})
    assert [e.track_id for e in counter.update(bad, 0, SIZE_WH)] == [3]
    assert counter.update(tracks_at({}), 1, (1, 1)) == []
    assert Counter().update(tracks_at({1: (320.0, 200.0)}), 0, SIZE_WH) == []


def test_marks_that_change_keep_the_counts_of_those_that_stay() -> None:
    counter = Counter([GATE, HALL])
    walk(counter, down, 70)
    counter.use([GATE, Zone("new", HALL.corners)])
    assert [count.entries for count in counter.counts()] == [1, 0]
    with pytest.raises(ZoneError, match="two zones are called 'gate'"):
        counter.use([GATE, Line("gate", ((0.0, 0.0), (1.0, 1.0)))])


def test_memory_is_bounded_and_nobody_is_lost_from_the_sums() -> None:
    counter = Counter([HALL])
    rng = np.random.default_rng(2)
    for k in range(300):
        feet = {1 + 20 * k + n: (float(rng.uniform(0, 640)), float(rng.uniform(0, 480))) for n in range(20)}
        counter.update(tracks_at(feet), 0, SIZE_WH)  # all at one time: nobody is old enough to be forgotten
        assert len(counter._walkers) <= MOST_TRACKS
    count = counter.counts()[0]
    assert count.appeared - count.vanished == len(count.inside)
    assert count.appeared > MOST_TRACKS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_random_crowds_balance_and_agree_with_their_walks(seed: int, is_noisy: bool) -> None:
    """People walk straight through the gate's height; the truth is how their ways meet it."""
    rng = np.random.default_rng(seed)
    starts, ends = (rng.uniform((0, 120), (640, 470), (12, 2)) for _ in range(2))
    starts[:, 1] = np.where(rng.random(12) < 0.5, rng.uniform(40, 200, 12), rng.uniform(280, 460, 12))
    ends[:, 1] = np.where(rng.random(12) < 0.5, rng.uniform(40, 200, 12), rng.uniform(280, 460, 12))
    meets = starts[:, 0] + (240 - starts[:, 1]) / (ends[:, 1] - starts[:, 1]) * (ends[:, 0] - starts[:, 0])
    clear = (np.abs(meets - 160) > 20) & (np.abs(meets - 480) > 20)  # a tremble may pass on either side of an end
    starts, ends, meets = starts[clear], ends[clear], meets[clear]
    crosses = ((starts[:, 1] < 240) != (ends[:, 1] < 240)) & (meets > 160) & (meets < 480)
    counter = Counter([GATE, HALL])
    events = []
    for k in range(130):
        share = min(max(k - 10, 0) / 100, 1.0)
        feet = starts + share * (ends - starts) + (rng.uniform(-3, 3, starts.shape) if is_noisy else 0.0)
        events += counter.update(tracks_at({n: (x, y) for n, (x, y) in enumerate(feet.tolist(), 1)}), t_ns(k), SIZE_WH)
        gate, hall = counter.counts()
        assert hall.entries + hall.appeared - hall.exits - hall.vanished == len(hall.inside)
    entered = [n for n in range(len(starts)) if crosses[n] and starts[n, 1] < 240]
    left = [n for n in range(len(starts)) if crosses[n] and starts[n, 1] > 240]
    found = {kind: [e.track_id - 1 for e in events if (e.mark, e.kind) == ("gate", kind)] for kind in ("enter", "exit")}
    assert sorted(found["enter"]) == entered
    assert sorted(found["exit"]) == left
    assert (gate.entries, gate.exits) == (len(entered), len(left))


@given(st.tuples(*[st.floats(0, 1)] * 2), st.tuples(*[st.floats(0, 1)] * 2))
def test_depth_of_a_zone_has_the_sign_of_the_inside(a: Point, b: Point) -> None:
    hall: Mark = HALL
    for x, y in (a, b):
        depth = float(depth_px(hall, np.array([[x, y]]), SIZE_WH)[0])
        inside = 0.25 < x < 0.75 and 0.25 < y < 0.75
        assert abs(depth) < 1e-6 or (depth > 0) == inside
        edge = min(abs(x - 0.25), abs(x - 0.75)) * 640, min(abs(y - 0.25), abs(y - 0.75)) * 480
        if inside:
            assert depth == pytest.approx(min(edge), abs=1e-6)


def test_passing_between_the_ends() -> None:
    assert passes_between(GATE, (0.5, 0.4), (0.5, 0.6))
    assert passes_between(GATE, (0.0, 0.4), (0.9, 0.6))
    assert not passes_between(GATE, (0.1, 0.4), (0.2, 0.6))


@pytest.mark.parametrize(
    ("name", "ends", "wanted"),
    [
        (" ", ((0, 0), (1, 1)), "a name"),
        ("a", ((0, 0), (0, 0)), "differ"),
        ("a", ((0, 0), (math.nan, 1)), "shares"),
        ("a", ((0, 0), (1.1, 1)), "shares"),
        ("a", ((0, 0),), "two points"),
    ],
)
def test_lines_that_cannot_be_are_refused(name: str, ends: tuple[Point, Point], wanted: str) -> None:
    with pytest.raises(ZoneError, match=wanted):
        Line(name, ends)
