# SPDX-License-Identifier: Apache-2.0
"""Who is looked at in which frame and how keypoints are smoothed, with networks that see what the test puts there."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.frame import Frame, PoseOutput
from app.tasks.pose import (
    CUTOFF_PER_SPEED,
    LEAST_BELIEF,
    LOOKS,
    LOOKS_BETWEEN,
    MIN_CUTOFF_HZ,
    SEEN_SCORE,
    Body,
    OneEuro,
    PoseTask,
    belief_in,
    share,
)
from device.backend import Cycles
from models.persons import PersonDetector
from models.pose import PoseEstimator
from models.results import MISSED, N_KEYPOINTS, NOT_SEARCHED, Float32, Image, Poses
from tests.models.bodies import LABELS, card

FRAME_NS = 40_000_000
GUESS, LOOK = 0.4, 0.9
"""Scores that tell whose keypoints are shown: the detector's or a look's."""


def at(n: int, size: float = 40.0) -> Float32:
    """Return boxes (n, 4) of people in rows of twenty, far from each other."""
    k = np.arange(n)
    low = np.stack([100.0 * (k % 20), 150.0 * (k // 20)], axis=1)
    return np.concatenate([low, low + np.array([size, 2 * size])], axis=1).astype(np.float32)


def poses(xyxy: Float32, keypoint_score: float, xy: Float32 | None = None) -> Poses:
    """Return people whose keypoints all stand in the middle of their box, or at `xy`."""
    middle = (xyxy[:, :2] + xyxy[:, 2:]) / 2 if xy is None else xy
    rows = np.concatenate([middle, np.full((len(xyxy), 1), keypoint_score)], axis=1).astype(np.float32)
    return Poses(np.repeat(rows[:, None], N_KEYPOINTS, axis=1), xyxy, np.full(len(xyxy), 0.9, np.float32))


class FakeDetector:
    """Finds people in `boxes`."""

    card = card("person detection", {})

    def __init__(self, boxes: Float32) -> None:
        self.boxes, self.n_calls = boxes, 0

    def poses(self, image: Image) -> Poses:
        self.n_calls += 1
        return poses(self.boxes, GUESS)


class FakePose:
    """Sees all keypoints in the middle of the box, or at `xy`; counts its looks."""

    card = card("pose", {})

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.boxes: list[Float32] = []
        self.turned: list[tuple[Float32, float]] = []
        self.last_cycles: Cycles | None = None
        self.xy: Float32 | None = None
        self.score = LOOK

    def __call__(self, image: Image, xyxy: Float32, turn_rad: NDArray[np.float64] | None = None) -> Poses:
        self.looks.append(len(xyxy))
        self.boxes.append(xyxy)
        if turn_rad is not None:
            self.turned += zip(xyxy, turn_rad.tolist(), strict=True)
        return poses(xyxy, self.score, None if self.xy is None else np.tile(self.xy, (len(xyxy), 1)))


class Scene:
    """A task with its fakes, run frame by frame."""

    def __init__(self, boxes: Float32, detect_every: int = 1, view: str = "eye") -> None:
        self.detector, self.pose = FakeDetector(boxes), FakePose()
        self.task = PoseTask(
            cast(PersonDetector, self.detector), cast(PoseEstimator, self.pose), "cpu", "float", detect_every, view
        )
        self.n = 0

    def step(self, t_ns: int | None = None) -> PoseOutput:
        t_ns = self.n * FRAME_NS if t_ns is None else t_ns
        self.n += 1
        return self.task(Frame(np.zeros((8, 8, 3), np.uint8), self.n, 0, t_ns))


def test_one_person_is_looked_at_in_every_frame() -> None:
    scene = Scene(at(1))
    for _ in range(4):
        output = scene.step()
    assert scene.pose.looks == [1] * 4
    assert output.tracks.track_id.tolist() == [1]
    assert output.labels == LABELS
    np.testing.assert_allclose(output.keypoints[0], np.tile([20, 40, LOOK], (N_KEYPOINTS, 1)), rtol=1e-6)
    np.testing.assert_array_equal(scene.pose.boxes[-1], at(1))


def test_the_hybrid_says_why_and_numbers_go_on_when_the_tracker_changes() -> None:
    scene = Scene(at(3))
    plain = scene.step()
    scene.task.follow_with("hybrid")
    looked = [scene.step() for _ in range(2)][-1]
    assert plain.whys == ()
    assert plain.tracks.track_id.tolist() == [1, 2, 3]
    assert looked.tracks.track_id.tolist() == [4, 5, 6]
    assert [why.track_id for why in looked.whys] == [4, 5, 6]
    assert [why.winner.overlap for why in looked.whys] == [1.0, 1.0, 1.0]
    scene.task.follow_with("sort")
    assert scene.step().tracks.track_id.tolist() == [7, 8, 9]


def test_people_take_turns_and_those_who_wait_show_the_guess_of_the_detector() -> None:
    scene = Scene(at(5))
    looked = [int((scene.step().keypoints[:, 0, 2] > (GUESS + LOOK) / 2).sum()) for _ in range(4)]
    assert looked == [2, 4, 5, 5]
    assert scene.pose.looks == [LOOKS] * 4
    turns = [int(box[0, 0]) // 100 for boxes in scene.pose.boxes for box in np.split(boxes, len(boxes))]
    assert turns == [0, 1, 2, 3, 4, 0, 1, 2]


@pytest.mark.parametrize("n", [0, 200])
def test_nobody_and_two_hundred(n: int) -> None:
    scene = Scene(at(n))
    outputs = [scene.step() for _ in range(3)]
    assert [len(output.tracks) for output in outputs] == [n] * 3
    assert all(np.isfinite(output.keypoints).all() for output in outputs)
    assert scene.pose.looks == [LOOKS] * (3 if n else 0)


def test_in_between_the_prediction_is_looked_at_and_is_no_miss() -> None:
    scene = Scene(at(1), detect_every=3)
    outputs = [scene.step() for _ in range(7)]
    assert scene.detector.n_calls == 3
    assert [int(output.tracks.detection_index[0]) for output in outputs] == [0, *[NOT_SEARCHED] * 2] * 2 + [0]
    assert scene.pose.looks == [1] * 7


def test_a_person_who_was_not_found_is_not_looked_at_but_still_shown_a_moment() -> None:
    scene = Scene(at(1))
    scene.step()
    scene.detector.boxes = at(0)
    missed = [scene.step() for _ in range(8)]
    assert [len(output.tracks) for output in missed] == [1] * 5 + [0] * 3  # 0.2 s at 25 frames a second
    assert int(missed[0].tracks.detection_index[0]) == MISSED
    assert scene.pose.looks == [1, 1]  # the second was under way when the search found nobody
    assert scene.task._bodies == {}


def test_a_look_at_somebody_who_turns_out_to_be_hidden_is_dropped() -> None:
    scene = Scene(at(1))
    before = scene.step().keypoints[0]
    scene.detector.boxes = at(0)
    scene.pose.xy = np.array([[999.0, 999.0]], np.float32)
    np.testing.assert_allclose(scene.step().keypoints[0], before, atol=1e-3)


def test_fewer_are_looked_at_where_nothing_is_searched() -> None:
    scene = Scene(at(5), detect_every=3)
    for _ in range(6):
        scene.step()
    assert scene.pose.looks == [LOOKS, LOOKS_BETWEEN, LOOKS_BETWEEN] * 2


def test_a_look_that_fails_leaves_no_thread() -> None:
    scene = Scene(at(1))
    scene.step()

    def fail(image: Image, xyxy: Float32, turn_rad: object) -> Poses:
        raise ValueError("no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakePose, "__call__", lambda self, *given: fail(*given))
        with pytest.raises(ValueError, match="no network"):
            scene.step()
    assert "search" not in [thread.name for thread in threading.enumerate()]
    assert len(scene.step().tracks) == 1


def test_people_below_a_ceiling_camera_are_looked_at_with_their_heads_up() -> None:
    scene = Scene(np.array([[90, 0, 110, 40], [160, 90, 200, 110], [90, 160, 110, 200]], np.float32), view="top")
    for _ in range(3):
        scene.task(Frame(np.zeros((200, 200, 3), np.uint8), scene.n, 0, scene.n * FRAME_NS))
        scene.n += 1
    turned = {tuple(box.round().tolist()): turn for box, turn in scene.pose.turned}
    assert turned[90, 0, 110, 40] == pytest.approx(0.0, abs=1e-3)
    assert turned[160, 90, 200, 110] == pytest.approx(math.pi / 2, abs=1e-3)
    assert abs(turned[90, 160, 110, 200]) == pytest.approx(math.pi, abs=1e-3)
    assert Scene(at(1)).pose.turned == []


def test_who_waits_moves_on_with_his_box() -> None:
    """Three people walk 2 px a frame; who is not looked at is carried by his track's velocity."""
    scene = Scene(at(3))
    for k in range(30):
        scene.detector.boxes = at(3) + np.float32(2 * k)
        output = scene.step()
    np.testing.assert_allclose(output.keypoints[:, 0, 0] - [20, 120, 220], 58, atol=1.5)


