# SPDX-License-Identifier: Apache-2.0
"""Which network looks where, with detectors that see what the test puts there."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np
import pytest

from app.frame import Frame
from app.tasks.faces import (
    CLOSER_LOOKS,
    CLOSER_SIDE,
    DOUBT_WAIT_NS,
    FACE_TRACKING,
    FULL_RANGE_PERIOD_NS,
    SURE_ALONE,
    FaceFinder,
    is_seen,
    join,
)
from app.tracking.sort import Sort
from models.blazeface import N_POINTS, FaceDetector
from models.camera_motion import CameraMotion
from models.results import NOT_SEARCHED, Detections, Float32, Image
from models.similarity import turn_about

MS = 1_000_000
SIDE = 40.0
FAR = np.array([[60.0 + 100 * k, 50.0, 100.0 + 100 * k, 90.0] for k in range(5)], np.float32)


def found(boxes: Float32 | list[list[float]], score: float = 0.95) -> Detections:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(xyxy)
    points = np.zeros((n, N_POINTS, 2), np.float32)
    return Detections(xyxy, np.full(n, score, np.float32), np.zeros(n, np.int32), points)


class FakeDetector:
    """Sees `boxes` in the whole picture, `near` in an enlarged square; counts the calls."""

    def __init__(self) -> None:
        self.boxes, self.near = np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)
        self.score = 0.95
        self.n_calls, self.squares = 0, list[tuple[tuple[float, float], float]]()

    def __call__(self, image: Image) -> Detections:
        self.n_calls += 1
        return found(self.boxes, self.score)

    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        self.squares.append((centre_xy, side))
        return found(self.near)


class Bench:
    """A face finder over two fakes, fed with frames 33 ms apart."""

    def __init__(self) -> None:
        self.short, self.full = FakeDetector(), FakeDetector()
        short, full = cast(FaceDetector, self.short), cast(FaceDetector, self.full)
        self.finder = FaceFinder(short, full, Sort(FACE_TRACKING))
        self.t_ns, self._seq = 0, 0

    def frame(self, t_ns: int | None = None) -> Detections | None:
        """Find and track in the next frame, at `t_ns`."""
        self.t_ns = self.t_ns + 33 * MS if t_ns is None else t_ns
        image = np.zeros((200, 600, 3), np.uint8)
        faces = self.finder.detect(Frame(image, self._seq, 0, self.t_ns))
        self._seq += 1
        self.tracks = self.finder.track(faces, self.t_ns)
        return faces


class FakeCamera:
    """Moves as the test says, and remembers which boxes were left out."""

    def __init__(self, shift_xy: tuple[float, float]) -> None:
        self.motion = CameraMotion(turn_about((0, 0), shift_xy), 100, 90)
        self.left_out: list[Float32 | None] = []

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        self.left_out.append(objects_xyxy)
        return self.motion


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_face_is_found_again_where_the_camera_took_it(bench: Bench) -> None:
    """The camera swings by twice the face's width, once: without being told, the tracker takes it for another face."""
    bench.short.boxes = bench.full.boxes = FAR[:1]
    for _ in range(5):
        bench.frame()
    assert bench.tracks.track_id.tolist() == [1]
    camera = FakeCamera((2 * SIDE, 0))
    bench.finder.follow_camera(camera, Frame(np.zeros((200, 600, 3), np.uint8), 9, 0, bench.t_ns))
    bench.short.boxes = bench.full.boxes = FAR[:1] + np.array([2 * SIDE, 0, 2 * SIDE, 0], np.float32)
    bench.frame()
    assert bench.tracks.track_id.tolist() == [1]
    assert bench.tracks.xyxy[0] == pytest.approx(bench.short.boxes[0], abs=1)
    assert np.abs(bench.tracks.velocity).max() < SIDE  # the face stood still, the camera moved
    (left_out,) = camera.left_out
    assert left_out is not None
    assert left_out[0] == pytest.approx(FAR[0], abs=1)


