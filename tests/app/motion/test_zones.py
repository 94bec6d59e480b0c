# SPDX-License-Identifier: Apache-2.0
"""Zones: who begins, when, and what does not count."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.motion.zones import Zone, ZoneError, ZoneEvent, ZoneState, ZoneWatch, zone_mask
from models.results import Flow
from models.similarity import turn_about
from tests.app.motion.fields import DT_S, FRAME_NS, SIZE_WH, empty, flow_of, rest, unknown

LEFT_HALF = Zone("left half", Zone.rectangle(0.0, 0.0, 0.5, 1.0), least_s=0.2, rest_s=0.2)
INSIDE, OUTSIDE = (0.1, 0.2, 0.4, 0.8), (0.6, 0.2, 0.9, 0.8)


def watch(zone: Zone, frames: list[Flow], is_steady: bool = True) -> list[ZoneEvent]:
    watcher = ZoneWatch([zone], is_steady)
    return [
        event
        for number, flow in enumerate(frames, start=1)
        for event in watcher.update(flow, DT_S, number * FRAME_NS, SIZE_WH)
    ]


def test_motion_begins_after_its_least_time_and_ends_after_its_rest() -> None:
    events = watch(LEFT_HALF, [rest()] * 5 + [flow_of((0.3, 0), INSIDE)] * 10 + [rest()] * 10)
    assert [(event.kind, event.t_ns, event.since_ns) for event in events] == [
        ("begin", 10 * FRAME_NS, 5 * FRAME_NS),  # frame 6 shows what moved since frame 5; 0.2 s later is frame 10
        ("end", 20 * FRAME_NS, 5 * FRAME_NS),
    ]
    assert events[1].speed == pytest.approx(0.3, rel=1e-4)
    assert events[1].direction_deg == pytest.approx(0.0, abs=1e-3)
    assert events[1].share == pytest.approx(0.36, abs=0.02)  # 0.3 x 0.6 of the picture, over its half


def test_motion_elsewhere_too_slow_too_small_or_too_short_is_none() -> None:
    for flow in (flow_of((0.3, 0), OUTSIDE), flow_of((0.04, 0), INSIDE), flow_of((0.3, 0), (0.1, 0.4, 0.2, 0.6))):
        assert watch(LEFT_HALF, [flow] * 30) == []
    assert watch(LEFT_HALF, ([flow_of((0.3, 0), INSIDE)] * 4 + [rest()]) * 8) == []


@pytest.mark.parametrize(("velocity", "counts"), [((0.2, 0.2), True), ((0.1, 0.3), False), ((-0.3, 0), False)])
def test_only_the_wanted_direction_counts(velocity: tuple[float, float], counts: bool) -> None:
    zone = replace(LEFT_HALF, direction=0.0, spread=50.0)
    assert bool(watch(zone, [flow_of(velocity, INSIDE)] * 10)) is counts


def test_a_direction_range_reaches_over_zero() -> None:
    zone = replace(LEFT_HALF, direction=350.0, spread=30.0)
    events = watch(zone, [flow_of((0.3, 0.05), INSIDE)] * 10)
    assert [event.kind for event in events] == ["begin"]
    assert events[0].direction_deg == pytest.approx(math.degrees(math.atan2(0.05, 0.3)), abs=0.01)


def test_hysteresis_keeps_one_event_one() -> None:
    """Speed goes up and down around the threshold of 0.05."""
    flicker = [flow_of((0.06 if i % 2 else 0.04, 0), INSIDE) for i in range(1, 41)]
    assert [event.kind for event in watch(LEFT_HALF, flicker)] == ["begin"]
    bare = replace(LEFT_HALF, hysteresis=1.0, least_s=0.0, rest_s=0.0)
    assert len(watch(bare, flicker)) > 20


def test_camera_shake_moves_nothing_once_it_is_taken_off() -> None:
    shaken = flow_of((0.4, -0.2), (0, 0, 1, 1))
    assert [event.kind for event in watch(LEFT_HALF, [shaken] * 10)] == ["begin"]
    assert watch(LEFT_HALF, [shaken] * 10, is_steady=False) == []
    inner = flow_of((0.7, -0.2), INSIDE)
    both = Flow(np.where(inner.uv != 0, inner.uv, shaken.uv), inner.valid)
    (event,) = watch(LEFT_HALF, [both] * 10, is_steady=False)
    assert event.speed == pytest.approx(0.3, rel=1e-3)
    assert event.direction_deg == pytest.approx(0.0, abs=0.1)


def test_a_known_camera_motion_is_taken_off_exactly() -> None:
    turn = turn_about((200.0, 50.0), (5.0, 2.0), 0.02, 1.03)
    x, y = np.meshgrid(np.arange(80) * 4 + 2.0, np.arange(60) * 4 + 2.0)
    xy = np.stack([x, y], axis=-1)
    flow = Flow((xy @ turn[:, :2].T + turn[:, 2] - xy).astype(np.float32), np.ones((60, 80), bool))
    zone = replace(LEFT_HALF, speed=0.001)
    for number in range(1, 20):
        assert ZoneWatch([zone]).update(flow, DT_S, number * FRAME_NS, SIZE_WH, turn) == []
    assert [event.kind for event in watch(zone, [flow] * 10, is_steady=False)] == ["begin"]


@pytest.mark.parametrize("nothing", [unknown, empty])
def test_a_flow_that_says_nothing_changes_nothing(nothing: Callable[[], Flow]) -> None:
    moving = flow_of((0.3, 0), INSIDE)
    events = watch(LEFT_HALF, [moving, moving, nothing(), moving, nothing(), moving, moving])
    assert [event.kind for event in events] == ["begin"]


def test_no_time_between_two_pictures_changes_nothing() -> None:
    watcher = ZoneWatch([replace(LEFT_HALF, least_s=0.0)])
    for dt_s in (0.0, -1.0, math.nan, 5.0):
        assert watcher.update(flow_of((9.0, 0), INSIDE), dt_s, FRAME_NS, SIZE_WH) == []
    assert watcher.moving() == ()


@pytest.mark.parametrize("t_ns", [60_000_000_000, 0])
def test_a_gap_or_time_that_runs_back_ends_what_went_on(t_ns: int) -> None:
    watcher = ZoneWatch([LEFT_HALF])
    for number in range(1, 11):
        watcher.update(flow_of((0.3, 0), INSIDE), DT_S, number * FRAME_NS, SIZE_WH)
    assert watcher.moving() == ("left half",)
    (event,) = watcher.update(unknown(), 0.0, t_ns, SIZE_WH)
    assert (event.kind, event.t_ns) == ("end", 10 * FRAME_NS)
    assert watcher.moving() == ()
    assert watcher.update(flow_of((0.3, 0), INSIDE), DT_S, t_ns + FRAME_NS, SIZE_WH) == []


def test_a_zone_that_is_not_seen_any_more_ends() -> None:
    moving, hidden = flow_of((0.3, 0), INSIDE), rest()
    hidden.valid[:, :40] = False
    events = watch(LEFT_HALF, [moving] * 10 + [hidden] * 40)
    assert [(event.kind, event.t_ns) for event in events] == [("begin", 5 * FRAME_NS), ("end", 10 * FRAME_NS)]


def test_another_size_of_the_field_goes_on() -> None:
    frames = [flow_of((0.3, 0), INSIDE, stride) for stride in (4, 4, 2, 2, 8, 8, 1)]
    assert [event.kind for event in watch(LEFT_HALF, frames)] == ["begin"]


def test_states_say_what_is_known_and_what_moves_now() -> None:
    watcher = ZoneWatch([LEFT_HALF])
    assert watcher.states() == (ZoneState(LEFT_HALF),)
    for number in range(1, 11):
        watcher.update(flow_of((0.3, 0), INSIDE), DT_S, number * FRAME_NS, SIZE_WH)
    (state,) = watcher.states()
    assert (state.is_known, state.is_moving, state.direction_deg) == (True, True, 0.0)
    assert state.speed == pytest.approx(0.3, rel=1e-3)
    for number in range(11, 31):  # 0.8 s the other way: the state has turned, the means since the begin have not
        watcher.update(flow_of((-0.3, 0), INSIDE), DT_S, number * FRAME_NS, SIZE_WH)
    assert watcher.states()[0].direction_deg == pytest.approx(180.0)
    watcher.update(unknown(), 0.0, 31 * FRAME_NS, SIZE_WH)
    assert (watcher.states()[0].is_known, watcher.states()[0].is_moving) == (False, True)


def test_other_zones_end_what_goes_on_in_those_that_are_gone() -> None:
    stays, other = replace(LEFT_HALF, name="stays"), Zone("new", Zone.rectangle(0.6, 0.6, 0.9, 0.9))
    watcher = ZoneWatch([LEFT_HALF, stays])
    for number in range(1, 11):
        watcher.update(flow_of((0.3, 0), INSIDE), DT_S, number * FRAME_NS, SIZE_WH)
    events = watcher.use([stays, other])
    assert [(event.zone, event.kind, event.t_ns) for event in events] == [("left half", "end", 10 * FRAME_NS)]
    assert watcher.moving() == ("stays",)
    assert watcher.update(flow_of((0.3, 0), INSIDE), DT_S, 11 * FRAME_NS, SIZE_WH) == []
    assert [state.is_known for state in watcher.states()] == [True, True]
    moved = replace(stays, corners=Zone.rectangle(0.5, 0.5, 0.9, 0.9))
    assert [event.zone for event in watcher.use([moved])] == ["stays"]  # the same name, another place
    assert watcher.use([]) == []
    with pytest.raises(ZoneError, match="two zones are called 'stays'"):
        watcher.use([stays, stays])


def test_a_polygon_holds_its_inside() -> None:
    triangle = zone_mask([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], (100, 200))
    assert triangle.mean() == pytest.approx(0.5, abs=0.01)
    assert triangle[10, 10]
    assert not triangle[90, 190]


def test_a_tiny_zone_has_one_block_of_a_coarse_field() -> None:
    mask = zone_mask(Zone.rectangle(0.71, 0.31, 0.72, 0.32), (4, 4))
    assert np.argwhere(mask).tolist() == [[1, 2]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["move", "rest", "unknown", "gap"]), max_size=60), st.integers(0, 2**32 - 1))
def test_begin_and_end_alternate_and_runs_repeat(steps: list[str], seed: int) -> None:
    def run() -> list[ZoneEvent]:
        random, watcher, t_ns, events = np.random.default_rng(seed), ZoneWatch([LEFT_HALF]), 0, []
        for step in steps:
            t_ns += 3_000_000_000 if step == "gap" else FRAME_NS
            speed = random.uniform(0.0, 0.2) if step == "move" else 0.0
            flow = unknown() if step == "unknown" else flow_of((speed, 0.0), INSIDE)
            events += watcher.update(flow, DT_S, t_ns, SIZE_WH)
        return events

    events = run()
    assert [event.kind for event in events] == [("begin", "end")[i % 2] for i in range(len(events))]
    assert all(event.since_ns < event.t_ns for event in events)
    assert run() == events


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"name": " "}, "a name that is not empty"),
        ({"corners": ((0.0, 0.0), (1.0, 1.0))}, "at least 3 points"),
        ({"corners": ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0))}, "a polygon with an area"),
        ({"corners": ((0.0, 0.0), (1.5, 0.0), (1.0, 1.0))}, "shares of the picture from 0 to 1"),
        ({"corners": ((0.0, 0.0), (math.nan, 0.0), (1.0, 1.0))}, "shares of the picture from 0 to 1"),
        ({"direction": 360.0}, "0 up to 360 degrees"),
        ({"spread": 0.0}, "more than 0, at most 180 degrees"),
        ({"speed": math.nan}, "more than 0 picture widths a second"),
        ({"share": 0.0}, "more than 0, at most 1"),
        ({"hysteresis": 1.1}, "more than 0, at most 1"),
        ({"least_s": -1.0}, "0 or more seconds"),
    ],
)
def test_a_zone_that_cannot_be_is_named(change: dict[str, object], wanted: str) -> None:
    with pytest.raises(ZoneError, match=f"zone .*: {next(iter(change))} is .*, expected {wanted}"):
        replace(LEFT_HALF, **change)  # type: ignore[arg-type]  # one value of each type


def test_two_zones_of_one_name_are_refused() -> None:
    with pytest.raises(ZoneError, match="two zones are called 'left half'"):
        ZoneWatch([LEFT_HALF, LEFT_HALF])
