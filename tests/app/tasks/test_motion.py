# SPDX-License-Identifier: Apache-2.0
"""Zones and swipes as a stage of task flow: what a frame tells, and what changes between two frames."""

from __future__ import annotations

import numpy as np
import pytest

from app.frame import FlowOutput, Frame, Motion
from app.motion.zones import Zone, ZoneError
from app.runtime.pipeline import NetworkChoice
from app.tasks.flow import FlowTask
from app.tasks.motion import MotionWatch
from models.classical_flow import LucasKanade, Reduced
from models.results import Flow, Image
from tests.app.motion.fields import DT_S, FRAME_NS, SIZE_WH, flow_of, rest, unknown
from tests.app.motion.test_swipes import stroke

ZONE = Zone("zone 1", Zone.rectangle(0.0, 0.0, 0.5, 1.0))
INSIDE = (0.1, 0.1, 0.4, 0.9)


def output(flow: Flow) -> FlowOutput:
    rows, columns = flow.valid.shape
    image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    is_flow = (rows, columns) != (1, 1)
    return FlowOutput(flow, 4 if is_flow else 320, image, 0, DT_S if is_flow else 0.0, "dis")


def read(watch: MotionWatch, flows: list[Flow], first: int = 1) -> list[Motion]:
    return [watch(output(flow), (first + k) * FRAME_NS) for k, flow in enumerate(flows)]


def test_a_zone_begins_and_ends_and_says_so_meanwhile() -> None:
    watch = MotionWatch()
    watch.watch([ZONE])
    motions = read(watch, [unknown()] + [rest()] * 3 + [flow_of((0.3, 0), INSIDE)] * 10 + [rest()] * 10)
    told = [(k, event.zone, event.kind) for k, motion in enumerate(motions) for event in motion.events]
    assert told == [(8, "zone 1", "begin"), (21, "zone 1", "end")]
    assert [k for k, motion in enumerate(motions) if motion.zones[0].is_moving] == list(range(8, 21))
    assert [k for k, motion in enumerate(motions) if not motion.zones[0].is_known] == [0]


def test_a_swipe_is_told_once_and_known_from_then_on() -> None:
    motions = read(MotionWatch(), [rest()] * 3 + stroke("left") + [rest()] * 5)
    assert [motion.swipe.direction for motion in motions if motion.swipe] == ["left"]
    (at,) = [k for k, motion in enumerate(motions) if motion.swipe]
    assert [motion.last_swipe for motion in motions] == [None] * at + [motions[at].swipe] * (len(motions) - at)


def test_a_clip_that_begins_again_forgets_the_swipe() -> None:
    watch = MotionWatch()
    assert read(watch, [*stroke("left"), rest()], first=100)[-1].last_swipe is not None
    assert read(watch, [rest()], first=1)[0].last_swipe is None


def test_other_zones_hold_from_the_next_frame_on_and_end_what_went_on() -> None:
    watch, moving = MotionWatch(), flow_of((0.3, 0), INSIDE)
    watch.watch([ZONE])
    assert read(watch, [moving] * 10)[-1].zones[0].is_moving
    watch.watch([])
    (motion,) = read(watch, [moving], first=11)
    assert (motion.zones, [(event.zone, event.kind) for event in motion.events]) == ((), [("zone 1", "end")])
    with pytest.raises(ZoneError, match="two zones are called 'zone 1'"):
        watch.watch([ZONE, ZONE])
    assert read(watch, [moving], first=12)[0].zones == ()  # refused, so nothing changed


class Everywhere:
    """A flow method that sees one motion, in widths a second, in every point."""

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        height, width = first_rgb.shape[:2]
        return Flow(np.full((height, width, 2), (0.3 * width / 30, 0), np.float32), np.ones((height, width), bool))


@pytest.mark.parametrize("other_wh", [(320, 240), (80, 60)])
def test_the_task_watches_through_a_change_of_size(other_wh: tuple[int, int]) -> None:
    task = FlowTask(Everywhere(), "dis", NetworkChoice("cpu", "float"))
    task.watch([ZONE])
    sizes = [(640, 480)] * 12 + [other_wh] * 12
    frames = [Frame(np.zeros((h, w, 3), np.uint8), k, 0, round(k * 1e9 / 30)) for k, (w, h) in enumerate(sizes)]
    motions = [task(frame).motion for frame in frames]
    assert [event.kind for motion in motions for event in motion.events] == ["begin"]  # one frame is not known
    assert motions[-1].zones[0].speed == pytest.approx(0.3, rel=1e-4)
    assert [k for k, motion in enumerate(motions) if not motion.zones[0].is_known] == [0, 12]


def test_lone_points_say_nothing_about_a_zone() -> None:
    """Lucas-Kanade answers for a few hundred points of a picture: a zone is then not known, and not at rest."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 170, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    task = FlowTask(Reduced(LucasKanade()), "lk", NetworkChoice("cpu", "float"))
    task.watch([ZONE])
    frames = [Frame(noise[:480, 4 * k : 640 + 4 * k].copy(), k, 0, k * FRAME_NS) for k in range(8)]
    outputs = [task(frame) for frame in frames]
    assert outputs[-1].max_px() is not None
    assert [outcome.motion.zones[0].is_known for outcome in outputs] == [False] * 8
    assert [event for outcome in outputs for event in outcome.motion.events] == []