def test_what_is_below_the_noise_moves_no_track(bench: Bench) -> None:
    bench.short.boxes = bench.full.boxes = FAR[:1]
    for _ in range(3):
        bench.frame()
    camera = FakeCamera((0.2, 0))  # of 600 px
    for _ in range(50):
        bench.finder.follow_camera(camera, Frame(np.zeros((200, 600, 3), np.uint8), 9, 0, bench.t_ns))
    bench.frame()
    assert bench.tracks.xyxy[0] == pytest.approx(FAR[0], abs=0.5)


def test_full_range_runs_first_and_then_each_period(bench: Bench) -> None:
    at_ms = []
    for t_ms in range(0, 2000, 50):
        before = bench.full.n_calls
        bench.frame(t_ms * MS)
        if bench.full.n_calls > before:
            at_ms.append(t_ms)
    assert at_ms == list(range(0, 2000, FULL_RANGE_PERIOD_NS // MS))
    assert bench.short.n_calls == 40


def test_full_range_counts_the_time_of_the_frames(bench: Bench) -> None:
    """Each frame more than a period after the last one: the full range network looks at all of them."""
    for k in range(5):
        bench.frame(k * (FULL_RANGE_PERIOD_NS + MS))
    assert bench.full.n_calls == 5


@pytest.mark.parametrize("start_ns", [-(10**12), 0, 10**15])
def test_any_time_may_be_the_first(bench: Bench, start_ns: int) -> None:
    bench.frame(start_ns)
    assert bench.full.n_calls == 1


def test_full_range_looks_again_when_the_clip_starts_anew(bench: Bench) -> None:
    bench.frame(60_000 * MS)
    bench.frame(0)
    assert bench.full.n_calls == 2
    bench.frame(FULL_RANGE_PERIOD_NS - MS)
    assert bench.full.n_calls == 2
    bench.frame(FULL_RANGE_PERIOD_NS)
    assert bench.full.n_calls == 3


def test_far_face_is_looked_at_closer_until_the_next_full_look(bench: Bench) -> None:
    bench.full.boxes = bench.short.near = FAR[:1]
    for _ in range(9):
        faces = bench.frame()
        assert faces is not None
        np.testing.assert_array_equal(faces.xyxy, FAR[:1])
    assert bench.full.n_calls == 1
    assert len(bench.short.squares) == 8
    for centre, side in bench.short.squares:
        np.testing.assert_allclose(centre, [80, 70], atol=1)
        assert side == pytest.approx(CLOSER_SIDE * SIDE, rel=0.05)
    assert bench.tracks.track_id.tolist() == [1]


def test_faces_that_are_seen_are_not_looked_at_again(bench: Bench) -> None:
    bench.full.boxes = FAR[:2]
    bench.short.boxes = bench.short.near = FAR[:1]
    bench.frame()
    bench.frame()
    assert [round(centre[0]) for centre, _ in bench.short.squares] == [180]


def test_closer_looks_go_round_the_missing_faces(bench: Bench) -> None:
    """Five far faces, never found again: at most `CLOSER_LOOKS` squares a frame, each face in its turn."""
    bench.full.boxes = FAR
    bench.frame(0)
    looked = []
    for k in range(1, 6):
        before = len(bench.short.squares)
        bench.frame(k * 20 * MS)
        assert len(bench.short.squares) - before == CLOSER_LOOKS
        looked += [round(centre[0] / 100 - 0.8) for centre, _ in bench.short.squares[before:]]
    assert sorted(looked) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_one_missing_face_is_looked_at_once_a_frame(bench: Bench) -> None:
    bench.full.boxes = FAR[:1]
    bench.frame(0)
    bench.frame(20 * MS)
    assert len(bench.short.squares) == 1


def test_another_face_in_the_closer_square_is_not_taken(bench: Bench) -> None:
    """The enlarged square of a face holds its neighbours too: only what lies over the track counts."""
    bench.full.boxes = FAR[:1]
    bench.short.near = FAR[1:2]
    bench.frame()
    faces = bench.frame()
    assert faces is not None
    assert len(faces) == 0


def test_nothing_to_look_at_without_tracks(bench: Bench) -> None:
    for _ in range(5):
        bench.frame()
    assert bench.short.squares == []
    assert len(bench.tracks) == 0


def test_calm_faces_are_searched_in_every_second_frame(bench: Bench) -> None:
    bench.short.boxes = bench.full.boxes = FAR[:2]
    searched = [bench.frame() is not None for _ in range(40)]
    assert all(searched[:15])  # not before they are known for half a second
    late = searched[20:]
    assert 10 <= sum(late) <= 13  # every second one, and those of the full range network
    assert not any(not a and not b for a, b in pairwise(late))
    assert bench.tracks.track_id.tolist() == [1, 2]
    np.testing.assert_allclose(bench.tracks.xyxy, FAR[:2], atol=1)


def test_frame_that_was_not_searched_says_so(bench: Bench) -> None:
    bench.short.boxes = bench.full.boxes = FAR[:2]
    while bench.frame() is not None:
        assert bench.t_ns < 3000 * MS
        assert (bench.tracks.detection_index >= 0).all()
    assert bench.tracks.detection_index.tolist() == [NOT_SEARCHED] * 2
    assert bench.frame() is not None


def test_fast_faces_are_searched_in_every_frame(bench: Bench) -> None:
    for k in range(40):
        bench.short.boxes = bench.full.boxes = FAR[:1] + np.array([4 * k, 0, 4 * k, 0], np.float32)
        assert bench.frame() is not None


def test_doubtful_face_counts_only_if_the_full_range_network_sees_it_too(bench: Bench) -> None:
    bench.frame(0)
    bench.short.boxes, bench.short.score = FAR[:2], SURE_ALONE - 0.05
    bench.full.boxes = FAR[:1]
    wait_ns = FULL_RANGE_PERIOD_NS - DOUBT_WAIT_NS
    early = bench.frame(wait_ns - MS)
    assert early is not None
    assert (len(early), bench.full.n_calls) == (0, 1)
    faces = bench.frame(wait_ns)  # the doubt brings the next look forward
    assert faces is not None
    assert bench.full.n_calls == 2
    np.testing.assert_allclose(faces.xyxy, FAR[:1], atol=1e-3)


def test_known_face_is_not_doubted(bench: Bench) -> None:
    bench.short.boxes = bench.full.boxes = FAR[:1]
    bench.frame()
    bench.frame()
    bench.short.score = SURE_ALONE - 0.05
    faces = bench.frame()
    assert faces is not None
    assert (len(faces), bench.full.n_calls) == (1, 1)


def test_fifty_faces(bench: Bench) -> None:
    grid = np.array([[20 * c, 20 * r, 20 * c + 15, 20 * r + 15] for r in range(5) for c in range(10)], np.float32)
    bench.short.boxes = grid
    for _ in range(5):
        bench.frame()
    assert bench.tracks.track_id.tolist() == list(range(1, 51))
    assert bench.short.squares == []


def test_join_gives_each_face_once() -> None:
    near, shifted = found(FAR[:2], 0.9), found(FAR[:1] + np.float32(2), 0.6)
    both = join([near, shifted])
    assert len(both) == 2
    np.testing.assert_allclose(both.score, [0.9, 0.9])
    weighted = (0.9 * FAR[0] + 0.6 * (FAR[0] + 2)) / 1.5
    assert np.abs(both.xyxy - weighted).max(axis=1).min() < 1e-3


def test_join_keeps_what_one_network_alone_saw() -> None:
    none, one = found([]), found(FAR[:1])
    assert join([none, none]) is none
    assert join([none, one]) is one
    assert join([one, none, none]) is one
    assert join([one]) is one
    assert len(join([one, found(FAR[3:4])])) == 2


def test_is_seen() -> None:
    assert is_seen(FAR[0], found(FAR[:1] + np.float32(5)))
    assert not is_seen(FAR[0], found(FAR[1:]))
    assert not is_seen(FAR[0], found([]))
