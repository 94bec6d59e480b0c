# SPDX-License-Identifier: Apache-2.0
"""Tracks before a camera that moves: the filters' maths against full matrices, and numbers that stay."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.tracking.kalman import KalmanFilters
from app.tracking.sort import FIRST_VARIANCE, MEASURED_NOISE, MOTION_NOISE, Sort
from models.results import Detections, Tracks
from models.similarity import Affine, identity, inverse, moved_boxes, moved_points, scale_of, then, turn_about
from tests.app.tracking.scenes import FRAME_NS, box, detections, random_frames, track

MAPS = st.builds(
    turn_about,
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    st.floats(-3, 3),
    st.floats(0.5, 2.0),
)
SEEDS = st.integers(0, 2**32 - 1)


def used_filters(seed: int, n: int = 5) -> KalmanFilters:
    """Filters after some frames of SORT's noises, some with misses."""
    random = np.random.default_rng(seed)
    filters, first = KalmanFilters(), random.uniform([0, 0, 100, 0.2], [1920, 1080, 50_000, 3.0], (n, 4))
    filters.add(first, FIRST_VARIANCE)
    for _ in range(int(random.integers(0, 12))):
        filters.predict(1.0, MOTION_NOISE)
        rows = np.flatnonzero(random.random(n) < 0.7)
        filters.update(rows, first[rows] + random.normal(0, [5, 5, 200, 0.05], (len(rows), 4)), MEASURED_NOISE)
    return filters


def full_map(matrix: Affine) -> NDArray[np.float64]:
    """The map of the whole state (7, 7), without the shift."""
    full, grown = np.eye(7), scale_of(matrix) ** 2
    full[:2, :2] = full[4:6, 4:6] = matrix[:, :2]
    full[2, 2] = full[6, 6] = grown
    return full