def test_what_does_not_look_like_a_person_is_followed_but_not_shown() -> None:
    """The detector is sure of a bottle; the closer look is not, and each look changes a fifth of the belief."""
    scene = Scene(at(1))
    scene.pose.score = LEAST_BELIEF - 0.05
    assert [len(scene.step().tracks) for _ in range(5)] == [0] * 5
    assert scene.pose.looks == [1] * 5
    scene.pose.score = LEAST_BELIEF + 0.15
    shown = [scene.step().tracks.track_id.tolist() for _ in range(3)]
    assert shown == [[], [1], [1]]  # 0.36, 0.392, 0.418
    scene.pose.score = 0.3
    assert [len(scene.step().tracks) for _ in range(4)] == [1, 1, 0, 0]  # 0.394, 0.375, 0.36


def test_a_face_alone_is_a_person() -> None:
    keypoints = seen(0.0, 0.0)
    keypoints[:5, 2] = LOOK
    assert belief_in(keypoints) == pytest.approx(LOOK)


def test_a_network_changes_between_two_frames() -> None:
    scene, other = Scene(at(1)), FakePose()
    scene.step()
    before = scene.task.in_use
    scene.task.select(cast(PoseEstimator, other), "cpu", "int8")
    assert scene.task.in_use is before
    output = scene.step()
    assert (scene.task.in_use.precision, len(other.looks), len(scene.pose.looks)) == ("int8", 1, 1)
    assert output.tracks.track_id.tolist() == [1]
    assert scene.task.in_use.models == {"person": "toy.tflite (float)", "pose": Path(other.card.file).name}
    other.last_cycles = Cycles(5, 100)
    scene.step()
    assert scene.task.in_use.cycles == Cycles(5, 100)


