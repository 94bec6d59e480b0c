# SPDX-License-Identifier: Apache-2.0
"""Swipes: one for each, none for what only looks like one."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.motion.swipes import Direction, Swipe, SwipeReader, SwipeSettings
from models.classical_flow import Dis
from models.results import Flow
from tests.app.motion.fields import DT_S, FRAME_NS, SIZE_WH, empty, flow_of, rest, unknown

HAND = (0.3, 0.3, 0.6, 0.8)
PUSH: dict[Direction, tuple[float, float]] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
RISE_AND_FALL = (0.4, 0.8, 1.2, 1.5, 1.2, 0.8, 0.4, 0.1)
"""Widths a second, frame by frame at 25 a second: a stroke of 0.25 widths in 0.3 s."""


def stroke(direction: Direction, speeds: tuple[float, ...] = RISE_AND_FALL) -> list[Flow]:
    x, y = PUSH[direction]
    return [flow_of((x * speed, y * speed), HAND) for speed in speeds]


def read(frames: list[Flow], settings: SwipeSettings | None = None) -> list[Swipe]:
    reader = SwipeReader(settings)
    found = (reader.update(flow, DT_S, number * FRAME_NS, SIZE_WH) for number, flow in enumerate(frames, start=1))
    return [swipe for swipe in found if swipe is not None]


def directions(frames: list[Flow]) -> list[Direction]:
    return [swipe.direction for swipe in read(frames)]


@pytest.mark.parametrize("direction", list(PUSH))
def test_a_stroke_is_one_swipe_when_it_stops(direction: Direction) -> None:
    (swipe,) = read([rest()] * 5 + stroke(direction) + [rest()] * 20)
    assert swipe.direction == direction
    assert swipe.speed == pytest.approx(1.5, rel=1e-4)
    assert swipe.t_ns == (5 + 7) * FRAME_NS  # at 0.4 it is below 0.35 of its peak


def test_the_way_back_is_none() -> None:
    for pause in range(0, 20, 4):
        frames = stroke("left") + [rest()] * pause + stroke("right") + [rest()] * 20
        assert directions(frames) == ["left"]


def test_two_swipes_with_ways_back_are_two() -> None:
    once = stroke("left") + [rest()] * 3 + stroke("right", (0.4, 0.8, 0.8, 0.4)) + [rest()] * 8
    assert directions(once * 2) == ["left", "left"]


def test_there_and_much_later_back_is_two() -> None:
    assert directions(stroke("left") + [rest()] * 30 + stroke("right") + [rest()] * 5) == ["left", "right"]


@pytest.mark.parametrize(
    "speeds",
    [
        (0.4, *(0.5,) * 12, 0.4),  # winding up
        (1.0, 1.0),  # a twitch
        (0.7,) * 40,  # walking by
        (*(2.0,) * 30, *(0.65,) * 8),  # a car that brakes
        (0.25,) * 40,
    ],
)
def test_what_is_slow_short_or_long_is_none(speeds: tuple[float, ...]) -> None:
    assert read(stroke("left", speeds) + [rest()] * 20) == []


def test_the_camera_is_no_hand() -> None:
    frames = [flow_of((-speed, 0.0), (0, 0, 1, 1)) for speed in RISE_AND_FALL]
    assert read(frames + [rest()] * 20) == []


def test_two_hands_apart_and_a_diagonal_are_none() -> None:
    apart = []
    for speed in RISE_AND_FALL:
        left, right = flow_of((-speed, 0), (0.1, 0.3, 0.4, 0.8)), flow_of((speed, 0), (0.6, 0.3, 0.9, 0.8))
        apart.append(Flow(left.uv + right.uv, left.valid))
    assert read([*apart, *[rest()] * 20]) == []
    assert read([flow_of((speed, speed), HAND) for speed in RISE_AND_FALL] + [rest()] * 20) == []


def test_a_patch_that_falls_apart_is_none() -> None:
    """Its mean goes left, its parts 60 degrees to each side of that."""
    frames = []
    for speed in RISE_AND_FALL:
        flow = flow_of((-speed, speed * math.sqrt(3)), HAND)
        flow.uv[::2, :, 1] *= -1
        frames.append(flow)
    assert read(frames + [rest()] * 20) == []
    assert directions([flow_of((-speed, speed / 3), HAND) for speed in RISE_AND_FALL] + [rest()] * 20) == ["left"]


def test_a_small_thing_is_none() -> None:
    frames = [flow_of((speed, 0), (0.4, 0.4, 0.5, 0.5)) for speed in RISE_AND_FALL]
    assert read(frames + [rest()] * 20) == []


def test_flows_that_say_nothing_are_skipped() -> None:
    left = stroke("left")
    frames = [*left[:3], unknown(), *left[3:5], empty(), *left[5:], rest(), rest()]
    assert directions(frames) == ["left"]


def test_no_time_and_a_gap_give_no_swipe() -> None:
    reader = SwipeReader()
    for number, flow in enumerate(stroke("left")[:5], start=1):
        for dt_s in (0.0, -1.0, math.nan, 5.0):
            assert reader.update(flow, dt_s, number * FRAME_NS, SIZE_WH) is None
        assert reader.update(flow, DT_S, number * FRAME_NS, SIZE_WH) is None
    assert reader.update(rest(), DT_S, 60_000_000_000, SIZE_WH) is None


def test_time_that_runs_back_begins_anew() -> None:
    reader = SwipeReader()
    for start_ns in (10**12, 0):  # a clip that begins again, right after a swipe the other way
        direction: Direction = "left" if start_ns else "right"
        frames = [*stroke(direction), rest()]
        found = [reader.update(flow, DT_S, start_ns + i * FRAME_NS, SIZE_WH) for i, flow in enumerate(frames)]
        assert [swipe.direction for swipe in found if swipe] == [direction]


@pytest.mark.parametrize("fps", [12, 60])
def test_frame_rate_does_not_matter(fps: int) -> None:
    """The same stroke, half a sine of 0.4 s that goes 0.25 widths, seen at another rate."""
    reader, found = SwipeReader(), []
    for number in range(1, fps * 2):
        t_s = number / fps
        speed = 1.0 * math.sin(math.pi * t_s / 0.4) if t_s < 0.4 else 0.0
        flow = flow_of((-speed * 25 / fps, 0.0), HAND)  # `flow_of` makes px of 1/25 s
        found.append(reader.update(flow, 1 / fps, round(t_s * 1e9), SIZE_WH))
    assert [swipe.direction for swipe in found if swipe] == ["left"]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_runs_repeat_and_swipes_keep_their_distance(seed: int) -> None:
    random = np.random.default_rng(seed)
    names: list[Direction] = list(PUSH)
    frames: list[Flow] = []
    for _ in range(12):
        frames += stroke(names[random.integers(4)]) + [rest()] * int(random.integers(0, 30))
    swipes = read(frames)
    assert read(frames) == swipes
    for before, after in pairwise(swipes):
        assert after.t_ns - before.t_ns > SwipeSettings().refractory_s * 1e9


def test_a_picture_of_a_hand_is_read_through_dis() -> None:
    """A textured patch wipes to the left over a textured wall, stops, and comes back slowly."""
    random = np.random.default_rng(7)
    wall, patch = (
        cv2.resize(random.integers(0, 256, (h // 4, w // 4, 3), np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
        for h, w in ((240, 320), (100, 72))
    )
    x = 220.0
    pictures = []
    for speed in [*([0.0] * 3), *(-v for v in RISE_AND_FALL), *([0.0] * 5), *([0.25] * 15), *([0.0] * 3)]:
        x += speed * SIZE_WH[0] * DT_S
        picture = wall.copy()
        picture[70:170, round(x) - 36 : round(x) + 36] = patch
        pictures.append(np.asarray(picture, np.uint8))
    flow_between = Dis("fast")
    frames = [flow_between(a, b) for a, b in pairwise(pictures)]
    assert directions(frames) == ["left"]


def test_settings_that_cannot_be_are_named() -> None:
    for name, value in {"least_share": 0.0, "spread": 50.0, "return_s": -1.0, "stop_share": 1.5}.items():
        with pytest.raises(ValueError, match=f"SwipeSettings.{name}: expected"):
            SwipeSettings(**{name: value})