@settings(max_examples=60, deadline=None)
@given(SEEDS, MAPS)
def test_moved_filters_equal_full_matrices(seed: int, matrix: Affine) -> None:
    filters = used_filters(seed)
    full = full_map(matrix)
    mean = filters.mean @ full.T
    mean[:, :2] += matrix[:, 2]
    covariance = full @ filters.covariance @ full.T
    filters.move(matrix)
    np.testing.assert_allclose(filters.mean, mean, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(filters.covariance, covariance, rtol=1e-9, atol=1e-6)


@given(SEEDS)
def test_variances_are_exact_for_any_map(seed: int) -> None:
    """Also with different variances of x and y, and a map that stretches: only x with y is left out."""
    random, filters = np.random.default_rng(seed), used_filters(seed)
    filters.var *= random.uniform(1.0, 5.0, filters.var.shape)
    linear = np.eye(2) + random.uniform(-0.4, 0.4, (2, 2))
    matrix = np.column_stack([linear, random.uniform(-50, 50, 2)])
    full = full_map(matrix)
    full[2, 2] = full[6, 6] = np.linalg.det(linear)
    variances = np.einsum("ij,njk,ik->ni", full, filters.covariance, full)
    filters.move(matrix)
    np.testing.assert_allclose(filters.var, variances, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.lists(MAPS, min_size=1, max_size=8))
def test_covariance_stays_positive_definite(seed: int, maps: list[Affine]) -> None:
    """Also where x and y have different variances, which SORT's noises never give."""
    random, filters = np.random.default_rng(seed), used_filters(seed)
    filters.var *= (uneven := random.uniform(0.2, 5.0, filters.var.shape))
    filters.cov *= np.sqrt(uneven[:, :3] * uneven[:, 4:])
    for matrix in maps:
        filters.move(matrix)
        filters.predict(1.0, MOTION_NOISE)
        scale = np.sqrt(filters.var)
        correlation = filters.covariance / (scale[:, :, None] * scale[:, None, :])
        assert np.linalg.eigvalsh(correlation).min() > 0.0
    filters.update(np.arange(len(filters)), filters.mean[:, :4].copy(), MEASURED_NOISE)
    assert (filters.var > 0.0).all()


@settings(max_examples=30, deadline=None)
@given(SEEDS, MAPS)
def test_there_and_back_changes_nothing(seed: int, matrix: Affine) -> None:
    filters, before = used_filters(seed), used_filters(seed)
    filters.move(matrix)
    filters.move(inverse(matrix))
    np.testing.assert_allclose(filters.mean, before.mean, rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(filters.covariance, before.covariance, rtol=1e-7, atol=1e-5)


@given(SEEDS)
def test_the_identity_changes_no_bit(seed: int) -> None:
    filters, before = used_filters(seed), used_filters(seed)
    filters.move(identity())
    for name in ("mean", "var", "cov"):
        np.testing.assert_array_equal(getattr(filters, name), getattr(before, name))


def assert_same(a: Tracks, b: Tracks) -> None:
    for name in ("track_id", "xyxy", "velocity", "score", "age_s", "detection_index"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_a_camera_that_stands_still_gives_the_same_bytes() -> None:
    frames = random_frames(3, 12, 60)
    told = Sort()
    for number, (found, plain) in enumerate(zip(frames, track(Sort(), frames), strict=True)):
        told.move(identity())
        assert_same(told.update(found, number * FRAME_NS), plain)


def test_the_map_moves_a_predicted_box_right() -> None:
    tracker = Sort()
    for number in range(5):
        tracker.update(detections([box(100)]), number * FRAME_NS)
    tracker.move(turn_about((0, 0), (30, 0)))
    np.testing.assert_allclose(tracker.predict(4 * FRAME_NS).xyxy, [box(130)], atol=0.01)
    tracks = tracker.update(detections([box(130)]), 5 * FRAME_NS)
    assert tracks.track_id.tolist() == [1]
    np.testing.assert_allclose(tracks.xyxy, [box(130)], atol=0.01)
    np.testing.assert_allclose(tracks.velocity, [[0, 0]], atol=0.1)


def seen_by(maps: list[Affine], frames: list[Detections]) -> list[Detections]:
    return [
        Detections(moved_boxes(matrix, found.xyxy), found.score, found.class_id, found.points)
        for matrix, found in zip(maps, frames, strict=True)
    ]


def follow(maps: list[Affine], frames: list[Detections]) -> list[Tracks]:
    """Track what a moving camera sees, told how it moves."""
    tracker, tracks = Sort(), []
    for number, (step, found) in enumerate(zip(steps(maps), seen_by(maps, frames), strict=True)):
        tracker.move(step)
        tracks.append(tracker.update(found, number * FRAME_NS))
    return tracks


def steps(maps: list[Affine]) -> list[Affine]:
    return [identity(), *(then(inverse(before), now) for before, now in pairwise(maps))]


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_shifts_and_turns_of_the_camera_change_no_number(seed: int) -> None:
    """Boxes do not turn with the picture, so turns are small; the jumps are larger than any box."""
    random = np.random.default_rng(seed)
    frames = random_frames(seed, 6, 30)
    maps = [turn_about((300, 300), (x, y)) for x, y in random.uniform(-300, 300, (30, 2))]
    for still, moving, matrix in zip(track(Sort(), frames), follow(maps, frames), maps, strict=True):
        assert moving.track_id.tolist() == still.track_id.tolist()
        np.testing.assert_allclose(moving.xyxy, moved_boxes(matrix, still.xyxy), atol=0.05)


def test_without_the_map_a_jolt_costs_the_number() -> None:
    """The same jolts with and without: what the map is for."""
    frames = [detections([box(100 + 3 * i), box(400 - 2 * i)]) for i in range(30)]
    jolts = [turn_about((250, 100), ((-1) ** i * 40.0, 0.0), 0.02 * (-1) ** i, 1 + 0.02 * (-1) ** i) for i in range(30)]
    told = follow(jolts, frames)
    assert {tuple(tracks.track_id.tolist()) for tracks in told[2:]} == {(1, 2)}
    untold = track(Sort(), seen_by(jolts, frames))
    assert sum(len(tracks) for tracks in untold) < sum(len(tracks) for tracks in told) / 2


def test_velocities_count_from_the_scene() -> None:
    """A camera that pans with a walker: the walker rests in the picture and still walks at 75 px/s."""
    frames = [detections([box(100 + 3 * i)]) for i in range(40)]
    pan = [turn_about((0, 0), (-3.0 * i, 0.0)) for i in range(40)]
    last = follow(pan, frames)[-1]
    np.testing.assert_allclose(last.xyxy, [box(100)], atol=0.1)
    np.testing.assert_allclose(last.velocity, [[75.0, 0.0]], atol=0.5)
    middle = moved_points(pan[-1], np.array([[100.0 + 3 * 39, 100.0]]))
    np.testing.assert_allclose(middle, [[100.0, 100.0]])


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [
        (np.full((2, 3), math.nan), "finite"),
        (np.eye(3), "finite"),
        (np.zeros((2, 3)), "determinant above 0"),
        (np.array([[-1.0, 0, 640], [0, 1, 0]]), "determinant above 0"),
    ],
)
def test_maps_that_cannot_be_are_refused(matrix: NDArray[np.float64], wanted: str) -> None:
    with pytest.raises(ValueError, match=f"camera motion: expected a .*{wanted}"):
        Sort().move(matrix)