def body(x: float = 0.0, score: float = LOOK) -> Body:
    """A body that stands still, all keypoints at (x, 0)."""
    xy = np.tile(np.array([x, 0], np.float32), (N_KEYPOINTS, 1))
    return Body(xy, np.zeros_like(xy), np.full(N_KEYPOINTS, score, np.float32), 0, 0)


def seen(x: float, score: float = LOOK) -> Float32:
    return np.tile(np.array([x, 0, score], np.float32), (N_KEYPOINTS, 1))


def test_one_step_of_the_filter_by_hand() -> None:
    """A step of 10 px in 0.04 s of a body of 100 px: 2.5 bodies/s, of which 0.201 are believed at 1 Hz."""
    dt_s = 0.04
    speed = 2.5 / (1 + 1 / (2 * math.pi * 1.0 * dt_s))
    cutoff_hz = MIN_CUTOFF_HZ + CUTOFF_PER_SPEED * speed
    expected = 10 / (1 + 1 / (2 * math.pi * cutoff_hz * dt_s))
    found = OneEuro()(body(), seen(10), 100.0, 40_000_000, 1)
    np.testing.assert_allclose(found.xy[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(found.speed[:, 0], speed, rtol=1e-5)
    assert float(share(1.0, dt_s)) == pytest.approx(0.2008, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 20.0), st.floats(-1000, 1000), st.floats(0.001, 2.0))
def test_the_filter_stays_between_and_knows_no_unit_of_length(scale: float, x: float, dt_s: float) -> None:
    t_ns = round(dt_s * 1e9)
    near = OneEuro()(body(), seen(x), 100.0, t_ns, 1)
    far = OneEuro()(body(), seen(scale * x), scale * 100.0, t_ns, 1)
    np.testing.assert_allclose(far.xy, scale * near.xy, rtol=1e-3, atol=1e-3)
    assert 0 <= near.xy[0, 0] * math.copysign(1, x) <= abs(x) * 1.0001


def test_rest_is_calmed_and_motion_is_followed() -> None:
    """30 frames/s, a body of 100 px: noise of 0.5 px falls below half; at 50 px/s the lag is below 2 px."""
    random, filtered, still = np.random.default_rng(0), OneEuro(), body()
    rest = []
    for k in range(1, 300):
        still = filtered(still, seen(float(random.normal(0, 0.5))), 100.0, k * 33_333_333, k)
        rest.append(float(still.xy[0, 0]))
    assert np.std(rest[30:]) < 0.25
    moving = body()
    for k in range(1, 60):
        moving = filtered(moving, seen(50 * k / 30), 100.0, k * 33_333_333, k)
    assert 0 <= 50 * 59 / 30 - moving.xy[0, 0] < 2


@pytest.mark.parametrize(("before", "now"), [(SEEN_SCORE / 2, LOOK), (LOOK, SEEN_SCORE / 2)])
def test_what_was_guessed_is_not_mixed_with_what_is_seen(before: float, now: float) -> None:
    found = OneEuro()(body(0.0, before), seen(50, now), 100.0, FRAME_NS, 1)
    assert (found.xy[:, 0] == 50).all()
    assert (found.speed == 0).all()


def test_time_that_stands_still_changes_nothing_and_time_that_goes_back_starts_anew() -> None:
    scene = Scene(at(1))
    scene.step(FRAME_NS)
    scene.pose.xy = np.array([30, 50], np.float32)
    np.testing.assert_allclose(scene.step(FRAME_NS).keypoints[0, 0, :2], [20, 40])
    np.testing.assert_allclose(scene.step(0).keypoints[0, 0, :2], [30, 50])
    assert np.isfinite(scene.step(10**15).keypoints).all()
